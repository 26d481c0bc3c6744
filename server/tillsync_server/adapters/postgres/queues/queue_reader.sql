-- name: list_by_states
-- Returns a page of the entries in any of the states of $3, newest first, by one index probe for each state. $3 is never NULL here: without
-- a state filter it has all states. The states are literals, so that the planner knows how many entries have each. For a rare state among
-- millions of entries it would otherwise read the primary key to the end.
-- Indexes: entry_by_state, entry_history_by_state.
-- $1 account, $2 queue; filters, NULL if not set: $3 states, $4 outcomes, $5 till customer, $6 shop customer, $7 order, $8 email, $9 text,
-- $10 created at or after, $11 created before; $12 and $13: entry ids from and below; $14 and $15: bounds of filed_at and $16 retentions,
-- which leave out weeks in each arm of one retention; $17 most rows, $18 with attempts. Takes no lock.
WITH filtered AS NOT MATERIALIZED (
  SELECT q.* FROM queue_entry q WHERE q.account_id = $1 AND q.queue = $2
    AND ($4::smallint[] IS NULL OR q.outcome = ANY ($4) OR q.cause = ANY ($4))
    AND ($5::bigint IS NULL OR q.epos_customer_id = $5 OR (q.kind = 1 AND q.subject_id = $5))
    AND ($6::bigint IS NULL OR q.woo_customer_id = $6)
    AND ($7::bigint IS NULL OR (q.kind = 3 AND q.subject_id = $7))
    AND ($8::text IS NULL OR q.account_email = $8 OR q.billing_email = $8)
    AND ($9::text IS NULL OR strpos(lower(concat_ws(E'\n', q.subject_label, q.order_number, q.comment, q.notes)), lower($9)) > 0)
    AND ($10::timestamptz IS NULL OR q.create_time >= $10)
    AND ($11::timestamptz IS NULL OR q.create_time < $11)
    AND q.entry_id >= $12 AND q.entry_id < $13 AND q.filed_at >= $14 AND q.filed_at < $15 AND q.retention = ANY ($16::smallint[]))
SELECT e.account_id, e.entry_id, e.kind, e.subject_id, e.state, e.priority, e.entry_revision, e.attempt_count, e.coalesced_count,
  e.outcome, e.cause, e.comment, e.notes, e.epos_customer_id, e.woo_customer_id, e.subject_label, e.account_email, e.billing_email,
  e.candidate_ids, e.facts, e.retried_from, e.create_time, e.update_time, e.due_at, e.finish_time,
  CASE WHEN $18::boolean THEN e.attempts END AS attempts
FROM (
  (SELECT q.* FROM filtered q
   WHERE 1 = ANY ($3::smallint[]) AND q.state = 1 AND q.retention = 0 ORDER BY q.entry_id DESC LIMIT $17)
  UNION ALL
  (SELECT q.* FROM filtered q
   WHERE 4 = ANY ($3::smallint[]) AND q.state = 4 AND q.retention = 0 ORDER BY q.entry_id DESC LIMIT $17)
  UNION ALL
  (SELECT q.* FROM filtered q
   WHERE 2 = ANY ($3::smallint[]) AND q.state = 2 AND q.retention = 1 ORDER BY q.entry_id DESC LIMIT $17)
  UNION ALL
  (SELECT q.* FROM filtered q
   WHERE 3 = ANY ($3::smallint[]) AND q.state = 3 AND q.retention = 1 ORDER BY q.entry_id DESC LIMIT $17)
  UNION ALL
  (SELECT q.* FROM filtered q
   WHERE 5 = ANY ($3::smallint[]) AND q.state = 5 AND q.retention = 2 ORDER BY q.entry_id DESC LIMIT $17)
  UNION ALL
  (SELECT q.* FROM filtered q
   WHERE 6 = ANY ($3::smallint[]) AND q.state = 6 AND q.retention = 2 ORDER BY q.entry_id DESC LIMIT $17)
) AS e
ORDER BY e.entry_id DESC LIMIT $17

-- name: list_by_outcome
-- Returns a page of the entries with one outcome, as outcome or as cause, newest first. For several outcomes ($4) it runs once for each. An
-- entry whose outcome is another one of $4 is left to that run. One outcome at a time, so that the planner knows how many entries have it.
-- For a rare outcome among millions of entries it would otherwise read the primary key to the end.
-- Indexes: entry_by_outcome, entry_by_cause, entry_history_by_outcome, entry_history_by_cause.
-- $1 account, $2 queue; filters, NULL if not set: $3 states, $4 outcomes, $5 till customer, $6 shop customer, $7 order, $8 email, $9 text,
-- $10 created at or after, $11 created before; $12 and $13: entry ids from and below; $14 and $15: bounds of filed_at and $16 retentions,
-- which leave out weeks in each arm of one retention; $17 most rows, $18 with attempts; $19 this outcome. Takes no lock.
WITH filtered AS NOT MATERIALIZED (
  SELECT q.* FROM queue_entry q WHERE q.account_id = $1 AND q.queue = $2
    AND ($3::smallint[] IS NULL OR q.state = ANY ($3))
    AND ($5::bigint IS NULL OR q.epos_customer_id = $5 OR (q.kind = 1 AND q.subject_id = $5))
    AND ($6::bigint IS NULL OR q.woo_customer_id = $6)
    AND ($7::bigint IS NULL OR (q.kind = 3 AND q.subject_id = $7))
    AND ($8::text IS NULL OR q.account_email = $8 OR q.billing_email = $8)
    AND ($9::text IS NULL OR strpos(lower(concat_ws(E'\n', q.subject_label, q.order_number, q.comment, q.notes)), lower($9)) > 0)
    AND ($10::timestamptz IS NULL OR q.create_time >= $10)
    AND ($11::timestamptz IS NULL OR q.create_time < $11)
    AND q.entry_id >= $12 AND q.entry_id < $13 AND q.filed_at >= $14 AND q.filed_at < $15 AND q.retention = ANY ($16::smallint[]))
SELECT e.account_id, e.entry_id, e.kind, e.subject_id, e.state, e.priority, e.entry_revision, e.attempt_count, e.coalesced_count,
  e.outcome, e.cause, e.comment, e.notes, e.epos_customer_id, e.woo_customer_id, e.subject_label, e.account_email, e.billing_email,
  e.candidate_ids, e.facts, e.retried_from, e.create_time, e.update_time, e.due_at, e.finish_time,
  CASE WHEN $18::boolean THEN e.attempts END AS attempts
FROM (
  (SELECT q.* FROM filtered q
   WHERE q.retention = 0 AND q.outcome = $19 ORDER BY q.entry_id DESC LIMIT $17)
  UNION ALL
  (SELECT q.* FROM filtered q
   WHERE q.retention = 1 AND q.outcome = $19 ORDER BY q.entry_id DESC LIMIT $17)
  UNION ALL
  (SELECT q.* FROM filtered q
   WHERE q.retention = 2 AND q.outcome = $19 ORDER BY q.entry_id DESC LIMIT $17)
  UNION ALL
  (SELECT q.* FROM filtered q
   WHERE q.retention = 0 AND q.cause = $19 AND q.outcome <> ALL ($4::smallint[]) ORDER BY q.entry_id DESC LIMIT $17)
  UNION ALL
  (SELECT q.* FROM filtered q
   WHERE q.retention = 1 AND q.cause = $19 AND q.outcome <> ALL ($4::smallint[]) ORDER BY q.entry_id DESC LIMIT $17)
  UNION ALL
  (SELECT q.* FROM filtered q
   WHERE q.retention = 2 AND q.cause = $19 AND q.outcome <> ALL ($4::smallint[]) ORDER BY q.entry_id DESC LIMIT $17)
) AS e
ORDER BY e.entry_id DESC LIMIT $17

-- name: list_by_order
-- Returns a page of one order's entries, newest first. Indexes: entry_live, entry_history_by_subject.
-- $1 account, $2 queue; filters, NULL if not set: $3 states, $4 outcomes, $5 till customer, $6 shop customer, $7 order, $8 email, $9 text,
-- $10 created at or after, $11 created before; $12 and $13: entry ids from and below; $14 and $15: bounds of filed_at and $16 retentions,
-- which leave out weeks in each arm of one retention; $17 most rows, $18 with attempts. Takes no lock.
WITH filtered AS NOT MATERIALIZED (
  SELECT q.* FROM queue_entry q WHERE q.account_id = $1 AND q.queue = $2
    AND ($3::smallint[] IS NULL OR q.state = ANY ($3))
    AND ($4::smallint[] IS NULL OR q.outcome = ANY ($4) OR q.cause = ANY ($4))
    AND ($5::bigint IS NULL OR q.epos_customer_id = $5 OR (q.kind = 1 AND q.subject_id = $5))
    AND ($6::bigint IS NULL OR q.woo_customer_id = $6)
    AND ($8::text IS NULL OR q.account_email = $8 OR q.billing_email = $8)
    AND ($9::text IS NULL OR strpos(lower(concat_ws(E'\n', q.subject_label, q.order_number, q.comment, q.notes)), lower($9)) > 0)
    AND ($10::timestamptz IS NULL OR q.create_time >= $10)
    AND ($11::timestamptz IS NULL OR q.create_time < $11)
    AND q.entry_id >= $12 AND q.entry_id < $13 AND q.filed_at >= $14 AND q.filed_at < $15 AND q.retention = ANY ($16::smallint[]))
SELECT e.account_id, e.entry_id, e.kind, e.subject_id, e.state, e.priority, e.entry_revision, e.attempt_count, e.coalesced_count,
  e.outcome, e.cause, e.comment, e.notes, e.epos_customer_id, e.woo_customer_id, e.subject_label, e.account_email, e.billing_email,
  e.candidate_ids, e.facts, e.retried_from, e.create_time, e.update_time, e.due_at, e.finish_time,
  CASE WHEN $18::boolean THEN e.attempts END AS attempts
FROM (
  (SELECT q.* FROM filtered q
   WHERE q.retention = 0 AND q.kind = 3 AND q.subject_id = $7 ORDER BY q.entry_id DESC LIMIT $17)
  UNION ALL
  (SELECT q.* FROM filtered q
   WHERE q.retention = 1 AND q.kind = 3 AND q.subject_id = $7 ORDER BY q.entry_id DESC LIMIT $17)
  UNION ALL
  (SELECT q.* FROM filtered q
   WHERE q.retention = 2 AND q.kind = 3 AND q.subject_id = $7 ORDER BY q.entry_id DESC LIMIT $17)
) AS e
ORDER BY e.entry_id DESC LIMIT $17

-- name: list_by_epos_customer
-- Returns a page of one till customer's entries, newest first. An entry of the Customers Queue has its customer as subject from the start,
-- in epos_customer_id perhaps only after a run.
-- Indexes: entry_by_epos_customer, entry_live, entry_history_by_epos_customer and _by_subject.
-- $1 account, $2 queue; filters, NULL if not set: $3 states, $4 outcomes, $5 till customer, $6 shop customer, $7 order, $8 email, $9 text,
-- $10 created at or after, $11 created before; $12 and $13: entry ids from and below; $14 and $15: bounds of filed_at and $16 retentions,
-- which leave out weeks in each arm of one retention; $17 most rows, $18 with attempts. Takes no lock.
WITH filtered AS NOT MATERIALIZED (
  SELECT q.* FROM queue_entry q WHERE q.account_id = $1 AND q.queue = $2
    AND ($3::smallint[] IS NULL OR q.state = ANY ($3))
    AND ($4::smallint[] IS NULL OR q.outcome = ANY ($4) OR q.cause = ANY ($4))
    AND ($6::bigint IS NULL OR q.woo_customer_id = $6)
    AND ($7::bigint IS NULL OR (q.kind = 3 AND q.subject_id = $7))
    AND ($8::text IS NULL OR q.account_email = $8 OR q.billing_email = $8)
    AND ($9::text IS NULL OR strpos(lower(concat_ws(E'\n', q.subject_label, q.order_number, q.comment, q.notes)), lower($9)) > 0)
    AND ($10::timestamptz IS NULL OR q.create_time >= $10)
    AND ($11::timestamptz IS NULL OR q.create_time < $11)
    AND q.entry_id >= $12 AND q.entry_id < $13 AND q.filed_at >= $14 AND q.filed_at < $15 AND q.retention = ANY ($16::smallint[]))
SELECT e.account_id, e.entry_id, e.kind, e.subject_id, e.state, e.priority, e.entry_revision, e.attempt_count, e.coalesced_count,
  e.outcome, e.cause, e.comment, e.notes, e.epos_customer_id, e.woo_customer_id, e.subject_label, e.account_email, e.billing_email,
  e.candidate_ids, e.facts, e.retried_from, e.create_time, e.update_time, e.due_at, e.finish_time,
  CASE WHEN $18::boolean THEN e.attempts END AS attempts
FROM (
  (SELECT q.* FROM filtered q
   WHERE q.retention = 0 AND q.epos_customer_id = $5 ORDER BY q.entry_id DESC LIMIT $17)
  UNION ALL
  (SELECT q.* FROM filtered q
   WHERE q.retention = 1 AND q.epos_customer_id = $5 ORDER BY q.entry_id DESC LIMIT $17)
  UNION ALL
  (SELECT q.* FROM filtered q
   WHERE q.retention = 2 AND q.epos_customer_id = $5 ORDER BY q.entry_id DESC LIMIT $17)
  UNION ALL
  (SELECT q.* FROM filtered q
   WHERE q.retention = 0 AND q.kind = 1 AND q.subject_id = $5 AND q.epos_customer_id IS DISTINCT FROM $5 ORDER BY q.entry_id DESC LIMIT $17)
  UNION ALL
  (SELECT q.* FROM filtered q
   WHERE q.retention = 1 AND q.kind = 1 AND q.subject_id = $5 AND q.epos_customer_id IS DISTINCT FROM $5 ORDER BY q.entry_id DESC LIMIT $17)
  UNION ALL
  (SELECT q.* FROM filtered q
   WHERE q.retention = 2 AND q.kind = 1 AND q.subject_id = $5 AND q.epos_customer_id IS DISTINCT FROM $5 ORDER BY q.entry_id DESC LIMIT $17)
) AS e
ORDER BY e.entry_id DESC LIMIT $17

-- name: list_by_woo_customer
-- Returns a page of one shop customer's entries, newest first. Indexes: entry_by_woo_customer, entry_history_by_woo_customer.
-- $1 account, $2 queue; filters, NULL if not set: $3 states, $4 outcomes, $5 till customer, $6 shop customer, $7 order, $8 email, $9 text,
-- $10 created at or after, $11 created before; $12 and $13: entry ids from and below; $14 and $15: bounds of filed_at and $16 retentions,
-- which leave out weeks in each arm of one retention; $17 most rows, $18 with attempts. Takes no lock.
WITH filtered AS NOT MATERIALIZED (
  SELECT q.* FROM queue_entry q WHERE q.account_id = $1 AND q.queue = $2
    AND ($3::smallint[] IS NULL OR q.state = ANY ($3))
    AND ($4::smallint[] IS NULL OR q.outcome = ANY ($4) OR q.cause = ANY ($4))
    AND ($5::bigint IS NULL OR q.epos_customer_id = $5 OR (q.kind = 1 AND q.subject_id = $5))
    AND ($7::bigint IS NULL OR (q.kind = 3 AND q.subject_id = $7))
    AND ($8::text IS NULL OR q.account_email = $8 OR q.billing_email = $8)
    AND ($9::text IS NULL OR strpos(lower(concat_ws(E'\n', q.subject_label, q.order_number, q.comment, q.notes)), lower($9)) > 0)
    AND ($10::timestamptz IS NULL OR q.create_time >= $10)
    AND ($11::timestamptz IS NULL OR q.create_time < $11)
    AND q.entry_id >= $12 AND q.entry_id < $13 AND q.filed_at >= $14 AND q.filed_at < $15 AND q.retention = ANY ($16::smallint[]))
SELECT e.account_id, e.entry_id, e.kind, e.subject_id, e.state, e.priority, e.entry_revision, e.attempt_count, e.coalesced_count,
  e.outcome, e.cause, e.comment, e.notes, e.epos_customer_id, e.woo_customer_id, e.subject_label, e.account_email, e.billing_email,
  e.candidate_ids, e.facts, e.retried_from, e.create_time, e.update_time, e.due_at, e.finish_time,
  CASE WHEN $18::boolean THEN e.attempts END AS attempts
FROM (
  (SELECT q.* FROM filtered q
   WHERE q.retention = 0 AND q.woo_customer_id = $6 ORDER BY q.entry_id DESC LIMIT $17)
  UNION ALL
  (SELECT q.* FROM filtered q
   WHERE q.retention = 1 AND q.woo_customer_id = $6 ORDER BY q.entry_id DESC LIMIT $17)
  UNION ALL
  (SELECT q.* FROM filtered q
   WHERE q.retention = 2 AND q.woo_customer_id = $6 ORDER BY q.entry_id DESC LIMIT $17)
) AS e
ORDER BY e.entry_id DESC LIMIT $17

-- name: list_by_email
-- Returns a page of the entries with one normalised email, newest first. Indexes: entry_by_account_email, entry_by_billing_email,
-- entry_history_by_account_email, entry_history_by_billing_email.
-- $1 account, $2 queue; filters, NULL if not set: $3 states, $4 outcomes, $5 till customer, $6 shop customer, $7 order, $8 email, $9 text,
-- $10 created at or after, $11 created before; $12 and $13: entry ids from and below; $14 and $15: bounds of filed_at and $16 retentions,
-- which leave out weeks in each arm of one retention; $17 most rows, $18 with attempts. Takes no lock.
WITH filtered AS NOT MATERIALIZED (
  SELECT q.* FROM queue_entry q WHERE q.account_id = $1 AND q.queue = $2
    AND ($3::smallint[] IS NULL OR q.state = ANY ($3))
    AND ($4::smallint[] IS NULL OR q.outcome = ANY ($4) OR q.cause = ANY ($4))
    AND ($5::bigint IS NULL OR q.epos_customer_id = $5 OR (q.kind = 1 AND q.subject_id = $5))
    AND ($6::bigint IS NULL OR q.woo_customer_id = $6)
    AND ($7::bigint IS NULL OR (q.kind = 3 AND q.subject_id = $7))
    AND ($9::text IS NULL OR strpos(lower(concat_ws(E'\n', q.subject_label, q.order_number, q.comment, q.notes)), lower($9)) > 0)
    AND ($10::timestamptz IS NULL OR q.create_time >= $10)
    AND ($11::timestamptz IS NULL OR q.create_time < $11)
    AND q.entry_id >= $12 AND q.entry_id < $13 AND q.filed_at >= $14 AND q.filed_at < $15 AND q.retention = ANY ($16::smallint[]))
SELECT e.account_id, e.entry_id, e.kind, e.subject_id, e.state, e.priority, e.entry_revision, e.attempt_count, e.coalesced_count,
  e.outcome, e.cause, e.comment, e.notes, e.epos_customer_id, e.woo_customer_id, e.subject_label, e.account_email, e.billing_email,
  e.candidate_ids, e.facts, e.retried_from, e.create_time, e.update_time, e.due_at, e.finish_time,
  CASE WHEN $18::boolean THEN e.attempts END AS attempts
FROM (
  (SELECT q.* FROM filtered q
   WHERE q.retention = 0 AND q.account_email = $8 ORDER BY q.entry_id DESC LIMIT $17)
  UNION ALL
  (SELECT q.* FROM filtered q
   WHERE q.retention = 1 AND q.account_email = $8 ORDER BY q.entry_id DESC LIMIT $17)
  UNION ALL
  (SELECT q.* FROM filtered q
   WHERE q.retention = 2 AND q.account_email = $8 ORDER BY q.entry_id DESC LIMIT $17)
  UNION ALL
  (SELECT q.* FROM filtered q
   WHERE q.retention = 0 AND q.billing_email = $8 AND q.account_email IS DISTINCT FROM $8 ORDER BY q.entry_id DESC LIMIT $17)
  UNION ALL
  (SELECT q.* FROM filtered q
   WHERE q.retention = 1 AND q.billing_email = $8 AND q.account_email IS DISTINCT FROM $8 ORDER BY q.entry_id DESC LIMIT $17)
  UNION ALL
  (SELECT q.* FROM filtered q
   WHERE q.retention = 2 AND q.billing_email = $8 AND q.account_email IS DISTINCT FROM $8 ORDER BY q.entry_id DESC LIMIT $17)
) AS e
ORDER BY e.entry_id DESC LIMIT $17

-- name: list_by_text
-- Returns a page of the entries that contain a text, newest first. It searches the account's newest $20 entries of the time window ($12 to
-- $19). The inner LIMIT stops the planner from reading further. Indexes: entry_pkey, entry_history_pkey.
-- $1 account, $2 queue; filters, NULL if not set: $3 states, $4 outcomes, $5 till customer, $6 shop customer, $7 order, $8 email, $9 text,
-- $10 created at or after, $11 created before; $12 and $13: entry ids from and below; $14 and $15: bounds of filed_at and $16 retentions,
-- which leave out weeks in each arm of one retention; $17 most rows, $18 with attempts. Takes no lock.
WITH newest AS NOT MATERIALIZED (
  SELECT q.* FROM queue_entry q WHERE q.account_id = $1 AND q.entry_id >= $12 AND q.entry_id < $19
    AND q.filed_at >= $14 AND q.filed_at < $15)
SELECT e.account_id, e.entry_id, e.kind, e.subject_id, e.state, e.priority, e.entry_revision, e.attempt_count, e.coalesced_count,
  e.outcome, e.cause, e.comment, e.notes, e.epos_customer_id, e.woo_customer_id, e.subject_label, e.account_email, e.billing_email,
  e.candidate_ids, e.facts, e.retried_from, e.create_time, e.update_time, e.due_at, e.finish_time,
  CASE WHEN $18::boolean THEN e.attempts END AS attempts
FROM (
  (SELECT q.* FROM newest q WHERE q.retention = 0 ORDER BY q.entry_id DESC LIMIT $20)
  UNION ALL
  (SELECT q.* FROM newest q WHERE q.retention = 1 ORDER BY q.entry_id DESC LIMIT $20)
  UNION ALL
  (SELECT q.* FROM newest q WHERE q.retention = 2 ORDER BY q.entry_id DESC LIMIT $20)
  ORDER BY entry_id DESC LIMIT $20
) AS e
WHERE e.queue = $2
  AND ($3::smallint[] IS NULL OR e.state = ANY ($3))
  AND ($4::smallint[] IS NULL OR e.outcome = ANY ($4) OR e.cause = ANY ($4))
  AND ($5::bigint IS NULL OR e.epos_customer_id = $5 OR (e.kind = 1 AND e.subject_id = $5))
  AND ($6::bigint IS NULL OR e.woo_customer_id = $6)
  AND ($7::bigint IS NULL OR (e.kind = 3 AND e.subject_id = $7))
  AND ($8::text IS NULL OR e.account_email = $8 OR e.billing_email = $8)
  AND ($9::text IS NULL OR strpos(lower(concat_ws(E'\n', e.subject_label, e.order_number, e.comment, e.notes)), lower($9)) > 0)
  AND ($10::timestamptz IS NULL OR e.create_time >= $10)
  AND ($11::timestamptz IS NULL OR e.create_time < $11)
  AND e.entry_id < $13 AND e.retention = ANY ($16::smallint[])
ORDER BY e.entry_id DESC LIMIT $17

-- name: get
-- Returns entries by id. $1 account, $2 entry ids, $3 and $4 bounds of filed_at (they leave out partitions), $5 with attempts.
-- Indexes: entry_pkey, entry_history_pkey. Takes no lock.
WITH wanted AS NOT MATERIALIZED (
  SELECT q.* FROM queue_entry q WHERE q.account_id = $1 AND q.entry_id = ANY ($2::uuid[]) AND q.filed_at >= $3 AND q.filed_at < $4)
SELECT e.account_id, e.entry_id, e.kind, e.subject_id, e.state, e.priority, e.entry_revision, e.attempt_count, e.coalesced_count,
  e.outcome, e.cause, e.comment, e.notes, e.epos_customer_id, e.woo_customer_id, e.subject_label, e.account_email, e.billing_email,
  e.candidate_ids, e.facts, e.retried_from, e.create_time, e.update_time, e.due_at, e.finish_time,
  CASE WHEN $5::boolean THEN e.attempts END AS attempts
FROM (
  SELECT q.* FROM wanted q WHERE q.retention = 0 UNION ALL SELECT q.* FROM wanted q WHERE q.retention = 1
  UNION ALL SELECT q.* FROM wanted q WHERE q.retention = 2) AS e

-- name: of_subject
-- Returns the newest entries of one subject. $1 account, $2 kind, $3 subject, $4 most rows, $5 with attempts.
-- Indexes: entry_live, entry_history_by_subject. Takes no lock.
SELECT e.account_id, e.entry_id, e.kind, e.subject_id, e.state, e.priority, e.entry_revision, e.attempt_count, e.coalesced_count,
  e.outcome, e.cause, e.comment, e.notes, e.epos_customer_id, e.woo_customer_id, e.subject_label, e.account_email, e.billing_email,
  e.candidate_ids, e.facts, e.retried_from, e.create_time, e.update_time, e.due_at, e.finish_time,
  CASE WHEN $5::boolean THEN e.attempts END AS attempts
FROM queue_entry e
WHERE e.account_id = $1 AND e.kind = $2 AND e.subject_id = $3
ORDER BY e.entry_id DESC LIMIT $4

-- name: lane_status
-- Returns the open problems and probe times of an account's sides, and the database's time. $1 account. Indexes: primary keys of lane and
-- account_side. Takes no lock.
SELECT till_probe_at, till_reason, till_text, till_since, till_entry_id, shop_probe_at, shop_reason, shop_text, shop_since, shop_entry_id,
  now() AS at
FROM account_state WHERE account_id = $1

-- name: state_counts
-- Returns how many entries of a queue are in each state. Counting stops at $3. $1 account, $2 queue, $3 cap.
-- Indexes: entry_by_state, entry_history_by_state. Takes no lock.
SELECT s.state, (SELECT count(*) FROM (SELECT FROM queue_entry q WHERE q.account_id = $1 AND q.queue = $2 AND q.state = s.state
  LIMIT $3) AS counted) AS entries
FROM unnest('{1,2,3,4,5,6}'::smallint[]) AS s(state)

-- name: waiting
-- Returns how many entries of an account are PENDING; no row for an unknown account. Counting stops at $2. $1 account, $2 cap.
-- Index: entry_due_by_queue. Takes no lock.
SELECT (SELECT count(*) FROM (SELECT FROM entry e WHERE e.account_id = lane.account_id AND e.state = 1 LIMIT $2) AS counted) AS entries
FROM lane WHERE lane.account_id = $1
