-- name: knowledge
-- Returns what is known of a till under one configuration, and the seconds since the database with the till was restored. $1 till,
-- $2 configuration. Indexes: primary keys of till and till_knowledge.
SELECT k.search_proven_at, coalesce(k.kinds_proven_at, '{}') AS kinds_proven_at, k.customers_read_at, k.types_read_at, k.last_page,
  extract(epoch FROM now() - t.restored_at)::float8 AS seconds_since_restore
FROM till t LEFT JOIN till_knowledge k ON k.till_id = t.till_id AND k.configuration = $2
WHERE t.till_id = $1

-- name: note_search
-- Stores that the till's search is proven ($3 true) or disproved. $1 till, $2 configuration. Inserts the till's row if it does not exist.
-- Index: till_knowledge primary key. Locks: that row.
WITH clock AS MATERIALIZED (SELECT now() AS at),
known AS (INSERT INTO till (till_id) VALUES ($1) ON CONFLICT (till_id) DO NOTHING)
INSERT INTO till_knowledge AS k (till_id, configuration, search_proven_at)
SELECT $1, $2, CASE WHEN $3::boolean THEN clock.at END FROM clock
ON CONFLICT (till_id, configuration) DO UPDATE SET search_proven_at = excluded.search_proven_at

-- name: note_read
-- Stores a successful read of customers ($3) or types ($4); $5 the last list page of a completed scan, or NULL.
-- $1 till, $2 configuration. Inserts the till's row if it does not exist. Index: till_knowledge primary key. Locks: that row.
WITH clock AS MATERIALIZED (SELECT now() AS at),
known AS (INSERT INTO till (till_id) VALUES ($1) ON CONFLICT (till_id) DO NOTHING)
INSERT INTO till_knowledge AS k (till_id, configuration, customers_read_at, types_read_at, last_page)
SELECT $1, $2, CASE WHEN $3::boolean THEN clock.at END, CASE WHEN $4::boolean THEN clock.at END, $5::integer FROM clock
ON CONFLICT (till_id, configuration) DO UPDATE SET customers_read_at = greatest(k.customers_read_at, excluded.customers_read_at),
  types_read_at = greatest(k.types_read_at, excluded.types_read_at), last_page = coalesce(excluded.last_page, k.last_page)

-- name: note_kinds
-- Stores that the till's search is proven for these kinds of emails ($4 true) or is wrong for them; other kinds stay. $1 till,
-- $2 configuration, $3 kinds. Inserts the till's row if it does not exist. Index: till_knowledge primary key. Locks: that row.
WITH clock AS MATERIALIZED (SELECT now() AS at),
known AS (INSERT INTO till (till_id) VALUES ($1) ON CONFLICT (till_id) DO NOTHING),
kinds AS MATERIALIZED (
  SELECT jsonb_object_agg(kind, to_char(clock.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"')) AS proven
  FROM unnest($3::text[]) AS kind CROSS JOIN clock WHERE $4::boolean)
INSERT INTO till_knowledge AS k (till_id, configuration, kinds_proven_at)
SELECT $1, $2, coalesce(kinds.proven, '{}') FROM kinds
ON CONFLICT (till_id, configuration) DO UPDATE SET kinds_proven_at = (k.kinds_proven_at - $3::text[]) || excluded.kinds_proven_at

-- name: note_unread_rows
-- Stores rows of a list page that cannot be read. $1 till, $2 page, then by position $3 keys, $4 customer ids or NULL, $5 reasons (no
-- content of the row). Inserts the till's row if it does not exist. Index: unread_row primary key. Locks: those rows, in the order of their
-- keys.
WITH known AS (INSERT INTO till (till_id) VALUES ($1) ON CONFLICT (till_id) DO NOTHING)
INSERT INTO unread_row AS u (till_id, key, page, epos_customer_id, reason, first_time, last_time)
SELECT $1, r.key, $2, r.epos_customer_id, r.reason, now(), now()
FROM unnest($3::text[], $4::bigint[], $5::text[]) AS r(key, epos_customer_id, reason) ORDER BY r.key
ON CONFLICT (till_id, key) DO UPDATE SET page = excluded.page, reason = excluded.reason, last_time = excluded.last_time

-- name: delete_readable_rows
-- Deletes rows that are readable again or gone: rows of page $2 except the keys $3 that it shows now, rows of the customers $4 on any page,
-- and rows that no page has shown for $5 days. $1 till. Index: unread_row primary key. Locks: those rows.
DELETE FROM unread_row WHERE till_id = $1 AND ((page = $2 AND key <> ALL ($3::text[])) OR epos_customer_id = ANY ($4::bigint[])
  OR last_time < now() - make_interval(days => $5))

-- name: has_unread_rows
-- Returns whether the till's list has a row that could not be read at its last read. $1 till. Index: unread_row primary key.
SELECT EXISTS (SELECT FROM unread_row WHERE till_id = $1)

-- name: unread_customers
-- Returns customers of a till whose row cannot be read, ascending. $1 till, $2 most rows. Index: unread_row primary key.
SELECT epos_customer_id FROM unread_row WHERE till_id = $1 AND epos_customer_id IS NOT NULL ORDER BY epos_customer_id LIMIT $2
