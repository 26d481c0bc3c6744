-- Renew the leases that are still ours (migration 0014 has the function). $1 accounts, $2 owners, $3 tokens, $4 lease seconds.
SELECT renew_lanes($1, $2, $3, $4) AS account_id
