-- What engagement is usual in each category and tier, so that a KOL can be held against it?
WITH kols AS (
  SELECT kol_id, category, tier, row_number() OVER (PARTITION BY kol_id ORDER BY valid_from DESC) AS newest
  FROM ref.kols
)
SELECT
  k.category,
  k.tier,
  count(DISTINCT d.kol_id) AS kols,
  CAST(sum(d.impressions) AS double) / count(DISTINCT d.kol_id) AS impressions_per_kol,
  CAST(sum(d.likes + d.comments + d.shares) AS double) / nullif(sum(d.impressions), 0) AS engagement_rate
FROM gold.kpi_daily d
JOIN kols k ON k.kol_id = d.kol_id AND k.newest = 1
GROUP BY GROUPING SETS ((k.category, k.tier), (k.category))
ORDER BY k.category, k.tier
