-- Why were rows kept out of silver?
SELECT kind, reason, count(*) AS records, count(DISTINCT kol_id) AS kols, min(kafka_time) AS first_at, max(kafka_time) AS last_at
FROM silver.quarantine
GROUP BY kind, reason
ORDER BY records DESC, kind, reason
LIMIT 50
