-- Creates that the till can no longer surprise us with. $1 account, $2 tills, $3 emails, $4 the database's time. Under the lane's lock.
-- Locks: those rows. Index: intent primary key.
DELETE FROM intent i USING unnest($2::text[], $3::text[]) AS t(till_id, email)
WHERE i.till_id = t.till_id AND i.email = t.email AND i.account_id = $1 AND i.settled_at <= $4
