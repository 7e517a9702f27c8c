-- How do the features of all KOLs develop from one reading to the next?
SELECT
  as_of,
  count(*) AS kols,
  avg(followers) AS followers,
  avg(engagement_rate) AS engagement_rate,
  avg(comment_repetition) AS comment_repetition,
  avg(author_diversity) AS author_diversity,
  count(*) FILTER (WHERE follower_jump_share > 0.3) AS with_jumps
FROM gold.features
GROUP BY as_of
ORDER BY as_of
