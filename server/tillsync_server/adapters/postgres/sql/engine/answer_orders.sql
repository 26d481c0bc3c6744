-- Store the answers of orders where they outlive their entries. $1 accounts, $2 entry ids, $3 order ids, $4 the database's time; then
-- per order $5 state, $6 outcome, $7 cause, $8 comment, $9 notes, $10 epos and $11 woo customer, $12 candidate ids as text.
-- Runs after finish.sql and reschedule.sql in their transaction. Index: order_match primary key.
UPDATE order_match m SET state = t.state, outcome = t.outcome, cause = t.cause, comment = t.comment, notes = t.notes,
  epos_customer_id = t.epos_customer_id, woo_customer_id = coalesce(t.woo_customer_id, m.woo_customer_id),
  candidate_ids = t.candidates::bigint[], update_time = $4
FROM unnest($1::text[], $2::uuid[], $3::bigint[], $5::smallint[], $6::smallint[], $7::smallint[], $8::text[], $9::text[], $10::bigint[],
    $11::bigint[], $12::text[])
  AS t(account_id, entry_id, order_id, state, outcome, cause, comment, notes, epos_customer_id, woo_customer_id, candidates)
WHERE m.account_id = t.account_id AND m.order_id = t.order_id AND m.entry_id = t.entry_id
