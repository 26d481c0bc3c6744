-- A create intent that is done for a day moves to the present form of its email, unless an intent stands there. $1 till, $2 email, $3 the
-- present form. Index: intent primary key. Locks: that row.
UPDATE intent i SET email = $3 WHERE i.till_id = $1 AND i.email = $2 AND i.state = 3
  AND NOT EXISTS (SELECT FROM intent other WHERE other.till_id = $1 AND other.email = $3)
