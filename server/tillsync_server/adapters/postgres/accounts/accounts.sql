-- name: insert
-- Inserts an account; no row if its id is taken. $1 account, $2 to $20 settings, $21 to $27 encrypted secrets (NULL if not set).
-- Index: account primary key.
INSERT INTO account (account_id, name, customer_sync_enabled, default_epos_customer_id, match_email, guest_policy, auto_link, sync_names,
  sync_phone, till_id, shared_till, epos_base_url, epos_customer_api_version, epos_customer_type_api_version, epos_v4_type_field,
  epos_requests_per_minute, shop_base_url, shop_price_decimals, trusted_accounts, trusted_before, epos_api_key, epos_api_secret,
  epos_webhook_key, epos_webhook_secret, shop_consumer_key, shop_consumer_secret, shop_bridge_secret)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25,
  $26, $27)
ON CONFLICT (account_id) DO NOTHING
RETURNING account_id

-- name: insert_lane
-- Inserts the lane of a new account. $1 account.
INSERT INTO lane (account_id) VALUES ($1)

-- name: get
-- Returns one account with its problems and encrypted secrets. $1 account. Index: account primary key. Takes no lock.
SELECT a.account_id, a.name, a.customer_sync_enabled, a.default_epos_customer_id, a.match_email, a.guest_policy, a.auto_link,
  a.sync_names, a.sync_phone, a.till_id, a.shared_till, a.epos_base_url, a.epos_customer_api_version,
  a.epos_customer_type_api_version, a.epos_v4_type_field, a.epos_requests_per_minute, a.shop_base_url, a.shop_price_decimals,
  a.trusted_accounts, a.trusted_before,
  a.epos_api_key, a.epos_api_secret, a.epos_webhook_key, a.epos_webhook_secret, a.shop_consumer_key, a.shop_consumer_secret,
  a.shop_bridge_secret, a.create_time, a.update_time, l.config_version, l.till_probe_at, l.till_reason, l.till_text,
  l.till_since, l.till_entry_id, l.shop_probe_at, l.shop_reason, l.shop_text, l.shop_since, l.shop_entry_id, now() AS at
FROM account a JOIN account_state l USING (account_id)
WHERE a.account_id = $1

-- name: lock
-- Locks and returns one account as `get` does. $1 account. Runs after `lock_lane` in its transaction. Locks: the account's row.
SELECT a.account_id, a.name, a.customer_sync_enabled, a.default_epos_customer_id, a.match_email, a.guest_policy, a.auto_link,
  a.sync_names, a.sync_phone, a.till_id, a.shared_till, a.epos_base_url, a.epos_customer_api_version,
  a.epos_customer_type_api_version, a.epos_v4_type_field, a.epos_requests_per_minute, a.shop_base_url, a.shop_price_decimals,
  a.trusted_accounts, a.trusted_before,
  a.epos_api_key, a.epos_api_secret, a.epos_webhook_key, a.epos_webhook_secret, a.shop_consumer_key, a.shop_consumer_secret,
  a.shop_bridge_secret, a.create_time, a.update_time, l.config_version, l.till_probe_at, l.till_reason, l.till_text,
  l.till_since, l.till_entry_id, l.shop_probe_at, l.shop_reason, l.shop_text, l.shop_since, l.shop_entry_id, now() AS at
FROM account a JOIN account_state l USING (account_id)
WHERE a.account_id = $1 FOR NO KEY UPDATE OF a

-- name: list
-- Returns accounts by ascending id. $1 after this id (empty: from the first), $2 most rows. Index: account primary key. Takes no lock.
SELECT a.account_id, a.name, a.customer_sync_enabled, a.default_epos_customer_id, a.match_email, a.guest_policy, a.auto_link,
  a.sync_names, a.sync_phone, a.till_id, a.shared_till, a.epos_base_url, a.epos_customer_api_version,
  a.epos_customer_type_api_version, a.epos_v4_type_field, a.epos_requests_per_minute, a.shop_base_url, a.shop_price_decimals,
  a.trusted_accounts, a.trusted_before,
  a.epos_api_key, a.epos_api_secret, a.epos_webhook_key, a.epos_webhook_secret, a.shop_consumer_key, a.shop_consumer_secret,
  a.shop_bridge_secret, a.create_time, a.update_time, l.config_version, l.till_probe_at, l.till_reason, l.till_text,
  l.till_since, l.till_entry_id, l.shop_probe_at, l.shop_reason, l.shop_text, l.shop_since, l.shop_entry_id, now() AS at
FROM account a JOIN account_state l USING (account_id)
WHERE a.account_id > $1 ORDER BY a.account_id LIMIT $2

-- name: update
-- Updates the settings of an account. $1 account, $2 to $20 settings, $21 to $27 encrypted secrets, $28 the database's time.
-- Runs after `lock` in its transaction. Index: account primary key.
UPDATE account SET name = $2, customer_sync_enabled = $3, default_epos_customer_id = $4, match_email = $5, guest_policy = $6, auto_link = $7,
  sync_names = $8, sync_phone = $9, till_id = $10, shared_till = $11, epos_base_url = $12, epos_customer_api_version = $13,
  epos_customer_type_api_version = $14, epos_v4_type_field = $15, epos_requests_per_minute = $16, shop_base_url = $17,
  shop_price_decimals = $18, trusted_accounts = $19, trusted_before = $20, epos_api_key = $21, epos_api_secret = $22, epos_webhook_key = $23,
  epos_webhook_secret = $24, shop_consumer_key = $25, shop_consumer_secret = $26, shop_bridge_secret = $27, update_time = $28
WHERE account_id = $1

-- name: probe_now
-- Makes paused sides due for a probe at once. A problem stays open until its side works. $1 account, $2 the database's time.
-- Runs after `lock_lane` in its transaction; `reschedule_lane` follows. Indexes: primary keys of account_side and lane.
WITH reset AS (UPDATE account_side SET failures = 0 WHERE account_id = $1)
UPDATE lane SET till_probe_at = CASE WHEN till_probe_at IS NOT NULL THEN $2::timestamptz END,
  shop_probe_at = CASE WHEN shop_probe_at IS NOT NULL THEN $2::timestamptz END
WHERE account_id = $1

-- name: close_problem_of_side
-- Closes the problem of one side that was tested and works. $1 account, $2 side. No row: the side has no open problem.
-- Runs after `lock_lane` in its transaction; `reschedule_lane` follows. Indexes: primary keys of account_side and lane.
WITH closed AS (
  UPDATE account_side SET failures = 0, problem_reason = NULL, problem_text = NULL, problem_since = NULL, problem_entry_id = NULL
  WHERE account_id = $1 AND side = $2 AND problem_reason IS NOT NULL
  RETURNING account_id)
UPDATE lane SET till_probe_at = CASE WHEN $2::smallint = 1 THEN NULL ELSE till_probe_at END,
  shop_probe_at = CASE WHEN $2::smallint = 2 THEN NULL ELSE shop_probe_at END
FROM closed WHERE lane.account_id = closed.account_id
RETURNING lane.account_id

-- name: write_requeue
-- Stores what to requeue. A requeue in progress starts from the beginning. $1 account, $2 what, $3 the database's time.
-- Runs after `lock_lane` in its transaction. Index: requeue primary key.
INSERT INTO requeue AS r (account_id, what, create_time) SELECT $1, what, $3 FROM unnest($2::smallint[]) AS t(what) ORDER BY what
ON CONFLICT (account_id, what) DO UPDATE SET after_id = 0, after_entry_id = NULL, create_time = excluded.create_time

-- name: clear_type_hashes
-- Clears the hashes of types after a change of the shop or of the way to write to it, because its types are unknown then. $1 account.
-- Runs after `lock_lane` in its transaction. Index: customer_type primary key.
UPDATE customer_type SET content_hash = NULL WHERE account_id = $1 AND content_hash IS NOT NULL

-- name: count_requeues
-- Counts what a change of settings would requeue. $1 account, $2 what (as in requeue.what). Indexes: the account's part of the primary keys
-- of link and customer_type, entry_by_state, shop_removal_by_epos. Takes no lock.
SELECT w.what, CASE w.what
  WHEN 1 THEN (SELECT count(*) FROM link WHERE account_id = $1)
  WHEN 2 THEN (SELECT count(*) FROM customer_type WHERE account_id = $1)
  WHEN 3 THEN (SELECT count(*) FROM entry WHERE account_id = $1 AND queue = 2 AND state = 4)
  WHEN 4 THEN (SELECT count(DISTINCT epos_customer_id) FROM shop_removal WHERE account_id = $1)
  END AS entries
FROM unnest($2::smallint[]) AS w(what)

-- name: is_linked
-- Returns whether a till customer has a link. $1 account, $2 till customer. Index: link primary key. Takes no lock.
SELECT EXISTS (SELECT FROM link WHERE account_id = $1 AND epos_customer_id = $2)

-- name: secrets_after
-- Returns the encrypted secrets of the next accounts that have any. $1 after this account, $2 most rows. Locks: the accounts' rows, in
-- account order, and no lane (a change of settings locks the lane before the row). Index: account primary key.
SELECT account_id, epos_api_key, epos_api_secret, epos_webhook_key, epos_webhook_secret,
  shop_consumer_key, shop_consumer_secret, shop_bridge_secret
FROM account
WHERE account_id > $1 AND num_nonnulls(epos_api_key, epos_api_secret, epos_webhook_key, epos_webhook_secret,
  shop_consumer_key, shop_consumer_secret, shop_bridge_secret) > 0
ORDER BY account_id LIMIT $2 FOR NO KEY UPDATE

-- name: store_secrets
-- Stores the same secrets under another key. $1 account, $2 to $8 encrypted secrets. Settings and their version stay.
-- Runs after `secrets_after` in its transaction. Index: account primary key.
UPDATE account SET epos_api_key = $2, epos_api_secret = $3, epos_webhook_key = $4, epos_webhook_secret = $5, shop_consumer_key = $6,
  shop_consumer_secret = $7, shop_bridge_secret = $8
WHERE account_id = $1

-- name: note_customer_ids
-- Stores some customer ids of a till's first list page. $1 till, $2 ids. Locks: the till's row.
INSERT INTO till (till_id, sample_customer_ids) VALUES ($1, $2::bigint[])
ON CONFLICT (till_id) DO UPDATE SET sample_customer_ids = excluded.sample_customer_ids

-- name: of_till
-- Returns the accounts of a till with the version of their settings. $1 till. Indexes: account_by_till, lane primary key. Takes no lock.
SELECT a.account_id, l.config_version FROM account a JOIN lane l USING (account_id) WHERE a.till_id = $1 ORDER BY a.account_id

-- name: others_on_till
-- Returns whether an account other than $2 uses the till $1. Index: account_by_till. Takes no lock.
SELECT EXISTS (SELECT FROM account WHERE till_id = $1 AND account_id <> $2)

-- name: tills_with_same_customers
-- Returns other tills at the same address that have some of these customers. They are probably the same Epos Now company. $1 till, $2
-- customer ids. Index: account_by_till. Reads the samples of all tills (CheckAccount only). Takes no lock.
SELECT t.till_id FROM till t
WHERE t.till_id <> $1 AND t.sample_customer_ids && $2::bigint[] AND EXISTS (
  SELECT FROM account mine JOIN account other ON other.till_id = t.till_id AND other.epos_base_url = mine.epos_base_url
  WHERE mine.till_id = $1)
ORDER BY t.till_id

-- name: of_till_customers
-- Returns the accounts of a till that its customers concern: sync is switched on, and there is a link to the customer, usable or not, or a
-- held order with the customer as a candidate. $1 till, $2 till customers.
-- Indexes: account_by_till, link primary key, entry_held_by_candidate. Takes no lock.
SELECT a.account_id, l.epos_customer_id AS subject_id
FROM account a JOIN link l ON l.account_id = a.account_id AND l.epos_customer_id = ANY ($2::bigint[])
WHERE a.till_id = $1 AND a.customer_sync_enabled
UNION
SELECT a.account_id, candidate
FROM account a JOIN entry e ON e.account_id = a.account_id AND e.state = 4 AND e.candidate_ids && $2::bigint[],
  unnest(e.candidate_ids) AS candidate
WHERE a.till_id = $1 AND a.customer_sync_enabled AND candidate = ANY ($2::bigint[])
ORDER BY account_id, subject_id

-- name: of_till_customer_types
-- Returns the accounts of a till that its customer types concern: sync is switched on, and the account has the bridge or knows the type.
-- $1 till, $2 types. Indexes: account_by_till, customer_type primary key. Takes no lock.
SELECT a.account_id, wanted.subject_id
FROM account a CROSS JOIN unnest($2::bigint[]) AS wanted(subject_id)
WHERE a.till_id = $1 AND a.customer_sync_enabled AND (a.shop_bridge_secret IS NOT NULL OR EXISTS (
  SELECT FROM customer_type t WHERE t.account_id = a.account_id AND t.epos_customer_type_id = wanted.subject_id))
ORDER BY a.account_id, wanted.subject_id
