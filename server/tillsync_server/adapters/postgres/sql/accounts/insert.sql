-- A new account, or nothing where its id is taken. $1 account, $2 to $20 settings, $21 to $27 encrypted secrets (NULL where none is set).
-- Index: account primary key.
INSERT INTO account (account_id, name, customer_sync_enabled, default_epos_customer_id, match_email, guest_policy, auto_link, sync_names,
  sync_phone, till_id, shared_till, epos_base_url, epos_customer_api_version, epos_customer_type_api_version, epos_v4_type_field,
  epos_requests_per_minute, shop_base_url, shop_price_decimals, trusted_accounts, trusted_before, epos_api_key, epos_api_secret,
  epos_webhook_key, epos_webhook_secret, shop_consumer_key, shop_consumer_secret, shop_bridge_secret)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25,
  $26, $27)
ON CONFLICT (account_id) DO NOTHING
RETURNING account_id
