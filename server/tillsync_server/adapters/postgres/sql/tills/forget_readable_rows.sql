-- Rows that can be read again, or are not there any more: those of page $2 but for the keys $3 that it shows now, those of the customers $4,
-- wherever they stood, and what no page has shown for $5 days. $1 till. Index: unread_row primary key. Locks: those rows.
DELETE FROM unread_row WHERE till_id = $1 AND ((page = $2 AND key <> ALL ($3::text[])) OR epos_customer_id = ANY ($4::bigint[])
  OR last_time < now() - make_interval(days => $5))
