-- name: held_of_guest
-- Returns held orders of guests with one billing email, in order of arrival. $1 account, $2 forms of the email, $3 an entry to leave out
-- (or NULL), $4 limit, $5 an outcome to leave out (or NULL). Index: entry_by_billing_email or entry_by_state.
SELECT entry_id, facts ->> 'billing_email' AS raw_email FROM entry
WHERE account_id = $1 AND billing_email = ANY ($2::text[]) AND queue = 2 AND state = 4 AND woo_customer_id IS NULL
  AND entry_id IS DISTINCT FROM $3::uuid AND outcome IS DISTINCT FROM $5::smallint
ORDER BY entry_id LIMIT $4

-- name: held_because_of
-- Returns held orders that rest on these customers, in order of arrival: orders of the shop customers, and orders with one of the till
-- customers as candidate or as customer. $1 account, $2 till and $3 shop customers, $4 an entry to leave out (or NULL), $5 limit.
-- Indexes: entry_held_by_candidate, entry_by_epos_customer, entry_by_woo_customer.
SELECT entry_id FROM (
  SELECT entry_id FROM entry WHERE account_id = $1 AND state = 4 AND candidate_ids && $2::bigint[]
  UNION
  SELECT entry_id FROM entry WHERE account_id = $1 AND queue = 2 AND state = 4 AND epos_customer_id = ANY ($2::bigint[])
  UNION
  SELECT entry_id FROM entry WHERE account_id = $1 AND queue = 2 AND state = 4 AND woo_customer_id = ANY ($3::bigint[])
) AS held
WHERE entry_id IS DISTINCT FROM $4::uuid
ORDER BY entry_id LIMIT $5

-- name: held_with_candidate
-- Returns held orders that the changed email of a till customer decides differently, in order of arrival. $1 account, $2 the till customer,
-- $3 forms of its present email, $4 the addresses in its present email, $5 whether the orders wait for another reason than the email, $6
-- the outcome "several customers have this email", $7 limit. An order with several customers of one email is returned if this customer no
-- longer has the email. An order with a candidate of another spelling is returned if the candidate now has the email or no longer resembles
-- it. Index: entry_held_by_candidate.
SELECT entry_id FROM entry
WHERE account_id = $1 AND state = 4 AND candidate_ids && ARRAY[$2::bigint]
  AND CASE WHEN $6::smallint IN (outcome, coalesce(cause, outcome)) THEN
      NOT (coalesce(account_email, '') = ANY ($3::text[]) OR coalesce(billing_email, '') = ANY ($3::text[]))
    ELSE
      (NOT $5::boolean AND (account_email = ANY ($3::text[]) OR billing_email = ANY ($3::text[])) IS TRUE)
      OR NOT (coalesce(account_email, '') = ANY ($4::text[]) OR coalesce(billing_email, '') = ANY ($4::text[]))
    END
ORDER BY entry_id LIMIT $7

-- name: requeue_orders
-- Requeues held orders with fresh attempts. All become due at one time, so they run in order of arrival. Their answers are PENDING again.
-- $1 account, $2 entries, $3 the database's time, $4 the till customer a person chose for them (or NULL). Returns how many.
-- Under the lane's lock. Indexes: entry primary key, order_match primary key.
WITH requeued AS (
  UPDATE entry SET state = 1, due_at = greatest($3, not_before), priority = 1, attempt_count = 0, entry_revision = entry_revision + 1,
    chosen_epos_customer_id = coalesce($4::bigint, chosen_epos_customer_id), update_time = $3
  WHERE account_id = $1 AND entry_id = ANY ($2::uuid[]) AND state = 4
  RETURNING entry_id, subject_id),
answers AS (
  UPDATE order_match m SET state = 1, update_time = $3 FROM requeued
  WHERE m.account_id = $1 AND m.order_id = requeued.subject_id AND m.entry_id = requeued.entry_id)
SELECT count(*) FROM requeued

-- name: write_requeue_of_held_orders
-- Asks for the requeue of all held orders of an account, in chunks, when there are more than one transaction may requeue.
-- $1 account, $2 the database's time. Under the lane's lock. Index: requeue primary key.
INSERT INTO requeue (account_id, what, create_time) VALUES ($1, 3, $2)
ON CONFLICT (account_id, what) DO UPDATE SET after_id = 0, after_entry_id = NULL, create_time = excluded.create_time

-- name: live_entry
-- Returns a live entry that a person decides about. $1 account, $2 entry. Under the lane's lock. Index: entry primary key.
SELECT entry_id, kind, state, subject_id, epos_customer_id, chosen_epos_customer_id, retried_from,
  coalesce(facts ->> 'billing_email', billing_email) AS billing_email,
  (facts ->> 'woo_customer_id')::bigint AS woo_customer_id,
  (facts ->> 'woo_registered_at')::timestamptz AS woo_registered_at, facts IS NOT NULL AS has_facts
FROM entry WHERE account_id = $1 AND entry_id = $2

-- name: finished_entry
-- Returns a finished entry that a person decides about, and its order's current entry. $1 account, $2 entry.
-- Indexes: entry_history_pkey, order_match primary key.
SELECT h.entry_id, h.kind, h.state, h.subject_id, h.epos_customer_id, h.retried_from,
  coalesce(h.facts ->> 'billing_email', h.billing_email) AS billing_email,
  (h.facts ->> 'woo_customer_id')::bigint AS woo_customer_id,
  (h.facts ->> 'woo_registered_at')::timestamptz AS woo_registered_at,
  h.facts IS NOT NULL AS has_facts, m.entry_id IS NOT DISTINCT FROM h.entry_id AS is_current,
  m.entry_id AS current_entry_id
FROM entry_history h LEFT JOIN order_match m ON m.account_id = h.account_id AND m.order_id = h.subject_id
WHERE h.account_id = $1 AND h.entry_id = $2

-- name: requeue_failed_order
-- Gives a failed order a successor with the same facts, due now, and makes it the current entry of its order_match. $1 account, $2 the
-- failed entry, $3 the new entry, $4 the till customer a person chose (or NULL), $5 the database's time. No row: the entry is not failed,
-- or is not the order's current entry. Under the lane's lock. Indexes: entry_history_pkey, order_match primary key, entry_live.
WITH failed AS MATERIALIZED (
  SELECT h.subject_id, h.order_number, h.subject_label, h.account_email, h.billing_email, h.facts, h.entry_id, h.candidate_ids
  FROM entry_history h WHERE h.account_id = $1 AND h.queue = 2 AND h.state = 5 AND h.entry_id = $2 AND h.facts IS NOT NULL),
named AS (
  UPDATE order_match m SET entry_id = $3, state = 1, update_time = $5 FROM failed
  WHERE m.account_id = $1 AND m.order_id = failed.subject_id AND m.entry_id = failed.entry_id
  RETURNING m.order_id)
INSERT INTO entry (account_id, entry_id, queue, kind, subject_id, priority, due_at, order_number, subject_label, account_email,
  billing_email, woo_customer_id, candidate_ids, chosen_epos_customer_id, facts, retried_from, create_time, update_time)
SELECT $1, $3, 2, 3, f.subject_id, 1, $5, f.order_number, f.subject_label, f.account_email, f.billing_email,
  (f.facts ->> 'woo_customer_id')::bigint, f.candidate_ids, $4::bigint, f.facts, f.entry_id, $5, $5
FROM failed f JOIN named ON named.order_id = f.subject_id
RETURNING entry_id

-- name: note_answers
-- Adds a note to the newest answers with these till customers, unless they have it. $1 account, $2 till customers, $3 the note, $4 the
-- database's time, $5 limit, $6 the shop customer of the orders (NULL: all orders). Returns the orders. Under the lane's lock.
-- Index: order_match_by_epos_customer.
UPDATE order_match m SET notes = CASE WHEN m.notes = '' THEN $3::text ELSE m.notes || E'\n' || $3::text END, update_time = $4
FROM (SELECT order_id FROM order_match WHERE account_id = $1 AND epos_customer_id = ANY ($2::bigint[]) AND state = 2
        AND ($6::bigint IS NULL OR woo_customer_id = $6::bigint)
      ORDER BY order_id DESC LIMIT $5) AS answered
WHERE m.account_id = $1 AND m.order_id = answered.order_id AND strpos(m.notes, $3::text) = 0
RETURNING m.order_id
