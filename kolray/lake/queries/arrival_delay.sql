-- How long after they happened did the newest day's events reach Kafka?
WITH delays AS (
  SELECT platform, date_diff('millisecond', event_time, available_at) AS ms
  FROM silver.social
  WHERE dt = (SELECT max(dt) FROM gold.platform_daily)
)
SELECT
  platform,
  count(*) AS events,
  avg(CAST(ms AS double)) / 1000 AS mean_s,
  count(*) FILTER (WHERE ms < 1000) AS within_1_s,
  count(*) FILTER (WHERE ms >= 1000 AND ms < 60000) AS within_1_min,
  count(*) FILTER (WHERE ms >= 60000) AS later
FROM delays
GROUP BY platform
ORDER BY platform
