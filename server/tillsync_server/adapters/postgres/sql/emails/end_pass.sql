-- One reading of a table is complete. It is the last one where it is not the first and changed nothing: no process of the release before
-- has written since. Another process that comes to the same end changes nothing. $1 what, $2 and $3 where its last chunk began, $4 rows changed by that, $5 seconds to the next
-- reading. Returns the rows changed by this reading. Index: email_rekey primary key. Locks: that row.
WITH clock AS MATERIALIZED (SELECT now() AS at)
UPDATE email_rekey r SET after_key = '', after_id = '', changed = 0, passes = r.passes + 1,
  done = r.passes > 0 AND r.changed + $4::bigint = 0, next_time = clock.at + make_interval(secs => $5)
FROM clock, email_rekey before
WHERE r.what = $1 AND r.after_key = $2 AND r.after_id = $3 AND r.next_time <= clock.at AND before.what = r.what
RETURNING before.changed + $4::bigint AS changed
