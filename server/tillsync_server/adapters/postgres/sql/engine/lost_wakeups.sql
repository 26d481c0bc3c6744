-- Lanes that sleep past their earliest pending entry: there must be none. A lane that is ready has not been lost. Takes no lock; the caller looks again under the lane's lock.
-- Index: entry_due.
SELECT lane.account_id FROM lane
WHERE lane.lease_expires_at IS NULL AND lane.next_run_at > now() AND EXISTS (
  SELECT FROM (VALUES (1), (2)) AS p(priority)
  CROSS JOIN LATERAL (SELECT due_at FROM entry WHERE entry.account_id = lane.account_id AND state = 1 AND entry.priority = p.priority
    ORDER BY due_at LIMIT 1) AS first
  WHERE greatest(first.due_at, lane.paused_until) < lane.next_run_at)
ORDER BY lane.account_id LIMIT 1000
