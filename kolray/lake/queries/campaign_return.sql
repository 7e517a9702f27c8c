-- What did each campaign return on its budget, as far as both are in one currency?
WITH planned AS (
  SELECT
    campaign_id,
    kol_id,
    budget,
    currency,
    row_number() OVER (PARTITION BY campaign_id, kol_id ORDER BY valid_from DESC) AS newest
  FROM ref.campaigns
),
earned AS (
  SELECT campaign_id, kol_id, currency, sum(value) AS value, min(dt) AS first_day, max(dt) AS last_day
  FROM gold.campaign_daily
  WHERE value IS NOT NULL
  GROUP BY campaign_id, kol_id, currency
)
SELECT p.campaign_id, p.kol_id, p.budget, e.value, p.currency, e.value / nullif(p.budget, 0) AS returned, e.first_day, e.last_day
FROM planned p
LEFT JOIN earned e ON e.campaign_id = p.campaign_id AND e.kol_id = p.kol_id AND e.currency = p.currency
WHERE p.newest = 1
ORDER BY p.campaign_id, p.kol_id
LIMIT 100
