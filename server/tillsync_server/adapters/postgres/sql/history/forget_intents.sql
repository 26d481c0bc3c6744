-- Forget create intents that have long done their work: their customer is in the till and found by every search. Each holds an email.
-- $1 days since they settled, $2 rows at most. Open and unknown ones stay until they are settled and replaced. Index: primary key.
DELETE FROM intent WHERE (till_id, email) IN (
  SELECT till_id, email FROM intent WHERE state = 3 AND settled_at < now() - make_interval(days => $1) LIMIT $2)
