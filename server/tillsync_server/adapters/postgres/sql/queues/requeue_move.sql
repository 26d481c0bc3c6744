-- How far one requeueing has come. $1 account, $2 what, $3 the last subject, $4 the last entry. After requeue_lock.sql in its transaction.
UPDATE requeue SET after_id = $3, after_entry_id = $4 WHERE account_id = $1 AND what = $2
