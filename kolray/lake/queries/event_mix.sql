-- What kinds of events came in on the newest day, and of how many KOLs?
SELECT platform, event_type, count(*) AS events, count(DISTINCT kol_id) AS kols, min(event_time) AS first_at, max(event_time) AS last_at
FROM silver.social
WHERE dt = (SELECT max(dt) FROM gold.platform_daily)
GROUP BY platform, event_type
ORDER BY platform, event_type
