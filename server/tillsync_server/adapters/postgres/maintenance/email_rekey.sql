-- name: next_rekey
-- What is to be brought to the present form of emails now. The table has four rows. Takes no lock. Index: none needed.
SELECT what, after_key, after_id, changed, passes FROM email_rekey WHERE NOT done AND next_time <= now() ORDER BY what LIMIT 1

-- name: move_rekey
-- One chunk is behind us. $1 what, $2 and $3 where it began, $4 and $5 where it ended, $6 rows changed. Another process that did the same
-- chunk changes nothing. Index: email_rekey primary key. Locks: that row.
UPDATE email_rekey SET after_key = $4, after_id = $5, changed = changed + $6::bigint WHERE what = $1 AND after_key = $2 AND after_id = $3

-- name: end_pass
-- One reading of a table is complete. It is the last one where it is not the first and changed nothing: no process of the release before
-- has written since. Another process that comes to the same end changes nothing. $1 what, $2 and $3 where its last chunk began, $4 rows changed by that, $5 seconds to the next
-- reading. Returns the rows changed by this reading. Index: email_rekey primary key. Locks: that row.
WITH clock AS MATERIALIZED (SELECT now() AS at)
UPDATE email_rekey r SET after_key = '', after_id = '', changed = 0, passes = r.passes + 1,
  done = r.passes > 0 AND r.changed + $4::bigint = 0, next_time = clock.at + make_interval(secs => $5)
FROM clock, email_rekey before
WHERE r.what = $1 AND r.after_key = $2 AND r.after_id = $3 AND r.next_time <= clock.at AND before.what = r.what
RETURNING before.changed + $4::bigint AS changed

-- name: history_after
-- Finished entries in order of their keys, with their emails as compared and as the order gave them. $1 account and $2 entry to begin
-- behind, $3 most rows. Takes no lock. Index: entry_history_by_id.
SELECT account_id AS key, entry_id AS id, account_email, billing_email, facts ->> 'account_email' AS given_account_email,
  facts ->> 'billing_email' AS given_billing_email
FROM entry_history WHERE (account_id, entry_id) > ($1, $2::uuid) ORDER BY account_id, entry_id LIMIT $3

-- name: rekey_history
-- Finished entries get the present form of their emails, unless they have changed meanwhile. $1 account, $2 entries, $3 account and $4
-- billing emails as they were read, $5 and $6 as they are to be. Under the lane's lock. Index: entry_history_by_id.
UPDATE entry_history e SET account_email = t.account_email, billing_email = t.billing_email
FROM unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[])
  AS t(entry_id, account_email_before, billing_email_before, account_email, billing_email)
WHERE e.account_id = $1 AND e.entry_id = t.entry_id AND e.account_email IS NOT DISTINCT FROM t.account_email_before
  AND e.billing_email IS NOT DISTINCT FROM t.billing_email_before

-- name: entries_after
-- Live entries in order of their keys, with their emails as compared and as the order gave them. $1 account and $2 entry to begin behind,
-- $3 most rows. Takes no lock. Index: entry primary key.
SELECT account_id AS key, entry_id AS id, account_email, billing_email, facts ->> 'account_email' AS given_account_email,
  facts ->> 'billing_email' AS given_billing_email
FROM entry WHERE (account_id, entry_id) > ($1, $2::uuid) ORDER BY account_id, entry_id LIMIT $3

-- name: rekey_entries
-- Live entries get the present form of their emails, unless they have changed meanwhile. $1 account, $2 entries, $3 account and $4 billing
-- emails as they were read, $5 and $6 as they are to be. Under the lane's lock. Index: entry primary key.
UPDATE entry e SET account_email = t.account_email, billing_email = t.billing_email
FROM unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[])
  AS t(entry_id, account_email_before, billing_email_before, account_email, billing_email)
WHERE e.account_id = $1 AND e.entry_id = t.entry_id AND e.account_email IS NOT DISTINCT FROM t.account_email_before
  AND e.billing_email IS NOT DISTINCT FROM t.billing_email_before

-- name: matches_after
-- Answers of orders in order of their keys, with the facts of their entries where these are kept. $1 account and $2 order to begin behind,
-- $3 most rows. Takes no lock. Indexes: order_match, entry primary key, entry_history_by_id.
SELECT m.account_id AS key, m.order_id AS id, m.account_email, m.billing_email, m.facts_hash, coalesce(e.facts, h.facts) AS facts
FROM (SELECT account_id, order_id, account_email, billing_email, facts_hash, entry_id FROM order_match
  WHERE (account_id, order_id) > ($1, $2::bigint) ORDER BY account_id, order_id LIMIT $3) AS m
LEFT JOIN entry e ON e.account_id = m.account_id AND e.entry_id = m.entry_id
LEFT JOIN LATERAL (SELECT f.facts FROM entry_history f WHERE f.account_id = m.account_id AND f.entry_id = m.entry_id LIMIT 1) AS h ON true
ORDER BY m.account_id, m.order_id

-- name: rekey_matches
-- Answers of orders get the present form of their emails and the hash made of it, unless they have changed meanwhile. $1 account,
-- $2 orders, $3 account and $4 billing emails and $5 hashes as they were read, $6, $7 and $8 as they are to be. Under the lane's lock.
-- Index: order_match primary key.
UPDATE order_match m SET account_email = t.account_email, billing_email = t.billing_email, facts_hash = t.facts_hash
FROM unnest($2::bigint[], $3::text[], $4::text[], $5::bytea[], $6::text[], $7::text[], $8::bytea[])
  AS t(order_id, account_email_before, billing_email_before, facts_hash_before, account_email, billing_email, facts_hash)
WHERE m.account_id = $1 AND m.order_id = t.order_id AND m.facts_hash = t.facts_hash_before
  AND m.account_email IS NOT DISTINCT FROM t.account_email_before AND m.billing_email IS NOT DISTINCT FROM t.billing_email_before

-- name: intents_after
-- Create intents that are done for a day, in order of their keys. Younger ones are still looked for under the form they were taken in.
-- $1 till and $2 email to begin behind, $3 most rows. Takes no lock. Index: intent primary key.
SELECT till_id AS key, email AS id, state = 3 AND settled_at < now() - interval '1 day' AS is_past FROM intent
WHERE (till_id, email) > ($1, $2::text) ORDER BY till_id, email LIMIT $3

-- name: rekey_intent
-- A create intent that is done for a day moves to the present form of its email, unless an intent stands there. $1 till, $2 email, $3 the
-- present form. Index: intent primary key. Locks: that row.
UPDATE intent i SET email = $3 WHERE i.till_id = $1 AND i.email = $2 AND i.state = 3
  AND NOT EXISTS (SELECT FROM intent other WHERE other.till_id = $1 AND other.email = $3)
