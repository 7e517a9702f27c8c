-- Who has been silent for longest?
SELECT
  kol_id,
  max(dt) AS last_day,
  date_diff('day', max(dt), (SELECT max(dt) FROM gold.platform_daily)) AS silent_days,
  CAST(sum(events) AS bigint) AS events
FROM gold.kpi_daily
GROUP BY kol_id
ORDER BY silent_days DESC, kol_id
LIMIT 20
