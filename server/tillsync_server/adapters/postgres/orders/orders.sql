-- name: stored_orders
-- Returns what is stored of arriving orders. $1 account, $2 order ids. Runs under the lane's lock. Indexes: order_match primary key,
-- entry_live.
SELECT m.order_id, m.order_key, m.facts_hash, m.entry_id, coalesce(e.state, m.state) AS state
FROM order_match m
LEFT JOIN entry e ON e.account_id = m.account_id AND e.kind = 3 AND e.subject_id = m.order_id
WHERE m.account_id = $1 AND m.order_id = ANY ($2::bigint[])

-- name: store
-- Enqueues orders: inserts new entries, updates order_match, and wakes the lane, which may be leased in the same commit.
-- $1 account, $2 the database's time, $3 owner and $4 seconds of the lease (NULL: no lease); columns: $5 entry ids, $6 order ids, $7 order
-- keys, $8 facts hashes, $9 order numbers, $10 labels, $11 account and $12 billing emails (normalised), $13 shop customers, $14 facts,
-- $15 retried_from, $16 notes, $17 whether the entry is new (others were updated before). Under the lane's lock.
-- A lane is leased only if it sleeps, has no other due work and no paused side. Ready lanes that wait for a slot are leased first, and a
-- paused side waits for its probe. The release of a leased lane looks for due work itself; an entry that is due before its bound lowers the
-- bound. The statement does not check whether the work waits for a paused side. If it does, the lane is leased once without work, and its
-- release stores the time of the probe. Returns the token and the lapses of a leased lane, else no row or NULL. Indexes: entry_live,
-- order_match primary key, lane_pkey.
WITH o AS MATERIALIZED (
  SELECT * FROM unnest($5::uuid[], $6::bigint[], $7::text[], $8::bytea[], $9::text[], $10::text[], $11::text[], $12::text[], $13::bigint[],
    $14::jsonb[], $15::uuid[], $16::text[], $17::boolean[])
    AS t(entry_id, order_id, order_key, facts_hash, order_number, label, account_email, billing_email, woo_customer_id, facts, retried_from,
      notes, is_new)),
queued AS (
  INSERT INTO entry (account_id, entry_id, queue, kind, subject_id, priority, due_at, order_number, subject_label, account_email,
    billing_email, woo_customer_id, facts, retried_from, notes, create_time, update_time)
  SELECT $1, entry_id, 2, 3, order_id, 1, $2, order_number, label, account_email, billing_email, woo_customer_id, facts, retried_from, notes,
    $2, $2
  FROM o WHERE is_new),
matches AS (
  INSERT INTO order_match AS m (account_id, order_id, order_key, facts_hash, entry_id, account_email, billing_email, woo_customer_id,
    create_time, update_time)
  SELECT $1, order_id, order_key, facts_hash, entry_id, account_email, billing_email, woo_customer_id, $2, $2 FROM o
  ON CONFLICT (account_id, order_id) DO UPDATE SET order_key = excluded.order_key, facts_hash = excluded.facts_hash,
    entry_id = excluded.entry_id, account_email = excluded.account_email, billing_email = excluded.billing_email,
    woo_customer_id = excluded.woo_customer_id, state = 1, update_time = excluded.update_time,
    -- Another order under this id: the answer of the previous order does not apply to it.
    outcome = CASE WHEN m.order_key = excluded.order_key THEN m.outcome END,
    cause = CASE WHEN m.order_key = excluded.order_key THEN m.cause END,
    comment = CASE WHEN m.order_key = excluded.order_key THEN m.comment ELSE '' END,
    notes = CASE WHEN m.order_key = excluded.order_key THEN m.notes ELSE '' END,
    epos_customer_id = CASE WHEN m.order_key = excluded.order_key THEN m.epos_customer_id END,
    candidate_ids = CASE WHEN m.order_key = excluded.order_key THEN m.candidate_ids END),
own_lane AS MATERIALIZED (
  SELECT account_id, lease_token, $3::text IS NOT NULL AND next_run_at > $2 AND till_probe_at IS NULL AND shop_probe_at IS NULL
      /* invariant: orders-lease-no-leased-lane */ AND lease_expires_at IS NULL /* /invariant: orders-lease-no-leased-lane */ AS is_leased
  FROM lane WHERE account_id = $1 AND lease_token >= (SELECT newest_token($1)))
UPDATE lane SET next_run_at = least(next_run_at, $2), next_live_at = least(next_live_at, $2), due_from = least(due_from, $2),
  lease_token = lane.lease_token + own_lane.is_leased::integer,
  lease_owner = CASE WHEN own_lane.is_leased THEN $3::text ELSE lane.lease_owner END,
  lease_expires_at = CASE WHEN own_lane.is_leased THEN $2::timestamptz + make_interval(secs => $4) ELSE lane.lease_expires_at END
FROM own_lane
WHERE lane.account_id = own_lane.account_id AND lane.lease_token = own_lane.lease_token AND (lane.lease_expires_at IS NULL OR lane.due_from > $2)
RETURNING CASE WHEN own_lane.is_leased THEN lane.lease_token END AS lease_token, lane.lapses

-- name: requeue_entries
-- Gives live order entries new facts and makes them due with fresh attempts. $1 account, $2 the database's time; columns: $3 order ids,
-- $4 order numbers, $5 labels, $6 account and $7 billing emails (normalised), $8 shop customers, $9 facts, $10 notes. A note says that
-- another order had this id before; its outcome, cause, comment, customer and candidates are cleared. Under the lane's lock. Index:
-- entry_live.
UPDATE entry e SET state = 1, due_at = greatest($2, e.not_before), priority = 1, entry_revision = e.entry_revision + 1,
  coalesced_count = e.coalesced_count + 1, attempt_count = 0, order_number = t.order_number, subject_label = t.label,
  account_email = t.account_email, billing_email = t.billing_email, woo_customer_id = t.woo_customer_id, facts = t.facts,
  chosen_epos_customer_id = NULL,
  notes = CASE WHEN t.notes = '' THEN e.notes ELSE t.notes END, outcome = CASE WHEN t.notes = '' THEN e.outcome END,
  cause = CASE WHEN t.notes = '' THEN e.cause END, comment = CASE WHEN t.notes = '' THEN e.comment ELSE '' END,
  epos_customer_id = CASE WHEN t.notes = '' THEN e.epos_customer_id END,
  candidate_ids = CASE WHEN t.notes = '' THEN e.candidate_ids END, update_time = $2
FROM unnest($3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bigint[], $9::jsonb[], $10::text[])
  AS t(order_id, order_number, label, account_email, billing_email, woo_customer_id, facts, notes)
WHERE e.account_id = $1 AND e.kind = 3 AND e.subject_id = t.order_id

-- name: answerable
-- Returns the order entries that are not about to run: finished (no longer in the hot table), HELD, or not due within $3 seconds. A paused
-- till delays them to its probe. $1 accounts, $2 entry ids, $3 seconds. Reads only. Indexes: primary keys of entry and lane.
SELECT w.entry_id
FROM unnest($1::text[], $2::uuid[]) AS w(account_id, entry_id)
LEFT JOIN entry e ON e.account_id = w.account_id AND e.entry_id = w.entry_id
LEFT JOIN lane ON lane.account_id = w.account_id
WHERE e.entry_id IS NULL OR e.state <> 1 OR greatest(e.due_at, lane.till_probe_at) > now() + make_interval(secs => $3)

-- name: get_matches
-- Returns the current answers of orders. $1 account, $2 order ids. Reads only. Index: order_match primary key.
SELECT order_id, order_key, facts_hash, entry_id, state, outcome, cause, comment, notes, epos_customer_id, woo_customer_id,
  candidate_ids, update_time
FROM order_match WHERE account_id = $1 AND order_id = ANY ($2::bigint[])
