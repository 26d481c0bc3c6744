-- Due entries of leased lanes, in order of their classes, and the account's ill sides. Writes nothing; a statement of its own, so that it sees
-- what is committed now.
-- $1 accounts; $2 owners and $3 tokens of the leases: a lost one brings no row; limits: $4 live orders, $5 live customers and types, $6 bulk
-- orders, $7 bulk customers and types; $8 entries in flight. Each lane brings at least one row, with the number of its request (from 1) and
-- the sides; its entry is NULL where none is due.
-- Indexes: lane_pkey; entry_due_by_queue (due_entries, migration 0014) from the lane's bound on: before it stand only dead entries.
SELECT t.number, extract(epoch FROM lane.till_probe_at - now())::float8, extract(epoch FROM lane.shop_probe_at - now())::float8,
  t.account_id, e.entry_id, e.kind, e.subject_id, e.priority, e.entry_revision, lane.config_version, e.attempt_count,
  e.coalesced_count, e.force, e.account_email, e.billing_email, e.woo_customer_id, e.epos_customer_id, e.facts, e.chosen_epos_customer_id
FROM unnest($1::text[], $2::text[], $3::bigint[], $4::integer[], $5::integer[], $6::integer[], $7::integer[])
  WITH ORDINALITY AS t(account_id, owner, token, live_orders, live_customers, bulk_orders, bulk_customers, number)
JOIN lane ON lane.account_id = t.account_id
  /* invariant: lost-lanes-claim-nothing */ AND lane.lease_owner = t.owner AND lane.lease_token = t.token
  /* /invariant: lost-lanes-claim-nothing */
LEFT JOIN LATERAL (
  SELECT * FROM due_entries(t.account_id, 2::smallint, 1::smallint, lane.due_from, t.live_orders, $8::uuid[])
  UNION ALL
  SELECT * FROM due_entries(t.account_id, 1::smallint, 1::smallint, lane.due_from, t.live_customers, $8::uuid[])
  UNION ALL
  SELECT * FROM due_entries(t.account_id, 2::smallint, 2::smallint, lane.due_from, t.bulk_orders, $8::uuid[])
  UNION ALL
  SELECT * FROM due_entries(t.account_id, 1::smallint, 2::smallint, lane.due_from, t.bulk_customers, $8::uuid[])) AS e ON true
