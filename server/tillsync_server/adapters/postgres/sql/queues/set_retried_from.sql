-- Name the finished entries that new ones are the retries of. $1 account, $2 new entry ids, $3 finished entry ids, by position.
-- Under the lane's lock. Index: entry primary key.
UPDATE entry e SET retried_from = t.retried_from
FROM unnest($2::uuid[], $3::uuid[]) AS t(entry_id, retried_from)
WHERE e.account_id = $1 AND e.entry_id = t.entry_id
