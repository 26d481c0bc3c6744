-- name: get_intent
-- Returns the intent of one email, with the database's time. $1 till, $2 normalised email. Index: intent primary key.
SELECT state, account_id, epos_customer_id, settled_at, create_time, now() AS read_at FROM intent WHERE till_id = $1 AND email = $2

-- name: open_intent
-- Opens the intent to create, if no other intent blocks it. Returns no row if one does; ON CONFLICT keeps that one locked until the
-- transaction ends, even if WHERE refuses the update.
-- $1 till, $2 normalised email, $3 account, $4 owner, $5 seconds until it settles. $6 to $10: the intent that may be replaced (state,
-- account, customer, settled_at, create_time), all NULL for none. It must still be exactly that intent, and be done or settled by the
-- database's clock. Inserts the till's row if it does not exist. Locks: the intent. Index: intent primary key.
WITH clock AS MATERIALIZED (SELECT now() AS at),
known AS (INSERT INTO till (till_id) VALUES ($1) ON CONFLICT (till_id) DO NOTHING)
INSERT INTO intent AS i (till_id, email, state, account_id, owner, settled_at, create_time)
SELECT $1, $2, 1, $3, $4, clock.at + make_interval(secs => $5), clock.at FROM clock
ON CONFLICT (till_id, email) DO UPDATE SET state = 1, account_id = excluded.account_id, owner = excluded.owner, epos_customer_id = NULL,
  settled_at = excluded.settled_at, create_time = excluded.create_time
WHERE i.state = $6::smallint AND i.account_id = $7::text AND i.epos_customer_id IS NOT DISTINCT FROM $8::bigint
  /* invariant: only-the-intent-read-is-replaced */ AND i.settled_at = $9::timestamptz AND i.create_time = $10::timestamptz
  /* /invariant: only-the-intent-read-is-replaced */
  /* invariant: unsettled-intents-stand */ AND (i.state = 3 OR i.settled_at <= excluded.create_time)
  /* /invariant: unsettled-intents-stand */
RETURNING true

-- name: mark_intent_unknown
-- Marks that the create got no readable answer. $1 till, $2 normalised email, $3 owner (intents of other owners stay).
-- Index: intent primary key. Locks: that row.
UPDATE intent SET state = 2 WHERE till_id = $1 AND email = $2 AND owner = $3 AND state = 1

-- name: complete_intent
-- Stores the till customer of an intent. $1 till, $2 normalised email, $3 owner (intents of other owners stay), $4 customer.
-- Index: intent primary key. Locks: that row.
UPDATE intent SET state = 3, epos_customer_id = $4 WHERE till_id = $1 AND email = $2 AND owner = $3 AND state IN (1, 2)

-- name: clear_intent
-- Deletes the intent of a create that was refused or provably never sent. $1 till, $2 normalised email, $3 owner. Intents of other owners
-- stay, and so do intents that are done or whose create may have reached the till. Index: intent primary key. Locks: that row.
DELETE FROM intent WHERE till_id = $1 AND email = $2
  /* invariant: intents-are-cleared-by-their-owner */ AND owner = $3::text /* /invariant: intents-are-cleared-by-their-owner */
  AND state = 1
