-- What is known of a till under one configuration. $1 till, $2 configuration. Index: till_knowledge primary key.
SELECT search_proven_at, kinds_proven_at, customers_read_at, types_read_at, last_page
FROM till_knowledge WHERE till_id = $1 AND configuration = $2
