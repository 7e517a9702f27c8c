-- Which ten KOLs got the most reactions in the last seven days?
SELECT
  kol_id,
  platform,
  CAST(sum(likes + comments + shares) AS bigint) AS reactions,
  CAST(sum(impressions) AS bigint) AS impressions,
  CAST(sum(likes + comments + shares) AS double) / nullif(sum(impressions), 0) AS engagement_rate
FROM gold.kpi_daily
WHERE dt > (SELECT max(dt) FROM gold.platform_daily) - INTERVAL '7' DAY
GROUP BY kol_id, platform
ORDER BY reactions DESC, kol_id, platform
LIMIT 10
