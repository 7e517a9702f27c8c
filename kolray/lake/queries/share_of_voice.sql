-- Who are the three loudest KOLs of each platform, and how much of its reach is theirs?
WITH reach AS (
  SELECT platform, kol_id, CAST(sum(impressions) AS bigint) AS impressions
  FROM gold.kpi_weekly
  GROUP BY platform, kol_id
),
ranked AS (
  SELECT
    platform,
    kol_id,
    impressions,
    CAST(impressions AS double) / nullif(sum(impressions) OVER (PARTITION BY platform), 0) AS share,
    row_number() OVER (PARTITION BY platform ORDER BY impressions DESC, kol_id) AS place
  FROM reach
)
SELECT platform, place, kol_id, impressions, share
FROM ranked
WHERE place <= 3
ORDER BY platform, place
