-- Whose daily reach swings most around its mean (four days or more)?
SELECT
  kol_id,
  platform,
  count(*) AS days,
  avg(CAST(impressions AS double)) AS mean,
  stddev_samp(CAST(impressions AS double)) / nullif(avg(CAST(impressions AS double)), 0) AS variation
FROM gold.kpi_daily
GROUP BY kol_id, platform
HAVING count(*) >= 4
ORDER BY round(stddev_samp(CAST(impressions AS double)) / nullif(avg(CAST(impressions AS double)), 0), 9) DESC, kol_id, platform
LIMIT 20
