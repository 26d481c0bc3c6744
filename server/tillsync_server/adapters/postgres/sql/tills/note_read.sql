-- A read of the till succeeded: of customers ($3), of types ($4); $5 the last list page of a completed scan, or NULL.
-- $1 till, $2 configuration. Makes the till's row where there is none. Index: till_knowledge primary key. Locks: that row.
WITH clock AS MATERIALIZED (SELECT now() AS at),
known AS (INSERT INTO till (till_id) VALUES ($1) ON CONFLICT (till_id) DO NOTHING)
INSERT INTO till_knowledge AS k (till_id, configuration, customers_read_at, types_read_at, last_page)
SELECT $1, $2, CASE WHEN $3::boolean THEN clock.at END, CASE WHEN $4::boolean THEN clock.at END, $5::integer FROM clock
ON CONFLICT (till_id, configuration) DO UPDATE SET customers_read_at = greatest(k.customers_read_at, excluded.customers_read_at),
  types_read_at = greatest(k.types_read_at, excluded.types_read_at), last_page = coalesce(excluded.last_page, k.last_page)
