-- Which audiences look bought: jumps in followers, the same comments again, few authors?
WITH newest AS (
  SELECT * FROM gold.features WHERE as_of = (SELECT max(as_of) FROM gold.features)
)
SELECT
  kol_id,
  followers,
  follower_jump_share,
  comment_repetition,
  author_diversity,
  spam_share,
  CASE WHEN follower_jump_share > 0.3 THEN 1 ELSE 0 END
    + CASE WHEN comment_repetition > 0.3 THEN 1 ELSE 0 END
    + CASE WHEN author_diversity < 0.5 THEN 1 ELSE 0 END
    + CASE WHEN spam_share > 0.3 THEN 1 ELSE 0 END AS signs
FROM newest
ORDER BY signs DESC, followers DESC, kol_id
LIMIT 20
