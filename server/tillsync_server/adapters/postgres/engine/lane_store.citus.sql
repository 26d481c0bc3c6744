-- name: lease
-- As in lane_store.sql, without the newest token: an account has one lane. Dead versions of the lane are read too.
WITH live AS MATERIALIZED (
  SELECT account_id FROM lane WHERE coalesce(lease_expires_at, next_live_at) BETWEEN coalesce($6::timestamptz, '-infinity') AND now()
  ORDER BY coalesce(lease_expires_at, next_live_at) LIMIT $1 FOR UPDATE SKIP LOCKED),
bulk AS MATERIALIZED (
  SELECT account_id FROM lane WHERE coalesce(lease_expires_at, next_run_at) BETWEEN coalesce($6::timestamptz, '-infinity') AND now()
    AND account_id <> ALL (ARRAY(SELECT account_id FROM live))
  ORDER BY coalesce(lease_expires_at, next_run_at)
  LIMIT (SELECT greatest(0, least($2::bigint, $1::bigint - count(*))) FROM live) FOR UPDATE SKIP LOCKED),
probed AS MATERIALIZED (
  SELECT account_id FROM lane WHERE next_probe_at <= now() AND next_probe_at < 'infinity' AND lease_expires_at IS NULL
    AND account_id <> ALL (ARRAY(SELECT account_id FROM live)) AND account_id <> ALL (ARRAY(SELECT account_id FROM bulk))
  ORDER BY next_probe_at
  LIMIT (SELECT greatest(0, least($5::bigint, $1::bigint - (SELECT count(*) FROM live) - (SELECT count(*) FROM bulk))))
  FOR UPDATE SKIP LOCKED),
chosen AS MATERIALIZED (SELECT account_id FROM live UNION ALL SELECT account_id FROM bulk UNION ALL SELECT account_id FROM probed),
leased AS (
  UPDATE lane SET lease_owner = $3, lease_token = lane.lease_token + 1, lease_expires_at = now() + make_interval(secs => $4),
    lapses = lapses + (lease_expires_at IS NOT NULL)::integer
  FROM chosen WHERE lane.account_id = chosen.account_id
  RETURNING lane.account_id, lane.lease_token, lapses, till_probe_at, shop_probe_at),
paused AS (
  SELECT s.account_id, max(s.failures) FILTER (WHERE s.side = 1) AS till_failures, max(s.failures) FILTER (WHERE s.side = 2) AS shop_failures
  FROM account_side s WHERE s.account_id = ANY (ARRAY(
    SELECT account_id FROM leased WHERE till_probe_at IS NOT NULL OR shop_probe_at IS NOT NULL))
  GROUP BY s.account_id),
remaining AS MATERIALIZED (
  SELECT (SELECT coalesce(lease_expires_at, next_run_at) FROM lane
    WHERE coalesce(lease_expires_at, next_run_at) >= coalesce($6::timestamptz, '-infinity')
      AND coalesce(lease_expires_at, next_run_at) < 'infinity' AND account_id <> ALL (ARRAY(SELECT account_id FROM chosen))
    ORDER BY coalesce(lease_expires_at, next_run_at) LIMIT 1) AS ready_at,
  (SELECT next_probe_at FROM lane
    WHERE $5 > 0 AND next_probe_at < 'infinity' AND lease_expires_at IS NULL AND account_id <> ALL (ARRAY(SELECT account_id FROM chosen))
    ORDER BY next_probe_at LIMIT 1) AS probe_at,
  now() AS at)
SELECT account_id, lease_token, lapses, extract(epoch FROM till_probe_at - now())::float8 AS till_seconds, till_failures,
  extract(epoch FROM shop_probe_at - now())::float8 AS shop_seconds, shop_failures, NULL::float8 AS seconds, NULL::timestamptz AS search_from
FROM leased LEFT JOIN paused USING (account_id)
UNION ALL
SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, extract(epoch FROM least(ready_at, probe_at) - clock_timestamp())::float8,
  least(ready_at, 
    at - interval '10 seconds' )
FROM remaining

-- name: leases_of
-- As in lane_store.sql, without the newest token.
SELECT lane.account_id, lane.lease_owner, lane.lease_token, lane.lapses
FROM unnest($1::text[], $2::text[]) AS t(account_id, owner) JOIN lane ON lane.account_id = t.account_id AND lane.lease_owner = t.owner

-- name: renew
-- As in lane_store.sql, by the function of migration 0020.
SELECT renew_stepwise($1, $2, $3, $4) AS account_id

-- name: release
-- As in lane_store.sql, by the function of migration 0020.
SELECT release_stepwise($1, $2, $3, $4)

-- name: claim
-- As in lane_store.sql, with the entries' conditions in the text, because a function would look for the tables on the wrong node.
SELECT t.number, extract(epoch FROM lane.till_probe_at - now())::float8, extract(epoch FROM lane.shop_probe_at - now())::float8,
  t.account_id, e.entry_id, e.kind, e.subject_id, e.priority, e.entry_revision, lane.config_version, e.attempt_count,
  e.coalesced_count, e.force, e.account_email, e.billing_email, e.woo_customer_id, e.epos_customer_id, e.facts, e.chosen_epos_customer_id
FROM unnest($1::text[], $2::text[], $3::bigint[], $4::integer[], $5::integer[], $6::integer[], $7::integer[])
  WITH ORDINALITY AS t(account_id, owner, token, live_orders, live_customers, bulk_orders, bulk_customers, number)
JOIN lane ON lane.account_id = t.account_id
  AND lane.lease_owner = t.owner AND lane.lease_token = t.token
  
LEFT JOIN LATERAL (
  (SELECT * FROM entry d WHERE d.account_id = lane.account_id AND d.state = 1 AND d.queue = 2 AND d.priority = 1
    AND d.due_at BETWEEN lane.due_from AND now() AND d.entry_id <> ALL ($8::uuid[]) ORDER BY d.due_at, d.entry_id LIMIT t.live_orders)
  UNION ALL
  (SELECT * FROM entry d WHERE d.account_id = lane.account_id AND d.state = 1 AND d.queue = 1 AND d.priority = 1
    AND d.due_at BETWEEN lane.due_from AND now() AND d.entry_id <> ALL ($8::uuid[]) ORDER BY d.due_at, d.entry_id LIMIT t.live_customers)
  UNION ALL
  (SELECT * FROM entry d WHERE d.account_id = lane.account_id AND d.state = 1 AND d.queue = 2 AND d.priority = 2
    AND d.due_at BETWEEN lane.due_from AND now() AND d.entry_id <> ALL ($8::uuid[]) ORDER BY d.due_at, d.entry_id LIMIT t.bulk_orders)
  UNION ALL
  (SELECT * FROM entry d WHERE d.account_id = lane.account_id AND d.state = 1 AND d.queue = 1 AND d.priority = 2
    AND d.due_at BETWEEN lane.due_from AND now() AND d.entry_id <> ALL ($8::uuid[]) ORDER BY d.due_at, d.entry_id LIMIT t.bulk_customers)) AS e ON true

-- name: complete
-- As in lane_store.sql, by the function of migration 0021.
SELECT number, as_decided FROM complete_stepwise($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20,
  $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31)

-- name: repair_lost_wakeup
-- As in lane_store.sql, by the function of migration 0020.
SELECT account_id FROM repair_stepwise($1) AS account_id WHERE account_id IS NOT NULL
