-- How does each platform develop from day to day?
SELECT
  platform,
  dt,
  kols,
  impressions,
  CAST(impressions AS double) / nullif(lag(impressions) OVER (PARTITION BY platform ORDER BY dt), 0) - 1 AS change,
  engagement_rate,
  ctr,
  sentiment_ratio
FROM gold.platform_daily
ORDER BY platform, dt
