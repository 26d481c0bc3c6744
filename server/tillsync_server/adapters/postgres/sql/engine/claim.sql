-- Due entries of leased lanes, live ones first. Writes nothing; a statement of its own, so that it sees what is committed now.
-- $1 accounts, $2 live limits, $3 bulk limits, $4 entries in flight, $5 owners and $6 tokens of the leases: a lost one brings nothing. The
-- last column is the number of the request, from 1.
-- Index: entry_due.
SELECT e.account_id, e.entry_id, e.kind, e.subject_id, e.priority, e.entry_revision, lane.config_version, e.attempt_count,
  e.coalesced_count, e.force, e.account_email, e.billing_email, e.woo_customer_id, e.epos_customer_id, e.facts, e.chosen_epos_customer_id,
  t.number
FROM unnest($1::text[], $2::integer[], $3::integer[], $5::text[], $6::bigint[])
  WITH ORDINALITY AS t(account_id, live_limit, bulk_limit, owner, token, number)
JOIN lane ON lane.account_id = t.account_id
  /* invariant: lost-lanes-claim-nothing */ AND lane.lease_owner = t.owner AND lane.lease_token = t.token
  /* /invariant: lost-lanes-claim-nothing */
CROSS JOIN LATERAL (
  (SELECT * FROM entry WHERE entry.account_id = t.account_id AND state = 1 AND priority = 1 AND due_at <= now()
     AND entry_id NOT IN (SELECT unnest($4::uuid[]))
   ORDER BY due_at, entry_id LIMIT t.live_limit)
  UNION ALL
  (SELECT * FROM entry WHERE entry.account_id = t.account_id AND state = 1 AND priority = 2 AND due_at <= now()
     AND entry_id NOT IN (SELECT unnest($4::uuid[]))
   ORDER BY due_at, entry_id LIMIT t.bulk_limit)) AS e
