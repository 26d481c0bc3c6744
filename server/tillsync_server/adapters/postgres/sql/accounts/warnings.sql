-- What is wrong with accounts without stopping them: reason 1, events that the shop's bridge refused. $1 accounts, $2 events counted at
-- most. Takes no lock. Index: refused_event primary key.
SELECT a.account_id, 1::smallint AS reason, refused.count, refused.since, refused.last_time, refused.detail
FROM unnest($1::text[]) AS a(account_id)
CROSS JOIN LATERAL (
  SELECT count(*) AS count, min(first_time) AS since, max(told_time) AS last_time, max(field) AS detail
  FROM (SELECT first_time, told_time, field FROM refused_event r WHERE r.account_id = a.account_id LIMIT $2) AS counted) AS refused
WHERE refused.count > 0
ORDER BY a.account_id
