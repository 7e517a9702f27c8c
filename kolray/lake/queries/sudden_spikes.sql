-- On which days did a KOL's reactions rise most above the mean of the seven days before?
WITH days AS (
  SELECT
    kol_id,
    platform,
    dt,
    likes + comments + shares AS reactions,
    avg(CAST(likes + comments + shares AS double)) OVER (
      PARTITION BY kol_id, platform ORDER BY dt ROWS BETWEEN 7 PRECEDING AND 1 PRECEDING
    ) AS usual
  FROM gold.kpi_daily
)
SELECT kol_id, platform, dt, reactions, usual, reactions / usual AS times
FROM days
WHERE usual > 0
ORDER BY times DESC, kol_id, platform, dt
LIMIT 20
