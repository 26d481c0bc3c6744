-- The till's search is proven for these kinds of emails ($4 true), or found to be wrong for them; other kinds stay. $1 till,
-- $2 configuration, $3 kinds. Makes the till's row where there is none. Index: till_knowledge primary key. Locks: that row.
WITH clock AS MATERIALIZED (SELECT now() AS at),
known AS (INSERT INTO till (till_id) VALUES ($1) ON CONFLICT (till_id) DO NOTHING),
kinds AS MATERIALIZED (
  SELECT jsonb_object_agg(kind, to_char(clock.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"')) AS proven
  FROM unnest($3::text[]) AS kind CROSS JOIN clock WHERE $4::boolean)
INSERT INTO till_knowledge AS k (till_id, configuration, kinds_proven_at)
SELECT $1, $2, coalesce(kinds.proven, '{}') FROM kinds
ON CONFLICT (till_id, configuration) DO UPDATE SET kinds_proven_at = (k.kinds_proven_at - $3::text[]) || excluded.kinds_proven_at
