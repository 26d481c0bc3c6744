-- New settings of an account. $1 account, $2 to $18 settings, $19 to $25 encrypted secrets, $26 the database's time.
-- Runs after lock.sql in its transaction. Index: account primary key.
UPDATE account SET name = $2, customer_sync_enabled = $3, default_epos_customer_id = $4, match_email = $5, guest_policy = $6, auto_link = $7,
  sync_names = $8, sync_phone = $9, till_id = $10, shared_till = $11, epos_base_url = $12, epos_customer_api_version = $13,
  epos_customer_type_api_version = $14, epos_v4_type_field = $15, epos_requests_per_minute = $16, shop_base_url = $17,
  shop_price_decimals = $18, epos_api_key = $19, epos_api_secret = $20, epos_webhook_key = $21, epos_webhook_secret = $22,
  shop_consumer_key = $23, shop_consumer_secret = $24, shop_bridge_secret = $25, update_time = $26
WHERE account_id = $1
