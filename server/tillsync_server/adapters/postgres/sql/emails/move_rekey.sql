-- One chunk is behind us. $1 what, $2 and $3 where it began, $4 and $5 where it ended, $6 rows changed. Another process that did the same
-- chunk changes nothing. Index: email_rekey primary key. Locks: that row.
UPDATE email_rekey SET after_key = $4, after_id = $5, changed = changed + $6::bigint WHERE what = $1 AND after_key = $2 AND after_id = $3
