-- Whose followers grew fastest, relative to where they began the newest seven days?
WITH days AS (
  SELECT
    kol_id,
    platform,
    first_value(followers_first) OVER (PARTITION BY kol_id, platform ORDER BY dt) AS before,
    followers_last AS now,
    row_number() OVER (PARTITION BY kol_id, platform ORDER BY dt DESC) AS newest
  FROM gold.kpi_daily
  WHERE dt > (SELECT max(dt) FROM gold.platform_daily) - INTERVAL '7' DAY AND followers_last IS NOT NULL
)
SELECT kol_id, platform, before, now, now - before AS gained, CAST(now - before AS double) / nullif(before, 0) AS growth
FROM days
WHERE newest = 1
ORDER BY growth DESC, kol_id, platform
LIMIT 20
