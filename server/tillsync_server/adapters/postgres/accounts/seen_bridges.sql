-- name: note_bridge
-- Stores the version that an account's bridge named in a call. $1 account, $2 version. Writes nothing for an unknown account. Index:
-- account_bridge and account primary keys. Locks: that row. Citus accepts the account only in a WITH.
WITH known AS MATERIALIZED (SELECT account_id FROM account WHERE account_id = $1)
INSERT INTO account_bridge AS b (account_id, version, seen_time)
SELECT account_id, $2, now() FROM known
ON CONFLICT (account_id) DO UPDATE SET version = excluded.version, seen_time = excluded.seen_time

-- name: list_bridges
-- Returns the bridge versions of accounts. $1 the account before the first one, '' for all; $2 most rows. Takes no lock. Index:
-- account_bridge primary key.
SELECT account_id, version, seen_time FROM account_bridge WHERE account_id > $1 ORDER BY account_id LIMIT $2
