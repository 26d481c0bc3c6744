-- The accounts of a till that its customers concern: switched on, with a link to the customer, be it broken. $1 till, $2 till customers.
-- Indexes: account_by_till, link primary key. Takes no lock.
SELECT a.account_id, l.epos_customer_id AS subject_id
FROM account a JOIN link l ON l.account_id = a.account_id AND l.epos_customer_id = ANY ($2::bigint[])
WHERE a.till_id = $1 AND a.customer_sync_enabled
ORDER BY a.account_id, l.epos_customer_id
