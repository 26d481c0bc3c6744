-- New settings of an account. $1 account, $2 to $20 settings, $21 to $27 encrypted secrets, $28 the database's time.
-- Runs after lock.sql in its transaction. Index: account primary key.
UPDATE account SET name = $2, customer_sync_enabled = $3, default_epos_customer_id = $4, match_email = $5, guest_policy = $6, auto_link = $7,
  sync_names = $8, sync_phone = $9, till_id = $10, shared_till = $11, epos_base_url = $12, epos_customer_api_version = $13,
  epos_customer_type_api_version = $14, epos_v4_type_field = $15, epos_requests_per_minute = $16, shop_base_url = $17,
  shop_price_decimals = $18, trusted_accounts = $19, trusted_before = $20, epos_api_key = $21, epos_api_secret = $22, epos_webhook_key = $23,
  epos_webhook_secret = $24, shop_consumer_key = $25, shop_consumer_secret = $26, shop_bridge_secret = $27, update_time = $28
WHERE account_id = $1
