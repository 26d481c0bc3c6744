-- Other tills at the same address that have some of these customers: they look like the same Epos Now company. $1 till, $2 customer ids.
-- Index: account_by_till. Reads the samples of all tills (CheckAccount only). Takes no lock.
SELECT t.till_id FROM till t
WHERE t.till_id <> $1 AND t.sample_customer_ids && $2::bigint[] AND EXISTS (
  SELECT FROM account mine JOIN account other ON other.till_id = t.till_id AND other.epos_base_url = mine.epos_base_url
  WHERE mine.till_id = $1)
ORDER BY t.till_id
