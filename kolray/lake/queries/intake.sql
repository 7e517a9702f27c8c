-- What has bronze taken from each partition on its newest day, and is any offset missing (a gap may be a transaction's marker)?
SELECT
  topic,
  "partition",
  count(*) AS records,
  min("offset") AS first_offset,
  max("offset") AS last_offset,
  max("offset") - min("offset") + 1 - count(*) AS not_held,
  max(ingest_time) AS last_at
FROM bronze.social
WHERE dt = (SELECT max(dt) FROM bronze.social)
GROUP BY topic, "partition"
ORDER BY topic, "partition"
