-- The till's search is proven ($3 true), or found to be no proof. $1 till, $2 configuration. Makes the till's row where there is none.
-- Index: till_knowledge primary key. Locks: that row.
WITH clock AS MATERIALIZED (SELECT now() AS at),
known AS (INSERT INTO till (till_id) VALUES ($1) ON CONFLICT (till_id) DO NOTHING)
INSERT INTO till_knowledge AS k (till_id, configuration, search_proven_at)
SELECT $1, $2, CASE WHEN $3::boolean THEN clock.at END FROM clock
ON CONFLICT (till_id, configuration) DO UPDATE SET search_proven_at = excluded.search_proven_at
