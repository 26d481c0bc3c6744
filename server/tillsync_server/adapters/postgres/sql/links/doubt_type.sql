-- What the shop holds of a type is not known until its next write is confirmed. $1 account, $2 type. Index: customer_type primary key.
UPDATE customer_type SET content_hash = NULL WHERE account_id = $1 AND epos_customer_type_id = $2
