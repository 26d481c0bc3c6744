-- name: pending
-- Returns the pending restore, at most one row. Takes no lock. Index: restore primary key.
SELECT restored_at, since FROM restore

-- name: begin
-- Stores a restore with the present time. A pending one stays as it is, but for a time of the backup that was not known. $1 time of the
-- backup, or NULL. Index: restore primary key.
INSERT INTO restore AS r (restored_at, since) VALUES (now(), $1)
ON CONFLICT (only_row) DO UPDATE SET since = coalesce(r.since, excluded.since)
RETURNING restored_at, since

-- name: replace
-- Stores the restore of a backup file in place of a pending one that the backup had. $1 time of the backup. Index: restore primary key.
INSERT INTO restore (restored_at, since) VALUES (now(), $1)
ON CONFLICT (only_row) DO UPDATE SET restored_at = excluded.restored_at, since = excluded.since

-- name: mark_tills
-- Stores the time of the restore with every till. $1 that time. Locks: the tills' rows. Reads the whole table, which has a row per till.
UPDATE till SET restored_at = $1 WHERE restored_at IS DISTINCT FROM $1

-- name: forget_tills
-- Deletes what is known of the tills. Locks: all rows of the table, which has a few rows per till.
DELETE FROM till_knowledge

-- name: done_accounts
-- Returns the accounts that are completed. Takes no lock. Reads the whole table.
SELECT account_id FROM restored_account

-- name: complete
-- Stores that an account is completed. $1 account. Index: restored_account primary key.
INSERT INTO restored_account (account_id, done_at) VALUES ($1, now()) ON CONFLICT (account_id) DO UPDATE SET done_at = excluded.done_at

-- name: forget_accounts
-- Deletes all completed accounts, at the beginning of a restore and at its end. Locks: all rows.
DELETE FROM restored_account

-- name: end
-- Ends the pending restore. No row: there is none. Index: restore primary key.
DELETE FROM restore RETURNING true

-- name: keep_answers
-- Stores final answers that the shop has, and ends the live entries of these orders. The shop needs no event of them. A later event of an
-- order gets a higher sequence than every former one, because a sequence becomes the time in microseconds. $1 account, $2 the database's
-- time; columns: $3 order ids (each once), $4 order keys, $5 entry ids, $6 states, $7 outcomes, $8 causes, $9 comments, $10 notes, $11 till
-- and $12 shop customers, $13 account and $14 billing emails (normalised), $15 order numbers, $16 labels, $17 times of the entries. The
-- facts are unknown: their hash is empty, which equals none. Under the lane's lock. Indexes: entry_live, primary keys of order_match and
-- order_event.
WITH o AS MATERIALIZED (
  SELECT * FROM unnest($3::bigint[], $4::text[], $5::uuid[], $6::smallint[], $7::smallint[], $8::smallint[], $9::text[], $10::text[],
    $11::bigint[], $12::bigint[], $13::text[], $14::text[], $15::text[], $16::text[], $17::timestamptz[])
    AS t(order_id, order_key, entry_id, state, outcome, cause, comment, notes, epos_customer_id, woo_customer_id, account_email,
      billing_email, order_number, label, create_time)),
ended AS (
  DELETE FROM entry e USING o WHERE e.account_id = $1 AND e.kind = 3 AND e.subject_id = o.order_id),
history AS (
  INSERT INTO entry_history (account_id, entry_id, queue, kind, subject_id, state, priority, force, entry_revision, attempt_count,
    coalesced_count, outcome, cause, comment, notes, epos_customer_id, woo_customer_id, order_number, subject_label, account_email,
    billing_email, candidate_ids, facts, attempts, retried_from, create_time, update_time, finish_time, retention)
  SELECT $1, o.entry_id, 2, 3, o.order_id, o.state, 1, false, 1, 0, 0, o.outcome, o.cause, o.comment, o.notes, o.epos_customer_id,
    o.woo_customer_id, o.order_number, o.label, o.account_email, o.billing_email, NULL, NULL, '[]', NULL, o.create_time, $2, $2,
    CASE WHEN o.state IN (2, 3) THEN 1 ELSE 2 END
  FROM o),
events AS (
  INSERT INTO order_event AS v (account_id, order_id, sequence, delivered, type, entry_id, state, outcome, event_time)
  SELECT $1, o.order_id, (extract(epoch FROM $2::timestamptz) * 1000000)::bigint, (extract(epoch FROM $2::timestamptz) * 1000000)::bigint, 1,
    o.entry_id, o.state, o.outcome, $2
  FROM o ORDER BY o.order_id
  ON CONFLICT (account_id, order_id) DO UPDATE SET sequence = greatest(v.sequence, excluded.sequence),
    delivered = greatest(v.sequence, excluded.sequence), type = excluded.type, entry_id = excluded.entry_id, state = excluded.state,
    outcome = excluded.outcome, event_time = excluded.event_time)
INSERT INTO order_match AS m (account_id, order_id, order_key, facts_hash, entry_id, state, outcome, cause, comment, notes,
  epos_customer_id, woo_customer_id, account_email, billing_email, create_time, update_time)
SELECT $1, order_id, order_key, '', entry_id, state, outcome, cause, comment, notes, epos_customer_id, woo_customer_id, account_email,
  billing_email, create_time, $2
FROM o
ON CONFLICT (account_id, order_id) DO UPDATE SET order_key = excluded.order_key, facts_hash = excluded.facts_hash,
  entry_id = excluded.entry_id, state = excluded.state, outcome = excluded.outcome, cause = excluded.cause, comment = excluded.comment,
  notes = excluded.notes, epos_customer_id = excluded.epos_customer_id, woo_customer_id = excluded.woo_customer_id,
  account_email = excluded.account_email, billing_email = excluded.billing_email, candidate_ids = NULL, update_time = excluded.update_time

-- name: keep_creates
-- Stores the intents of customers that were created after the backup, so that the next order of the email finds the customer by its id. $1
-- account, $2 the database's time; columns: $3 normalised emails, $4 till customers. An intent that is done stays. Under the lane's lock.
-- Locks: the intents, in the order of their emails. Indexes: primary keys of account and intent. Citus accepts the account only in a WITH.
WITH t AS MATERIALIZED (
  SELECT DISTINCT ON (t.email) a.till_id, t.email, t.epos_customer_id
  FROM account a CROSS JOIN unnest($3::text[], $4::bigint[]) AS t(email, epos_customer_id)
  WHERE a.account_id = $1 ORDER BY t.email)
INSERT INTO intent AS i (till_id, email, state, account_id, owner, epos_customer_id, settled_at, create_time)
SELECT till_id, email, 3, $1, 'after-restore', epos_customer_id, $2::timestamptz + interval '1 hour', $2 FROM t ORDER BY email
ON CONFLICT (till_id, email) DO UPDATE SET state = 3, account_id = excluded.account_id, owner = excluded.owner,
  epos_customer_id = excluded.epos_customer_id, settled_at = excluded.settled_at, create_time = excluded.create_time
WHERE i.state <> 3

-- name: ask_again
-- Records an event of orders that the database lacks. It makes the shop ask for them, learn that they are unknown, and send them again. $1
-- account, $2 orders (each once), $3 the database's time. Under the lane's lock. Index: order_event primary key.
INSERT INTO order_event AS v (account_id, order_id, sequence, type, entry_id, state, outcome, event_time)
SELECT $1, order_id, (extract(epoch FROM $3::timestamptz) * 1000000)::bigint, 3, NULL, 1, NULL, $3
FROM unnest($2::bigint[]) AS t(order_id) ORDER BY order_id
ON CONFLICT (account_id, order_id) DO UPDATE SET sequence = greatest(v.sequence + 1, excluded.sequence), type = excluded.type,
  entry_id = NULL, state = excluded.state, outcome = NULL, event_time = excluded.event_time

-- name: raise_sequences
-- Raises the sequences of orders above those that the shop may hold, also of an order whose first event is lost. An event that waits goes
-- on waiting; no other is sent. $1 account, $2 orders (each once), $3 the database's time. Under the lane's lock. Indexes: primary keys of
-- order_match and order_event. Citus accepts the orders only in a WITH.
WITH m AS MATERIALIZED (
  SELECT order_id, state, entry_id, outcome FROM order_match WHERE account_id = $1 AND order_id = ANY ($2::bigint[]))
INSERT INTO order_event AS v (account_id, order_id, sequence, delivered, type, entry_id, state, outcome, event_time)
SELECT $1, m.order_id, t.sequence, t.sequence, CASE m.state WHEN 4 THEN 2 WHEN 1 THEN 3 ELSE 1 END, m.entry_id, m.state, m.outcome, $3
FROM m CROSS JOIN (SELECT (extract(epoch FROM $3::timestamptz) * 1000000)::bigint AS sequence) AS t
ORDER BY m.order_id
ON CONFLICT (account_id, order_id) DO UPDATE SET sequence = greatest(v.sequence, excluded.sequence),
  delivered = CASE WHEN v.sequence > v.delivered THEN v.delivered ELSE greatest(v.sequence, excluded.sequence) END

-- name: clear_link_hashes
-- Forgets which values the shop holds of linked customers. $1 account. Under the lane's lock. Index: the account's part of the link primary
-- key.
UPDATE link SET content_hash = NULL WHERE account_id = $1 AND content_hash IS NOT NULL

-- name: syncs_customers
-- Returns whether an account's customer sync is switched on. $1 account. Under the lane's lock. Index: account primary key.
SELECT customer_sync_enabled FROM account WHERE account_id = $1

-- name: unknown_types
-- Returns those of the types that the database does not know. $1 account, $2 types. Under the lane's lock. Index: customer_type primary key.
SELECT t.id FROM unnest($2::bigint[]) AS t(id)
WHERE NOT EXISTS (SELECT FROM customer_type c WHERE c.account_id = $1 AND c.epos_customer_type_id = t.id) ORDER BY t.id
