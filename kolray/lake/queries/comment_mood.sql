-- How are comments of the newest day meant, by platform and language, and how many look like spam?
SELECT
  platform,
  lang,
  count(*) AS comments,
  count(*) FILTER (WHERE sentiment > 0) AS positive,
  count(*) FILTER (WHERE sentiment < 0) AS negative,
  count(*) FILTER (WHERE spam >= 0.5) AS spam,
  avg(CAST(length(text) AS double)) AS characters
FROM silver.social
WHERE dt = (SELECT max(dt) FROM gold.platform_daily) AND event_type = 'comment'
GROUP BY platform, lang
ORDER BY platform, lang
