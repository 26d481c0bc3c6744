-- Remember some customer ids of a till's first list page. $1 till, $2 ids. Locks: the till's row.
INSERT INTO till (till_id, sample_customer_ids) VALUES ($1, $2::bigint[])
ON CONFLICT (till_id) DO UPDATE SET sample_customer_ids = excluded.sample_customer_ids
