-- Rows of a list page that cannot be read. $1 till, $2 page, then by position $3 keys, $4 customer ids or NULL, $5 reasons (no content of
-- the row). Makes the till's row where there is none. Index: unread_row primary key. Locks: those rows, in the order of their keys.
WITH known AS (INSERT INTO till (till_id) VALUES ($1) ON CONFLICT (till_id) DO NOTHING)
INSERT INTO unread_row AS u (till_id, key, page, epos_customer_id, reason, first_time, last_time)
SELECT $1, r.key, $2, r.epos_customer_id, r.reason, now(), now()
FROM unnest($3::text[], $4::bigint[], $5::text[]) AS r(key, epos_customer_id, reason) ORDER BY r.key
ON CONFLICT (till_id, key) DO UPDATE SET page = excluded.page, reason = excluded.reason, last_time = excluded.last_time
