-- One requeueing is done. $1 account, $2 what. After requeue_lock.sql in its transaction.
DELETE FROM requeue WHERE account_id = $1 AND what = $2
