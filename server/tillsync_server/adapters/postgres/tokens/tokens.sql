-- name: insert
-- Inserts a token. $1 id, $2 hash of its secret, $3 role, $4 account (SITE only), $5 name, $6 when it was made. An unknown account raises a
-- foreign key error. No row: the hash exists already. Index: token_token_hash_key.
INSERT INTO token (token_id, token_hash, role, account_id, name, create_time) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (token_hash) DO NOTHING
RETURNING token_id, role, account_id, name, create_time, last_used_time, revoke_time

-- name: by_hash
-- Returns the token of a secret, revoked or not. $1 hash. Index: token_token_hash_key. Takes no lock.
SELECT token_id, role, account_id, name, create_time, last_used_time, revoke_time FROM token WHERE token_hash = $1

-- name: by_hashes
-- Returns the tokens of some secrets, revoked or not. $1 hashes. Index: token_token_hash_key. Takes no lock.
SELECT token_hash, token_id, role, account_id, name, create_time, last_used_time, revoke_time FROM token WHERE token_hash = ANY ($1::bytea[])

-- name: note_used
-- Stores the present time as the last use of tokens. $1 token ids, ascending. Index: token primary key.
UPDATE token SET last_used_time = now() WHERE token_id = ANY ($1::text[])

-- name: list_of_account
-- Returns the tokens of an account by ascending id. $1 account, $2 after this id, $3 most rows. Index: token_by_account. Takes no lock.
SELECT token_id, role, account_id, name, create_time, last_used_time, revoke_time FROM token
WHERE account_id = $1 AND token_id > $2 ORDER BY token_id LIMIT $3

-- name: list_without_account
-- Returns the tokens without an account by ascending id. $1 after this id, $2 most rows. Index: token_by_account. Takes no lock.
SELECT token_id, role, account_id, name, create_time, last_used_time, revoke_time FROM token
WHERE account_id IS NULL AND token_id > $1 ORDER BY token_id LIMIT $2

-- name: revoke
-- Revokes a token; a revoked token keeps its time. $1 token, $2 its account, NULL for the roles without one.
-- Index: token primary key.
UPDATE token SET revoke_time = CASE WHEN revoke_time IS NULL THEN clock.at ELSE revoke_time END
FROM (SELECT now() AS at) AS clock
WHERE token_id = $1 AND account_id IS NOT DISTINCT FROM $2::text
RETURNING token_id, role, account_id, name, create_time, last_used_time, revoke_time
