-- One account as get.sql reads it, its row locked. $1 account. Runs after lock_lane.sql in its transaction. Locks: the account's row.
SELECT a.account_id, a.name, a.customer_sync_enabled, a.default_epos_customer_id, a.match_email, a.guest_policy, a.auto_link,
  a.sync_names, a.sync_phone, a.till_id, a.shared_till, a.epos_base_url, a.epos_customer_api_version,
  a.epos_customer_type_api_version, a.epos_v4_type_field, a.epos_requests_per_minute, a.shop_base_url, a.shop_price_decimals,
  a.trusted_accounts, a.trusted_before,
  a.epos_api_key, a.epos_api_secret, a.epos_webhook_key, a.epos_webhook_secret, a.shop_consumer_key, a.shop_consumer_secret,
  a.shop_bridge_secret, a.create_time, a.update_time, l.config_version, l.till_probe_at, l.till_reason, l.till_text,
  l.till_since, l.till_entry_id, l.shop_probe_at, l.shop_reason, l.shop_text, l.shop_since, l.shop_entry_id, now() AS at
FROM account a JOIN account_state l USING (account_id)
WHERE a.account_id = $1 FOR NO KEY UPDATE OF a
