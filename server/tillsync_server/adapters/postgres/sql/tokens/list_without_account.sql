-- The tokens of the roles without an account by ascending id. $1 after this id, $2 most rows. Index: token_by_account. Takes no lock.
SELECT token_id, role, account_id, name, create_time, last_used_time, revoke_time FROM token
WHERE account_id IS NULL AND token_id > $1 ORDER BY token_id LIMIT $2
