-- Which order entries that callers wait for are no longer about to run: gone from the hot table (finished), HELD, or not due for a while,
-- an ill till counted in. $1 accounts, $2 entry ids, $3 seconds. Reads only. Indexes: primary keys of entry and lane.
SELECT w.entry_id
FROM unnest($1::text[], $2::uuid[]) AS w(account_id, entry_id)
LEFT JOIN entry e ON e.account_id = w.account_id AND e.entry_id = w.entry_id
LEFT JOIN lane ON lane.account_id = w.account_id
WHERE e.entry_id IS NULL OR e.state <> 1 OR greatest(e.due_at, lane.till_probe_at) > now() + make_interval(secs => $3)
