-- A new token. $1 id, $2 hash of its secret, $3 role, $4 account (SITE only), $5 name, $6 when it was made. Unknown account: foreign key error.
-- No row: the hash is there. Index: token_token_hash_key.
INSERT INTO token (token_id, token_hash, role, account_id, name, create_time) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (token_hash) DO NOTHING
RETURNING token_id, role, account_id, name, create_time, last_used_time, revoke_time
