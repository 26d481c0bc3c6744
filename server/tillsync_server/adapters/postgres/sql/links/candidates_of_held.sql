-- Which of these till customers are candidates of held orders. $1 account, $2 till customers. Index: entry_held_by_candidate.
SELECT DISTINCT candidate AS epos_customer_id
FROM entry, unnest(candidate_ids) AS candidate
WHERE account_id = $1 AND state = 4 AND candidate_ids && $2::bigint[] AND candidate = ANY ($2::bigint[])
