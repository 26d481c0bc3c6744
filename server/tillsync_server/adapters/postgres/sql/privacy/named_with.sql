-- Which customers the records with an email name. $1 account, $2 forms of the email, $3 most of each kind. The till customer of an
-- order that another account email decided about is not named; its shop customer stands apart (billed). What went to the default customer
-- (outcome 14) names nobody. Takes no lock. Indexes: order_match_by_… and entry_by_… and entry_history_by_… account_email, billing_email, intent_by_account.
WITH found AS MATERIALIZED (
  SELECT woo_customer_id, epos_customer_id, candidate_ids, outcome, true AS is_own
  FROM order_match WHERE account_id = $1 AND account_email = ANY ($2::text[])
  UNION ALL SELECT woo_customer_id, epos_customer_id, candidate_ids, outcome, true
  FROM queue_entry WHERE account_id = $1 AND account_email = ANY ($2::text[])
  UNION ALL SELECT woo_customer_id, epos_customer_id, candidate_ids, outcome, account_email IS NULL
  FROM order_match WHERE account_id = $1 AND billing_email = ANY ($2::text[])
    AND (account_email IS NULL OR account_email <> ALL ($2::text[]))
  UNION ALL SELECT woo_customer_id, epos_customer_id, candidate_ids, outcome, account_email IS NULL
  FROM queue_entry WHERE account_id = $1 AND billing_email = ANY ($2::text[])
    AND (account_email IS NULL OR account_email <> ALL ($2::text[])))
SELECT
  ARRAY(
    SELECT epos_customer_id FROM found WHERE is_own AND epos_customer_id IS NOT NULL AND outcome IS DISTINCT FROM 14
    UNION SELECT candidate FROM found CROSS JOIN LATERAL unnest(candidate_ids) AS candidate WHERE is_own
    UNION SELECT epos_customer_id FROM intent WHERE account_id = $1 AND email = ANY ($2::text[]) AND epos_customer_id IS NOT NULL
    ORDER BY 1 LIMIT $3) AS epos,
  ARRAY(SELECT DISTINCT woo_customer_id FROM found WHERE is_own AND woo_customer_id IS NOT NULL ORDER BY 1 LIMIT $3) AS woo,
  ARRAY(SELECT DISTINCT woo_customer_id FROM found WHERE NOT is_own AND woo_customer_id IS NOT NULL ORDER BY 1 LIMIT $3) AS billed
