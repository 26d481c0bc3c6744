-- The tokens of some secrets, revoked or not. $1 hashes. Index: token_token_hash_key. Takes no lock.
SELECT token_hash, token_id, role, account_id, name, create_time, last_used_time, revoke_time FROM token WHERE token_hash = ANY ($1::bytea[])
