-- name: next_rekey
-- Returns the table whose emails are to be rewritten next. email_rekey has four rows. Takes no lock. Index: none needed.
SELECT what, after_key, after_id, changed, passes FROM email_rekey WHERE NOT done AND next_time <= now() ORDER BY what LIMIT 1

-- name: move_rekey
-- Stores that one chunk is done. $1 what, $2 and $3 where it began, $4 and $5 where it ended, $6 rows changed. If another process did the
-- same chunk, it changes nothing. Index: email_rekey primary key. Locks: that row.
UPDATE email_rekey SET after_key = $4, after_id = $5, changed = changed + $6::bigint WHERE what = $1 AND after_key = $2 AND after_id = $3

-- name: end_pass
-- Stores that one pass over a table is complete. The pass is the last one if it is not the first and changed nothing: then no process of
-- the previous release has written since. If another process ends the same pass, it changes nothing. $1 what, $2 and $3 where its last
-- chunk began, $4 rows changed by that chunk, $5 seconds to the next pass. Returns the rows changed by this pass. Index: email_rekey
-- primary key.
-- Locks: that row.
WITH clock AS MATERIALIZED (SELECT now() AS at, now() + make_interval(secs => $5) AS again)
UPDATE email_rekey r SET after_key = '', after_id = '', changed = 0, passes = r.passes + 1,
  done = r.passes > 0 AND r.changed + $4::bigint = 0, next_time = clock.again
FROM clock, email_rekey before
WHERE r.what = $1 AND r.after_key = $2 AND r.after_id = $3 AND r.next_time <= clock.at AND before.what = r.what
RETURNING before.changed + $4::bigint AS changed

-- name: history_after
-- Returns finished entries in order of their keys, with their normalised emails and those of the order. $1 account and $2 entry of the row
-- before, $3 most rows. Takes no lock. Index: entry_history_pkey.
SELECT account_id AS key, entry_id AS id, account_email, billing_email, facts ->> 'account_email' AS given_account_email,
  facts ->> 'billing_email' AS given_billing_email
FROM entry_history WHERE (account_id, entry_id) > ($1, $2::uuid) ORDER BY account_id, entry_id LIMIT $3

-- name: rekey_history
-- Stores the present form of the emails of finished entries that have not changed since the read. $1 account, $2 entries, $3 account and $4
-- billing emails as read, $5 and $6 new ones. Under the lane's lock. Index: entry_history_pkey.
UPDATE entry_history e SET account_email = t.account_email, billing_email = t.billing_email
FROM unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[])
  AS t(entry_id, account_email_before, billing_email_before, account_email, billing_email)
WHERE e.account_id = $1 AND e.entry_id = t.entry_id AND e.account_email IS NOT DISTINCT FROM t.account_email_before
  AND e.billing_email IS NOT DISTINCT FROM t.billing_email_before

-- name: entries_after
-- Returns live entries in order of their keys, with their normalised emails and those of the order. $1 account and $2 entry of the row
-- before, $3 most rows. Takes no lock. Index: entry primary key.
SELECT account_id AS key, entry_id AS id, account_email, billing_email, facts ->> 'account_email' AS given_account_email,
  facts ->> 'billing_email' AS given_billing_email
FROM entry WHERE (account_id, entry_id) > ($1, $2::uuid) ORDER BY account_id, entry_id LIMIT $3

-- name: rekey_entries
-- Stores the present form of the emails of live entries that have not changed since the read. $1 account, $2 entries, $3 account and $4
-- billing emails as read, $5 and $6 new ones. Under the lane's lock. Index: entry primary key.
UPDATE entry e SET account_email = t.account_email, billing_email = t.billing_email
FROM unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[])
  AS t(entry_id, account_email_before, billing_email_before, account_email, billing_email)
WHERE e.account_id = $1 AND e.entry_id = t.entry_id AND e.account_email IS NOT DISTINCT FROM t.account_email_before
  AND e.billing_email IS NOT DISTINCT FROM t.billing_email_before

-- name: matches_after
-- Returns answers of orders in order of their keys, with the facts of their entries if these are stored. $1 account and $2 order of the row
-- before, $3 most rows. Takes no lock. Indexes: order_match, entry primary key, entry_history_pkey.
SELECT m.account_id AS key, m.order_id AS id, m.account_email, m.billing_email, m.facts_hash, coalesce(e.facts, h.facts) AS facts
FROM (SELECT account_id, order_id, account_email, billing_email, facts_hash, entry_id FROM order_match
  WHERE (account_id, order_id) > ($1, $2::bigint) ORDER BY account_id, order_id LIMIT $3) AS m
LEFT JOIN entry e ON e.account_id = m.account_id AND e.entry_id = m.entry_id
LEFT JOIN LATERAL (SELECT f.facts FROM entry_history f WHERE f.account_id = m.account_id AND f.entry_id = m.entry_id LIMIT 1) AS h ON true
ORDER BY m.account_id, m.order_id

-- name: rekey_matches
-- Stores the present form of the emails of answers, and the hash of it, if they have not changed since the read. $1 account, $2 orders,
-- $3 account and $4 billing emails and $5 hashes as read, $6, $7 and $8 new ones. Under the lane's lock.
-- Index: order_match primary key.
UPDATE order_match m SET account_email = t.account_email, billing_email = t.billing_email, facts_hash = t.facts_hash
FROM unnest($2::bigint[], $3::text[], $4::text[], $5::bytea[], $6::text[], $7::text[], $8::bytea[])
  AS t(order_id, account_email_before, billing_email_before, facts_hash_before, account_email, billing_email, facts_hash)
WHERE m.account_id = $1 AND m.order_id = t.order_id AND m.facts_hash = t.facts_hash_before
  AND m.account_email IS NOT DISTINCT FROM t.account_email_before AND m.billing_email IS NOT DISTINCT FROM t.billing_email_before

-- name: intents_after
-- Returns create intents in order of their keys. is_past: done for a day. A younger one is still looked up under the form it was opened
-- with. $1 till and $2 email of the row before, $3 most rows. Takes no lock. Index: intent primary key.
SELECT till_id AS key, email AS id, state = 3 AND settled_at < now() - interval '1 day' AS is_past FROM intent
WHERE (till_id, email) > ($1, $2::text) ORDER BY till_id, email LIMIT $3

-- name: rekey_intent
-- Moves a create intent that is done to the present form of its email, unless that key has an intent. $1 till, $2 email, $3 the present
-- form. Index: intent primary key. Locks: that row.
UPDATE intent i SET email = $3 WHERE i.till_id = $1 AND i.email = $2 AND i.state = 3
  AND NOT EXISTS (SELECT FROM intent other WHERE other.till_id = $1 AND other.email = $3)
