-- The accounts of a till. $1 till. Index: account_by_till. Takes no lock.
SELECT account_id FROM account WHERE till_id = $1 ORDER BY account_id
