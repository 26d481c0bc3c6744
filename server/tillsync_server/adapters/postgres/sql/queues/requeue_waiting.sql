-- What changes of settings left to queue, oldest first. $1 most rows. The table is all but empty. Takes no lock.
SELECT account_id, what FROM requeue ORDER BY create_time, account_id, what LIMIT $1
