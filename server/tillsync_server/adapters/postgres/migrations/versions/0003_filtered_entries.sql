-- The filter of ListQueue: the conditions that every statement `queues/list_by_…` checks besides the index condition in its name. NULL: the
-- filter is not set. The planner inlines the function (one SELECT, STABLE, not STRICT, no SET), so the indexes under the view and the
-- exclusion of partitions (filed_…, kept_as) work. The EXPLAIN guards of the tests check that.
CREATE FUNCTION filtered_entries(
  of_account text, of_queue smallint, any_state smallint[], any_outcome smallint[], epos_customer bigint, woo_customer bigint,
  shop_order bigint, email text, containing text, created_from timestamptz, created_before timestamptz, ids_from uuid,
  ids_before uuid, filed_from timestamptz, filed_before timestamptz, kept_as smallint[]
) RETURNS SETOF queue_entry LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
  SELECT q.* FROM queue_entry q
  WHERE q.account_id = of_account
    AND q.queue = of_queue
    AND (any_state IS NULL OR q.state = ANY (any_state))
    AND (any_outcome IS NULL OR q.outcome = ANY (any_outcome) OR q.cause = ANY (any_outcome))
    AND (epos_customer IS NULL OR q.epos_customer_id = epos_customer OR (q.kind = 1 AND q.subject_id = epos_customer))
    AND (woo_customer IS NULL OR q.woo_customer_id = woo_customer)
    AND (shop_order IS NULL OR (q.kind = 3 AND q.subject_id = shop_order))
    AND (email IS NULL OR q.account_email = email OR q.billing_email = email)
    AND (containing IS NULL
      OR strpos(lower(concat_ws(E'\n', q.subject_label, q.order_number, q.comment, q.notes)), lower(containing)) > 0)
    AND (created_from IS NULL OR q.create_time >= created_from)
    AND (created_before IS NULL OR q.create_time < created_before)
    AND q.entry_id >= ids_from AND q.entry_id < ids_before
    AND q.filed_at >= filed_from AND q.filed_at < filed_before
    AND q.retention = ANY (kept_as);
END;
