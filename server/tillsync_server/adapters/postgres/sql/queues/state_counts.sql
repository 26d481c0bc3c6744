-- How many entries of a queue are in each state, counted to $3 at most. $1 account, $2 queue.
-- Indexes: entry_by_state, entry_history_by_state. Takes no lock.
SELECT s.state, (SELECT count(*) FROM (SELECT FROM queue_entry q WHERE q.account_id = $1 AND q.queue = $2 AND q.state = s.state
  LIMIT $3) AS counted) AS entries
FROM unnest('{1,2,3,4,5,6}'::smallint[]) AS s(state)
