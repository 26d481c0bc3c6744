-- The shop's answer to a route was nothing but its data. $1 account, $2 route. Index: stray_output primary key. Locks: that row.
DELETE FROM stray_output WHERE account_id = $1 AND route = $2
