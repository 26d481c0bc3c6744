-- Nobody asks this till anything for $2 seconds; a longer pause that stands is kept. $1 till. What the bucket had saved up is gone.
-- Locks: the till's row. Index: till primary key.
WITH clock AS MATERIALIZED (SELECT now() AS at, now() + make_interval(secs => $2) AS until)
INSERT INTO till AS t (till_id, refilled_at, paused_until) SELECT $1, clock.at, clock.until FROM clock
ON CONFLICT (till_id) DO UPDATE SET paused_until = greatest(t.paused_until, excluded.paused_until), tokens = least(t.tokens, 0),
  refilled_at = greatest(t.refilled_at, excluded.refilled_at)
