-- How do campaigns do from impression to conversion, and what do conversions bring?
SELECT
  campaign_id,
  currency,
  count(DISTINCT kol_id) AS kols,
  CAST(sum(web_impressions) AS bigint) AS impressions,
  CAST(sum(web_clicks) AS bigint) AS clicks,
  CAST(sum(web_conversions) AS bigint) AS conversions,
  CAST(sum(web_clicks) AS double) / nullif(sum(web_impressions), 0) AS ctr,
  CAST(sum(web_conversions) AS double) / nullif(sum(web_clicks), 0) AS cvr,
  sum(value) AS value
FROM gold.campaign_daily
GROUP BY campaign_id, currency
ORDER BY campaign_id, currency
LIMIT 100
