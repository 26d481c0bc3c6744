-- How much a change of settings would queue again. $1 account, $2 what (as in requeue.what). Indexes: the account's part of the primary keys
-- of link and customer_type, entry_by_state, shop_removal_by_epos. Takes no lock.
SELECT w.what, CASE w.what
  WHEN 1 THEN (SELECT count(*) FROM link WHERE account_id = $1)
  WHEN 2 THEN (SELECT count(*) FROM customer_type WHERE account_id = $1)
  WHEN 3 THEN (SELECT count(*) FROM entry WHERE account_id = $1 AND queue = 2 AND state = 4)
  WHEN 4 THEN (SELECT count(DISTINCT epos_customer_id) FROM shop_removal WHERE account_id = $1)
  END AS entries
FROM unnest($2::smallint[]) AS w(what)
