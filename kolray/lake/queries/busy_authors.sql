-- Who comments most on the newest day, and under how many KOLs?
SELECT author_id, count(*) AS comments, count(DISTINCT kol_id) AS kols
FROM silver.social
WHERE dt = (SELECT max(dt) FROM gold.platform_daily) AND event_type = 'comment' AND author_id IS NOT NULL
GROUP BY author_id
ORDER BY comments DESC, kols DESC, author_id
LIMIT 20
