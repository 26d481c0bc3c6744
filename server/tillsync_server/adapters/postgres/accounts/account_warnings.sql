-- name: warnings
-- Returns warnings: problems that do not stop an account. Reason 1: events that the shop's bridge refused. Reason 2: rows of the till's
-- customer list that cannot be read; detail has the first five. Reason 3: routes whose answers had other output around the data in the last
-- $3 days; detail has the latest kind and plugin. Reason 4: another app is busy at the till; count is our part of the limit in detail,
-- before the time until which half of our part is taken. $1 accounts, $2 cap of counted events or rows, $4 seconds for which half is taken.
-- Takes no lock. Index: refused_event, unread_row, stray_output and till primary keys.
SELECT a.account_id, 1::smallint AS reason, refused.count, refused.since, refused.last_time, refused.detail
FROM unnest($1::text[]) AS a(account_id)
CROSS JOIN LATERAL (
  SELECT count(*) AS count, min(first_time) AS since, max(told_time) AS last_time, max(field) AS detail
  FROM (SELECT first_time, told_time, field FROM refused_event r WHERE r.account_id = a.account_id LIMIT $2) AS counted) AS refused
WHERE refused.count > 0
UNION ALL
SELECT a.account_id, 2::smallint, unread.count, unread.since, unread.last_time, unread.detail
FROM account a
CROSS JOIN LATERAL (
  SELECT count(*) AS count, min(first_time) AS since, max(last_time) AS last_time,
    string_agg(key, ', ' ORDER BY epos_customer_id, key) FILTER (WHERE number <= 5) AS detail
  FROM (
    SELECT key, epos_customer_id, first_time, last_time, row_number() OVER (ORDER BY epos_customer_id, key) AS number
    FROM unread_row u WHERE u.till_id = a.till_id LIMIT $2) AS counted) AS unread
WHERE a.account_id = ANY ($1::text[]) AND unread.count > 0
UNION ALL
SELECT s.account_id, 3::smallint, count(*), min(s.first_time), max(s.last_time),
  (array_agg(s.kind || ' ' || s.plugin ORDER BY s.last_time DESC))[1]
FROM stray_output s
WHERE s.account_id = ANY ($1::text[]) AND s.last_time > now() - make_interval(days => $3)
GROUP BY s.account_id
UNION ALL
SELECT a.account_id, 4::smallint, t.busy_allowance, t.busy_since, t.busy_until - make_interval(secs => $4),
  t.busy_limit || to_char(t.busy_until AT TIME ZONE 'UTC', ' HH24:MI')
FROM account a JOIN till t ON t.till_id = a.till_id
WHERE a.account_id = ANY ($1::text[]) AND t.busy_until > now()
ORDER BY account_id, reason

-- name: note_stray_output
-- Stores that a shop's answers have other output around their data. $1 account, $2 route, $3 kind of output, $4 the plugin that it names,
-- or ''. Writes nothing for an unknown account. Index: stray_output primary key. Locks: that row.
INSERT INTO stray_output AS s (account_id, route, kind, plugin, first_time, last_time)
SELECT account_id, $2, $3, $4, now(), now() FROM account WHERE account_id = $1
ON CONFLICT (account_id, route) DO UPDATE SET kind = excluded.kind, plugin = excluded.plugin, last_time = excluded.last_time

-- name: delete_stray_output
-- Deletes the stray output of a route whose answer was only data. $1 account, $2 route. Index: stray_output primary key. Locks: that row.
DELETE FROM stray_output WHERE account_id = $1 AND route = $2
