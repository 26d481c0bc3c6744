-- New settings of an account. $1 account, $2 to $17 settings, $18 to $24 encrypted secrets, $25 the database's time.
-- Runs after lock.sql in its transaction. Index: account primary key.
UPDATE account SET name = $2, customer_sync_enabled = $3, default_epos_customer_id = $4, match_email = $5, guest_policy = $6, auto_link = $7,
  sync_names = $8, sync_phone = $9, till_id = $10, shared_till = $11, epos_base_url = $12, epos_customer_api_version = $13,
  epos_customer_type_api_version = $14, epos_v4_type_field = $15, epos_requests_per_minute = $16, shop_base_url = $17,
  epos_api_key = $18, epos_api_secret = $19, epos_webhook_key = $20, epos_webhook_secret = $21, shop_consumer_key = $22,
  shop_consumer_secret = $23, shop_bridge_secret = $24,
  update_time = $25
WHERE account_id = $1
