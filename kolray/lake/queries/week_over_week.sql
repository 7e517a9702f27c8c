-- What did each platform gain or lose against the week before?
WITH weeks AS (
  SELECT
    platform,
    dt AS week,
    count(*) AS kols,
    CAST(sum(impressions) AS bigint) AS impressions,
    CAST(sum(likes + comments + shares) AS bigint) AS reactions
  FROM gold.kpi_weekly
  GROUP BY platform, dt
)
SELECT
  platform,
  week,
  kols,
  impressions,
  impressions - lag(impressions) OVER (PARTITION BY platform ORDER BY week) AS impressions_change,
  reactions,
  reactions - lag(reactions) OVER (PARTITION BY platform ORDER BY week) AS reactions_change
FROM weeks
ORDER BY platform, week
