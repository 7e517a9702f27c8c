-- At which hours of the day (UTC) do audiences react, by platform, in the last seven days?
SELECT
  platform,
  extract(hour FROM hour) AS hour_of_day,
  CAST(sum(likes + comments + shares) AS bigint) AS reactions,
  count(DISTINCT kol_id) AS kols
FROM gold.kpi_hourly
WHERE dt > (SELECT max(dt) FROM gold.platform_daily) - INTERVAL '7' DAY
GROUP BY platform, extract(hour FROM hour)
ORDER BY platform, hour_of_day
