-- Wake one lane that sleeps past its earliest pending entry. $1 account; its lane is locked by the statement before.
UPDATE lane SET next_run_at = greatest(first.due, lane.paused_until), next_live_at = greatest(first.live_due, lane.paused_until)
FROM (SELECT min(due_at) AS due, coalesce(min(due_at) FILTER (WHERE priority = 1), 'infinity') AS live_due
      FROM entry WHERE account_id = $1 AND state = 1) AS first
WHERE lane.account_id = $1 AND lane.lease_expires_at IS NULL AND lane.next_run_at > now()
  AND greatest(first.due, lane.paused_until) < lane.next_run_at
RETURNING lane.account_id
