-- Lanes that sleep past their earliest pending entry, and lanes with a pending entry before their bound: there must be none. A lane that is
-- ready has not been lost. Takes no lock; the caller looks again under the lane's lock. paused_until: a process of the release before lets
-- the lane sleep. Index: entry_due_by_queue, from its beginning.
SELECT lane.account_id FROM lane
WHERE EXISTS (
  SELECT FROM (VALUES (1, 1), (1, 2), (2, 1), (2, 2)) AS p(queue, priority)
  CROSS JOIN LATERAL (SELECT due_at FROM entry WHERE entry.account_id = lane.account_id AND state = 1 AND entry.queue = p.queue
    AND entry.priority = p.priority ORDER BY due_at LIMIT 1) AS first
  CROSS JOIN LATERAL (SELECT CASE p.queue WHEN 1 THEN greatest(lane.till_probe_at, lane.shop_probe_at) ELSE lane.till_probe_at END
    AS blocked_until) AS side
  WHERE first.due_at < lane.due_from OR lane.lease_expires_at IS NULL AND lane.next_run_at > now()
    AND greatest(first.due_at, side.blocked_until, lane.paused_until)
      < CASE WHEN side.blocked_until IS NULL THEN lane.next_run_at ELSE lane.next_probe_at END)
ORDER BY lane.account_id LIMIT 1000
