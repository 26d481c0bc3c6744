-- The till customer that guest orders go to: it cannot be linked. $1 account. Under the lane's lock, which UpdateAccount takes too.
SELECT default_epos_customer_id FROM account WHERE account_id = $1
