-- The create was refused, or provably never sent. $1 till, $2 normalised email, $3 owner: another's intent, one that is done and one
-- whose create may have reached the till are not touched. Index: intent primary key. Locks: that row.
DELETE FROM intent WHERE till_id = $1 AND email = $2
  /* invariant: intents-are-cleared-by-their-owner */ AND owner = $3::text /* /invariant: intents-are-cleared-by-their-owner */
  AND state = 1
