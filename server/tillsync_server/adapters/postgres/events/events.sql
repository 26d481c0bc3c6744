-- name: record
-- Records the next event of orders that ended, are held, or are no longer held. It replaces an event that was not sent yet. $1 accounts,
-- $2 orders (no pair twice), $3 the database's time. Only accounts with a bridge get events. An answer that is PENDING again gets one only
-- after decision.needed. After the order's answer in its transaction, under the lane's lock. Locks: the events, in order.
-- Indexes: primary keys of order_event, order_match and account.
INSERT INTO order_event AS o (account_id, order_id, sequence, type, entry_id, state, outcome, event_time)
SELECT m.account_id, m.order_id, 1, CASE m.state WHEN 4 THEN 2 WHEN 1 THEN 3 ELSE 1 END, m.entry_id, m.state, m.outcome, $3
FROM unnest($1::text[], $2::bigint[]) AS t(account_id, order_id)
JOIN account a ON a.account_id = t.account_id AND a.shop_bridge_secret IS NOT NULL
JOIN order_match m ON m.account_id = t.account_id AND m.order_id = t.order_id
LEFT JOIN order_event before ON before.account_id = t.account_id AND before.order_id = t.order_id
WHERE m.state <> 1 OR before.state = 4
ORDER BY m.account_id, m.order_id
ON CONFLICT (account_id, order_id) DO UPDATE SET sequence = o.sequence + 1, type = excluded.type, entry_id = excluded.entry_id,
  state = excluded.state, outcome = excluded.outcome, event_time = excluded.event_time

-- name: record_of_entries
-- Records events as `record` does, for the orders of live entries. $1 account, $2 entries, $3 the database's time. After the order's answer
-- in its transaction, under the lane's lock. Locks: the events, in order. Indexes: primary keys of entry, order_event, order_match and
-- account.
INSERT INTO order_event AS o (account_id, order_id, sequence, type, entry_id, state, outcome, event_time)
SELECT m.account_id, m.order_id, 1, CASE m.state WHEN 4 THEN 2 WHEN 1 THEN 3 ELSE 1 END, m.entry_id, m.state, m.outcome, $3
FROM entry e
JOIN account a ON a.account_id = e.account_id AND a.shop_bridge_secret IS NOT NULL
JOIN order_match m ON m.account_id = e.account_id AND m.order_id = e.subject_id AND m.entry_id = e.entry_id
LEFT JOIN order_event before ON before.account_id = m.account_id AND before.order_id = m.order_id
WHERE e.account_id = $1 AND e.entry_id = ANY ($2::uuid[]) AND e.kind = 3 AND (m.state <> 1 OR before.state = 4)
ORDER BY m.order_id
ON CONFLICT (account_id, order_id) DO UPDATE SET sequence = o.sequence + 1, type = excluded.type, entry_id = excluded.entry_id,
  state = excluded.state, outcome = excluded.outcome, event_time = excluded.event_time

-- name: claim
-- Leases accounts with waiting events whose next try is due, to send their events. $1 most accounts, $2 lease seconds.
-- The recursion steps from account to account, so the cost grows with the accounts that have waiting events. Locks: the rows taken, in
-- account order. If two sessions want one row at a time, the second sees the first one's lease and gets nothing.
-- Indexes: order_event_waiting, primary keys of account and event_delivery.
WITH clock AS MATERIALIZED (SELECT now() AS at),
due AS MATERIALIZED (
  WITH RECURSIVE waiting AS (
    (SELECT account_id FROM order_event WHERE sequence > delivered ORDER BY account_id LIMIT 1)
    UNION ALL
    SELECT (SELECT e.account_id FROM order_event e WHERE e.sequence > e.delivered AND e.account_id > w.account_id
      ORDER BY e.account_id LIMIT 1)
    FROM waiting w WHERE w.account_id IS NOT NULL)
  SELECT a.account_id FROM waiting w CROSS JOIN clock
  JOIN account a ON a.account_id = w.account_id AND a.shop_bridge_secret IS NOT NULL
  LEFT JOIN event_delivery d ON d.account_id = w.account_id
  WHERE d.account_id IS NULL OR (d.lease_expires_at <= clock.at AND d.next_try_at <= clock.at)
  ORDER BY d.next_try_at NULLS FIRST, a.account_id LIMIT $1)
INSERT INTO event_delivery AS d (account_id, lease_token, lease_expires_at, next_try_at)
SELECT due.account_id, 1, clock.at + make_interval(secs => $2), clock.at FROM due CROSS JOIN clock ORDER BY due.account_id
ON CONFLICT (account_id) DO UPDATE SET lease_token = d.lease_token + 1, lease_expires_at = excluded.lease_expires_at
WHERE d.lease_expires_at <= excluded.next_try_at AND d.next_try_at <= excluded.next_try_at
RETURNING account_id, lease_token, failures

-- name: acknowledge
-- Stores that the shop has taken these events. $1 account, $2 orders, $3 the sequences sent, $4 the sequence in the shop if it has a newer
-- one (or NULL). A newer event recorded since stays waiting. If the shop is ahead of us (our database was restored), the event is sent
-- again with a higher sequence than the shop's. Locks: the events, in order, then their refused events. Indexes: primary keys of
-- order_event and refused_event.
WITH sent AS MATERIALIZED (
  SELECT * FROM unnest($2::bigint[], $3::bigint[], $4::bigint[]) AS t(order_id, sequence, held)),
locked AS MATERIALIZED (
  SELECT order_id FROM order_event WHERE account_id = $1 AND order_id = ANY ($2::bigint[]) ORDER BY order_id FOR NO KEY UPDATE),
accepted AS (
  DELETE FROM refused_event r USING sent JOIN locked USING (order_id)
  WHERE r.account_id = $1 AND r.order_id = sent.order_id AND r.sequence <= sent.sequence)
UPDATE order_event o SET delivered = greatest(o.delivered, sent.sequence),
  sequence = CASE WHEN sent.held > o.sequence THEN sent.held + 1 ELSE o.sequence END
FROM sent JOIN locked USING (order_id)
WHERE o.account_id = $1 AND o.order_id = sent.order_id

-- name: release
-- Releases the lease of an account's events, if it still has the token. $1 account, $2 token, $3 failures in a row, $4 seconds until the
-- next try. Index: event_delivery primary key.
UPDATE event_delivery d SET lease_expires_at = clock.at, failures = $3, next_try_at = clock.at + make_interval(secs => $4)
FROM (SELECT now() AS at) AS clock
WHERE d.account_id = $1 AND d.lease_token = $2

-- name: refuse
-- Stores events that the shop's bridge could not read. They no longer wait, and are kept. $1 account, $2 orders, $3 the sequences sent, $4
-- the fields that the bridge names. A newer event recorded since stays waiting. Locks: the events, in order, then their refused events.
-- Indexes: primary keys of order_event and refused_event.
WITH refused AS MATERIALIZED (
  SELECT * FROM unnest($2::bigint[], $3::bigint[], $4::text[]) AS t(order_id, sequence, field)),
locked AS MATERIALIZED (
  SELECT order_id FROM order_event WHERE account_id = $1 AND order_id = ANY ($2::bigint[]) ORDER BY order_id FOR NO KEY UPDATE),
skipped AS (
  UPDATE order_event o SET delivered = greatest(o.delivered, refused.sequence)
  FROM refused JOIN locked USING (order_id)
  WHERE o.account_id = $1 AND o.order_id = refused.order_id)
INSERT INTO refused_event AS r (account_id, order_id, sequence, field, first_time, told_time)
SELECT $1, refused.order_id, refused.sequence, refused.field, now(), now() FROM refused JOIN locked USING (order_id) ORDER BY refused.order_id
ON CONFLICT (account_id, order_id) DO UPDATE SET sequence = greatest(r.sequence, excluded.sequence), field = excluded.field,
  told_time = excluded.told_time

-- name: resend
-- Makes refused events wait again, to resend them; returns how many. $1 seconds since they were sent, at least, $2 most. Locks: the events,
-- in order, then their refused events. Indexes: refused_event_by_time, primary keys of order_event and refused_event.
WITH due AS MATERIALIZED (
  SELECT account_id, order_id FROM refused_event WHERE told_time <= now() - make_interval(secs => $1) ORDER BY told_time LIMIT $2),
locked AS MATERIALIZED (
  SELECT o.account_id, o.order_id FROM order_event o JOIN due USING (account_id, order_id)
  ORDER BY o.account_id, o.order_id FOR NO KEY UPDATE OF o),
noted AS (
  UPDATE refused_event r SET told_time = now() FROM due WHERE r.account_id = due.account_id AND r.order_id = due.order_id),
resent AS (
  UPDATE order_event o SET delivered = least(o.delivered, o.sequence - 1) FROM locked
  WHERE o.account_id = locked.account_id AND o.order_id = locked.order_id)
SELECT count(*) FROM due

-- name: seconds_until_due
-- Returns the seconds until the next account's events may be sent (negative: now). NULL: no account with a bridge has waiting events.
-- An account's events may be sent after its lease and its next try. Takes no lock. The recursion steps from account to account, as in
-- `claim`. Indexes: order_event_waiting, primary keys of account and event_delivery.
WITH RECURSIVE waiting AS (
  (SELECT account_id FROM order_event WHERE sequence > delivered ORDER BY account_id LIMIT 1)
  UNION ALL
  SELECT (SELECT e.account_id FROM order_event e WHERE e.sequence > e.delivered AND e.account_id > w.account_id ORDER BY e.account_id LIMIT 1)
  FROM waiting w WHERE w.account_id IS NOT NULL)
SELECT extract(epoch FROM min(coalesce(greatest(d.lease_expires_at, d.next_try_at), now())) - now())::float8
FROM waiting w
JOIN account a ON a.account_id = w.account_id AND a.shop_bridge_secret IS NOT NULL
LEFT JOIN event_delivery d ON d.account_id = w.account_id

-- name: waiting
-- Returns the longest waiting events of an account, each with the number of held orders and with its order's answer. is_answered: the
-- answer is still that of the event. $1 account, $2 most rows, $3 cap of counted orders. Takes no lock. Indexes: order_event_waiting,
-- order_match primary key, entry_by_state (not read if no event waits).
SELECT o.order_id, o.sequence, o.type, o.entry_id, o.state, o.outcome, m.comment, m.cause, m.notes, m.epos_customer_id,
  m.state <> 1 AND m.entry_id = o.entry_id AND m.state = o.state AND m.outcome = o.outcome AS is_answered,
  (SELECT count(*) FROM (SELECT FROM entry WHERE entry.account_id = $1 AND queue = 2 AND entry.state = 4 LIMIT $3) AS held) AS held_count
FROM order_event o
LEFT JOIN order_match m ON m.account_id = o.account_id AND m.order_id = o.order_id
WHERE o.account_id = $1 AND o.sequence > o.delivered ORDER BY o.event_time, o.order_id LIMIT $2

-- name: send_now
-- Makes a shop's events due at once, after a change of the way to the shop. A sender that works by the old way loses its lease, because its
-- release would postpone the next try. $1 account, $2 the database's time. Under the lane's lock. Index: event_delivery primary key.
UPDATE event_delivery SET failures = 0, next_try_at = $2, lease_expires_at = $2, lease_token = lease_token + 1 WHERE account_id = $1

-- name: resend_of_account
-- Makes the refused events of an account wait again, because its bridge may have been updated. $1 account. Locks: the events, in order.
-- Indexes: primary keys of refused_event and order_event.
WITH locked AS MATERIALIZED (
  SELECT o.order_id FROM refused_event r JOIN order_event o USING (account_id, order_id)
  WHERE r.account_id = $1 ORDER BY o.order_id FOR NO KEY UPDATE OF o)
UPDATE order_event o SET delivered = least(o.delivered, o.sequence - 1) FROM locked WHERE o.account_id = $1 AND o.order_id = locked.order_id

-- name: discard
-- Discards waiting events after the shop was changed or removed: they are about the old shop. Sequences stay. $1 account.
-- Under the lane's lock. Locks: the events, in order. Index: order_event_waiting.
WITH locked AS MATERIALIZED (
  SELECT order_id FROM order_event WHERE account_id = $1 AND sequence > delivered ORDER BY order_id FOR NO KEY UPDATE)
UPDATE order_event o SET delivered = o.sequence FROM locked WHERE o.account_id = $1 AND o.order_id = locked.order_id

-- name: delete_refused
-- Deletes refused events after the shop was changed or removed: they are about the old shop. $1 account. After `discard`, under the
-- lane's lock. Index: refused_event primary key.
DELETE FROM refused_event WHERE account_id = $1
