-- The longest waiting events of an account, each with how many orders wait for a person. $1 account, $2 most rows, $3 orders counted at
-- most. Takes no lock. Indexes: order_event_waiting, entry_by_state (not looked at where no event waits).
SELECT order_id, sequence, type, entry_id, state, outcome,
  (SELECT count(*) FROM (SELECT FROM entry WHERE entry.account_id = $1 AND queue = 2 AND entry.state = 4 LIMIT $3) AS held) AS held_count
FROM order_event
WHERE account_id = $1 AND sequence > delivered ORDER BY event_time, order_id LIMIT $2
