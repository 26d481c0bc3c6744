-- Other output stands around the data of a shop's answers. $1 account, $2 route, $3 kind of output, $4 the plugin that it names, or ''.
-- Nothing of an account that is not there. Index: stray_output primary key. Locks: that row.
INSERT INTO stray_output AS s (account_id, route, kind, plugin, first_time, last_time)
SELECT account_id, $2, $3, $4, now(), now() FROM account WHERE account_id = $1
ON CONFLICT (account_id, route) DO UPDATE SET kind = excluded.kind, plugin = excluded.plugin, last_time = excluded.last_time
