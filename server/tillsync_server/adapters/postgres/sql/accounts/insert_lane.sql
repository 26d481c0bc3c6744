-- The lane of a new account. $1 account.
INSERT INTO lane (account_id) VALUES ($1)
