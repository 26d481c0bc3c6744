-- Due entries of leased lanes, in order of their classes, and the account's ill sides. Writes nothing; a statement of its own, so that it sees
-- what is committed now.
-- $1 accounts; $2 owners and $3 tokens of the leases: a lost one brings no row; limits: $4 live orders, $5 live customers and types, $6 bulk
-- orders, $7 bulk customers and types; $8 entries in flight. Each lane brings at least one row, with the number of its request (from 1) and
-- the sides; its entry is NULL where none is due.
-- Index: entry_due_by_queue.
SELECT t.number, extract(epoch FROM lane.till_probe_at - now())::float8, extract(epoch FROM lane.shop_probe_at - now())::float8,
  t.account_id, e.entry_id, e.kind, e.subject_id, e.priority, e.entry_revision, lane.config_version, e.attempt_count,
  e.coalesced_count, e.force, e.account_email, e.billing_email, e.woo_customer_id, e.epos_customer_id, e.facts, e.chosen_epos_customer_id
FROM unnest($1::text[], $2::text[], $3::bigint[], $4::integer[], $5::integer[], $6::integer[], $7::integer[])
  WITH ORDINALITY AS t(account_id, owner, token, live_orders, live_customers, bulk_orders, bulk_customers, number)
JOIN lane ON lane.account_id = t.account_id
  /* invariant: lost-lanes-claim-nothing */ AND lane.lease_owner = t.owner AND lane.lease_token = t.token
  /* /invariant: lost-lanes-claim-nothing */
LEFT JOIN LATERAL (
  (SELECT * FROM entry WHERE entry.account_id = t.account_id AND state = 1 AND queue = 2 AND priority = 1 AND due_at <= now()
     AND entry_id NOT IN (SELECT unnest($8::uuid[]))
   ORDER BY due_at, entry_id LIMIT t.live_orders)
  UNION ALL
  (SELECT * FROM entry WHERE entry.account_id = t.account_id AND state = 1 AND queue = 1 AND priority = 1 AND due_at <= now()
     AND entry_id NOT IN (SELECT unnest($8::uuid[]))
   ORDER BY due_at, entry_id LIMIT t.live_customers)
  UNION ALL
  (SELECT * FROM entry WHERE entry.account_id = t.account_id AND state = 1 AND queue = 2 AND priority = 2 AND due_at <= now()
     AND entry_id NOT IN (SELECT unnest($8::uuid[]))
   ORDER BY due_at, entry_id LIMIT t.bulk_orders)
  UNION ALL
  (SELECT * FROM entry WHERE entry.account_id = t.account_id AND state = 1 AND queue = 1 AND priority = 2 AND due_at <= now()
     AND entry_id NOT IN (SELECT unnest($8::uuid[]))
   ORDER BY due_at, entry_id LIMIT t.bulk_customers)) AS e ON true
