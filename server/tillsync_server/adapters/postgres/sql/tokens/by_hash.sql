-- The token of a secret, revoked or not. $1 hash. Index: token_token_hash_key. Takes no lock.
SELECT token_id, role, account_id, name, create_time, last_used_time, revoke_time FROM token WHERE token_hash = $1
