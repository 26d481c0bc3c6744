-- Customers of a till whose row cannot be read, ascending. $1 till, $2 rows at most. Index: unread_row primary key.
SELECT epos_customer_id FROM unread_row WHERE till_id = $1 AND epos_customer_id IS NOT NULL ORDER BY epos_customer_id LIMIT $2
