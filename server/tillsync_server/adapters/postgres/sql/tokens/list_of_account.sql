-- The tokens of an account by ascending id. $1 account, $2 after this id, $3 most rows. Index: token_by_account. Takes no lock.
SELECT token_id, role, account_id, name, create_time, last_used_time, revoke_time FROM token
WHERE account_id = $1 AND token_id > $2 ORDER BY token_id LIMIT $3
