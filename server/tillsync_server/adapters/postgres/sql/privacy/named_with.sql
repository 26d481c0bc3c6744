-- Which customers the records with an email name. $1 account, $2 forms of the email, $3 most of each kind. A billing email counts where the order has no
-- account email of its own; what went to the default customer (outcome 14) names nobody. Takes no lock. Indexes:
-- order_match_by_… and entry_by_… and entry_history_by_… account_email, billing_email, intent_by_account.
WITH found AS MATERIALIZED (
  SELECT woo_customer_id, epos_customer_id, candidate_ids, outcome FROM order_match WHERE account_id = $1 AND account_email = ANY ($2::text[])
  UNION ALL SELECT woo_customer_id, epos_customer_id, candidate_ids, outcome FROM queue_entry WHERE account_id = $1 AND account_email = ANY ($2::text[])
  UNION ALL SELECT NULL, epos_customer_id, candidate_ids, outcome FROM order_match
    WHERE account_id = $1 AND billing_email = ANY ($2::text[]) AND account_email IS NULL
  UNION ALL SELECT NULL, epos_customer_id, candidate_ids, outcome FROM queue_entry
    WHERE account_id = $1 AND billing_email = ANY ($2::text[]) AND account_email IS NULL)
SELECT
  ARRAY(
    SELECT epos_customer_id FROM found WHERE epos_customer_id IS NOT NULL AND outcome IS DISTINCT FROM 14
    UNION SELECT candidate FROM found CROSS JOIN LATERAL unnest(candidate_ids) AS candidate
    UNION SELECT epos_customer_id FROM intent WHERE account_id = $1 AND email = ANY ($2::text[]) AND epos_customer_id IS NOT NULL
    ORDER BY 1 LIMIT $3) AS epos,
  ARRAY(SELECT DISTINCT woo_customer_id FROM found WHERE woo_customer_id IS NOT NULL ORDER BY 1 LIMIT $3) AS woo
