-- name: named_with
-- Returns the customers in the records with an email. $1 account, $2 forms of the email, $3 most of each kind. If another account email
-- decided an order, its till customer is left out and its shop customer is returned separately (billed). The till customer of an order that
-- went to the default customer (outcome 14) is left out. Takes no lock. Indexes: order_match_by_…, entry_by_… and entry_history_by_… of
-- account_email and billing_email, intent_by_account.
WITH found AS MATERIALIZED (
  SELECT woo_customer_id, epos_customer_id, candidate_ids, outcome, true AS is_own
  FROM order_match WHERE account_id = $1 AND account_email = ANY ($2::text[])
  UNION ALL SELECT woo_customer_id, epos_customer_id, candidate_ids, outcome, true
  FROM queue_entry WHERE account_id = $1 AND account_email = ANY ($2::text[])
  UNION ALL SELECT woo_customer_id, epos_customer_id, candidate_ids, outcome, account_email IS NULL
  FROM order_match WHERE account_id = $1 AND billing_email = ANY ($2::text[])
    AND (account_email IS NULL OR account_email <> ALL ($2::text[]))
  UNION ALL SELECT woo_customer_id, epos_customer_id, candidate_ids, outcome, account_email IS NULL
  FROM queue_entry WHERE account_id = $1 AND billing_email = ANY ($2::text[])
    AND (account_email IS NULL OR account_email <> ALL ($2::text[])))
SELECT
  ARRAY(
    SELECT epos_customer_id FROM found WHERE is_own AND epos_customer_id IS NOT NULL AND outcome IS DISTINCT FROM 14
    UNION SELECT candidate FROM found CROSS JOIN LATERAL unnest(candidate_ids) AS candidate WHERE is_own
    UNION SELECT epos_customer_id FROM intent WHERE account_id = $1 AND email = ANY ($2::text[]) AND epos_customer_id IS NOT NULL
    ORDER BY 1 LIMIT $3) AS epos,
  ARRAY(SELECT DISTINCT woo_customer_id FROM found WHERE is_own AND woo_customer_id IS NOT NULL ORDER BY 1 LIMIT $3) AS woo,
  ARRAY(SELECT DISTINCT woo_customer_id FROM found WHERE NOT is_own AND woo_customer_id IS NOT NULL ORDER BY 1 LIMIT $3) AS billed

-- name: joined
-- Returns the links of any of these customers. $1 account, $2 till and $3 shop customers. Takes no lock. Indexes: link primary key,
-- link_account_id_woo_customer_id_key.
SELECT epos_customer_id, woo_customer_id, woo_gone_at IS NULL AS is_crossed, woo_registered_at, create_time FROM link
WHERE account_id = $1 AND (epos_customer_id = ANY ($2::bigint[]) OR woo_customer_id = ANY ($3::bigint[]))
ORDER BY epos_customer_id

-- name: links
-- Returns the person's links. $1 account, $2 till and $3 shop customers, $4 after this till customer, $5 most rows. Takes no lock.
-- Indexes: link primary key, link_account_id_woo_customer_id_key.
SELECT epos_customer_id, woo_customer_id, origin, create_time, as_of, epos_read_at, woo_registered_at, epos_gone_at,
  woo_gone_at FROM link
WHERE account_id = $1 AND (epos_customer_id = ANY ($2::bigint[]) OR woo_customer_id = ANY ($3::bigint[])) AND epos_customer_id > $4
ORDER BY epos_customer_id LIMIT $5

-- name: link_marks
-- Returns the marks of shop customers unlinked by hand. $1 account, $2 shop customers, $3 after this one, $4 most rows. Takes no lock.
-- Index: link_mark primary key.
SELECT woo_customer_id, create_time FROM link_mark
WHERE account_id = $1 AND woo_customer_id = ANY ($2::bigint[]) AND woo_customer_id > $3 ORDER BY woo_customer_id LIMIT $4

-- name: removals
-- Returns the pending removals of values from the shop. $1 account, $2 till and $3 shop customers, $4 after this shop customer, $5 most
-- rows. Takes no lock. Indexes: shop_removal primary key, shop_removal_by_epos.
SELECT woo_customer_id, epos_customer_id, create_time FROM shop_removal
WHERE account_id = $1 AND (epos_customer_id = ANY ($2::bigint[]) OR woo_customer_id = ANY ($3::bigint[])) AND woo_customer_id > $4
ORDER BY woo_customer_id LIMIT $5

-- name: removals_waiting
-- Counts the person's pending removals of values from the shop, and the entries that may be running one. $1 account, $2 till and $3 shop
-- customers. Takes no lock. Indexes: shop_removal primary key, shop_removal_by_epos, entry_live.
SELECT count(*) FROM (
  SELECT epos_customer_id FROM shop_removal
  WHERE account_id = $1 AND (epos_customer_id = ANY ($2::bigint[]) OR woo_customer_id = ANY ($3::bigint[]))
  UNION SELECT subject_id FROM entry WHERE account_id = $1 AND kind = 1 AND subject_id = ANY ($2::bigint[])) AS waiting

-- name: entries
-- Returns the person's entries, live and finished, oldest first. $1 account, $2 emails, $3 shop and $4 till customers, $5 after this entry,
-- $6 most rows. Orders of the default customer (outcome 14) are not the till customer's own. Takes no lock. Indexes: entry_live and
-- entry_history_by_subject, entry_by_… and entry_history_by_… account_email, billing_email, woo_customer, epos_customer, _by_id.
SELECT q.entry_id, q.kind, q.subject_id, q.state, q.outcome, q.comment, q.notes, q.epos_customer_id, q.woo_customer_id, q.order_number,
  q.subject_label, q.account_email, q.billing_email, q.candidate_ids, q.facts, q.attempts, q.create_time, q.finish_time
FROM queue_entry q
WHERE q.account_id = $1 AND q.entry_id = ANY (ARRAY(
  SELECT found.entry_id FROM (
    SELECT entry_id FROM queue_entry WHERE account_id = $1 AND account_email = ANY ($2::text[])
    UNION SELECT entry_id FROM queue_entry WHERE account_id = $1 AND billing_email = ANY ($2::text[])
    UNION SELECT entry_id FROM queue_entry WHERE account_id = $1 AND queue = ANY ('{1,2}'::smallint[]) AND woo_customer_id = ANY ($3::bigint[])
    UNION SELECT entry_id FROM queue_entry WHERE account_id = $1 AND queue = ANY ('{1,2}'::smallint[]) AND epos_customer_id = ANY ($4::bigint[])
      AND outcome IS DISTINCT FROM 14
    UNION SELECT entry_id FROM queue_entry WHERE account_id = $1 AND kind = 1 AND subject_id = ANY ($4::bigint[])) AS found
  WHERE found.entry_id > $5 ORDER BY found.entry_id LIMIT $6))
ORDER BY q.entry_id

-- name: live_entries
-- Returns the person's live entries, except those that remove our values from the shop. $1 account, $2 emails, $3 shop and $4 till
-- customers, $5 most rows. Under the lane's lock. Indexes: entry_by_account_email, entry_by_billing_email, entry_by_woo_customer,
-- entry_by_epos_customer, entry_live, shop_removal_by_epos.
SELECT e.entry_id, e.kind, e.subject_id FROM entry e
WHERE e.account_id = $1 AND e.entry_id = ANY (ARRAY(
  SELECT entry_id FROM entry WHERE account_id = $1 AND account_email = ANY ($2::text[])
  UNION SELECT entry_id FROM entry WHERE account_id = $1 AND billing_email = ANY ($2::text[])
  UNION SELECT entry_id FROM entry WHERE account_id = $1 AND queue = ANY ('{1,2}'::smallint[]) AND woo_customer_id = ANY ($3::bigint[])
  UNION SELECT entry_id FROM entry WHERE account_id = $1 AND queue = ANY ('{1,2}'::smallint[]) AND epos_customer_id = ANY ($4::bigint[])
    AND outcome IS DISTINCT FROM 14
  UNION SELECT entry_id FROM entry WHERE account_id = $1 AND kind = 1 AND subject_id = ANY ($4::bigint[])))
  AND NOT (e.kind = 1 AND EXISTS (SELECT FROM shop_removal r WHERE r.account_id = $1 AND r.epos_customer_id = e.subject_id))
ORDER BY e.entry_id LIMIT $5

-- name: finished_entries
-- Returns the person's finished entries. $1 account, $2 emails, $3 shop and $4 till customers, $5 most rows. Under the lane's lock.
-- Indexes: entry_history_by_… account_email, billing_email, woo_customer, epos_customer, subject.
SELECT entry_id FROM entry_history WHERE account_id = $1 AND account_email = ANY ($2::text[])
UNION SELECT entry_id FROM entry_history WHERE account_id = $1 AND billing_email = ANY ($2::text[])
UNION SELECT entry_id FROM entry_history WHERE account_id = $1 AND queue = ANY ('{1,2}'::smallint[]) AND woo_customer_id = ANY ($3::bigint[])
UNION SELECT entry_id FROM entry_history WHERE account_id = $1 AND queue = ANY ('{1,2}'::smallint[]) AND epos_customer_id = ANY ($4::bigint[])
  AND outcome IS DISTINCT FROM 14
UNION SELECT entry_id FROM entry_history WHERE account_id = $1 AND kind = 1 AND subject_id = ANY ($4::bigint[])
ORDER BY entry_id LIMIT $5

-- name: matches
-- Returns the answers of the person's orders. $1 account, $2 emails, $3 shop and $4 till customers, $5 after this order, $6 most rows.
-- Orders of the default customer (outcome 14) are not the till customer's own. Takes no lock. Indexes: order_match_by_account_email,
-- order_match_by_billing_email, order_match_by_woo_customer, order_match_by_epos_customer, primary key.
SELECT m.order_id, m.entry_id, m.state, m.outcome, m.comment, m.notes, m.epos_customer_id, m.woo_customer_id, m.account_email,
  m.billing_email, m.candidate_ids, m.create_time
FROM order_match m
WHERE m.account_id = $1 AND m.order_id > $5 AND (m.account_email = ANY ($2::text[]) OR m.billing_email = ANY ($2::text[]) OR m.woo_customer_id = ANY ($3::bigint[])
  OR (m.epos_customer_id = ANY ($4::bigint[]) AND m.outcome IS DISTINCT FROM 14))
ORDER BY m.order_id LIMIT $6

-- name: emails_of_orders
-- Returns the email addresses in orders of these customers. $1 account, $2 shop and $3 till customers. Takes no lock.
-- Indexes: order_match_by_woo_customer, order_match_by_epos_customer.
SELECT DISTINCT e.email FROM order_match m CROSS JOIN LATERAL (VALUES (m.account_email), (m.billing_email)) AS e(email)
WHERE m.account_id = $1 AND e.email IS NOT NULL AND (m.woo_customer_id = ANY ($2::bigint[])
  OR (m.epos_customer_id = ANY ($3::bigint[]) AND m.outcome IS DISTINCT FROM 14))
LIMIT 1000

-- name: events
-- Returns the sent and waiting events of orders. $1 account, $2 orders, $3 after this order, $4 most rows. Takes no lock.
-- Index: order_event primary key.
SELECT order_id, sequence, delivered, type, entry_id, state, outcome, event_time FROM order_event
WHERE account_id = $1 AND order_id = ANY ($2::bigint[]) AND order_id > $3 AND (entry_id IS NOT NULL OR outcome IS NOT NULL)
ORDER BY order_id LIMIT $4

-- name: intents
-- Returns the person's create intents of this account. $1 account, $2 emails, $3 till customers, $4 emails of the person's orders, $5 after
-- this email (of the till), $6 most rows. An order's email may be another person's. By such an email ($4) only an intent counts that has no
-- customer, or that has not settled. Takes no lock. Index: intent_by_account.
SELECT till_id, email, state, epos_customer_id, settled_at, create_time, settled_at > now() AS is_unsettled FROM intent
WHERE account_id = $1 AND (email || ' ' || till_id) > $5
  AND (email = ANY ($2::text[]) OR epos_customer_id = ANY ($3::bigint[])
    OR (email = ANY ($4::text[]) AND (epos_customer_id IS NULL OR settled_at > now())))
ORDER BY email || ' ' || till_id LIMIT $6

-- name: delete_entries
-- Deletes finished entries of till customers, because such an entry is about the person as a whole. $1 account, $2 entries.
-- Under the lane's lock. Index: entry_history_pkey.
DELETE FROM entry_history WHERE account_id = $1 AND entry_id = ANY ($2::uuid[]) AND kind = 1

-- name: strip_entries
-- Removes the person from finished order entries; their results stay. A FAILED entry is dismissed. $1 account, $2 entries, $3 the note that
-- replaces the others, $4 the database's time. Under the lane's lock. Index: entry_history_pkey.
UPDATE entry_history h SET subject_label = 'order ' || coalesce(nullif(h.order_number, ''), h.subject_id::text), account_email = NULL,
  billing_email = NULL, woo_customer_id = NULL, epos_customer_id = NULL, candidate_ids = NULL, facts = NULL, notes = $3,
  state = CASE WHEN h.state = 5 THEN 6 ELSE h.state END, update_time = $4,
  attempts = (SELECT coalesce(jsonb_agg(a.one - 'n' - 'c' ORDER BY a.position), '[]')
    FROM jsonb_array_elements(h.attempts) WITH ORDINALITY AS a(one, position))
WHERE h.account_id = $1 AND h.entry_id = ANY ($2::uuid[]) AND h.kind = 3

-- name: strip_matches
-- Removes the person from answers; those of live entries stay until the next call. $1 account, $2 orders, $3 the note that replaces the
-- others, $4 the database's time. Under the lane's lock. Index: order_match primary key.
UPDATE order_match SET account_email = NULL, billing_email = NULL, woo_customer_id = NULL, epos_customer_id = NULL, candidate_ids = NULL,
  notes = $3, facts_hash = decode(repeat('00', 16), 'hex'), state = CASE WHEN state = 5 THEN 6 ELSE state END, update_time = $4
WHERE account_id = $1 AND order_id = ANY ($2::bigint[]) AND state NOT IN (1, 4)
RETURNING order_id

-- name: strip_events
-- Reduces events to the order's number, its state and its sequence, which is never reset. $1 account, $2 orders.
-- Under the lane's lock. Locks: the events, in order. Index: order_event primary key.
WITH locked AS MATERIALIZED (
  SELECT order_id FROM order_event WHERE account_id = $1 AND order_id = ANY ($2::bigint[]) AND (entry_id IS NOT NULL OR outcome IS NOT NULL)
  ORDER BY order_id FOR NO KEY UPDATE)
UPDATE order_event o SET entry_id = NULL, outcome = NULL FROM locked WHERE o.account_id = $1 AND o.order_id = locked.order_id
RETURNING o.order_id

-- name: delete_intents
-- Deletes settled intents. $1 account, $2 tills, $3 emails, $4 the database's time. Under the lane's lock.
-- Locks: those rows. Index: intent primary key.
DELETE FROM intent i USING unnest($2::text[], $3::text[]) AS t(till_id, email)
WHERE i.till_id = t.till_id AND i.email = t.email AND i.account_id = $1 AND i.settled_at <= $4

-- name: delete_links
-- Deletes the person's links. $1 account, $2 till and $3 shop customers. Under the lane's lock. Indexes: link primary key,
-- link_account_id_woo_customer_id_key.
DELETE FROM link WHERE account_id = $1 AND (epos_customer_id = ANY ($2::bigint[]) OR woo_customer_id = ANY ($3::bigint[]))
RETURNING epos_customer_id, woo_customer_id, woo_gone_at

-- name: delete_link_marks
-- Deletes the marks of shop customers unlinked by hand. $1 account, $2 shop customers. Under the lane's lock. Index: link_mark primary key.
DELETE FROM link_mark WHERE account_id = $1 AND woo_customer_id = ANY ($2::bigint[]) RETURNING woo_customer_id

-- name: delete_versions
-- Deletes the last versions of the person's shop customers that get no more writes, if the next version is certain to be higher. $1
-- account, $2 shop customers, $3 the database's time in microseconds. Under the lane's lock. Index: shop_version primary key.
DELETE FROM shop_version v WHERE v.account_id = $1 AND v.subject_kind = 1 AND v.subject_id = ANY ($2::bigint[]) AND v.last_version < $3
  AND NOT EXISTS (SELECT FROM link l WHERE l.account_id = $1 AND l.woo_customer_id = v.subject_id)
  AND NOT EXISTS (SELECT FROM shop_removal r WHERE r.account_id = $1 AND r.woo_customer_id = v.subject_id)
