-- The same secrets under another key. $1 account, $2 to $8 encrypted secrets. Neither settings nor their version change.
-- Runs after secrets_after.sql in its transaction. Index: account primary key.
UPDATE account SET epos_api_key = $2, epos_api_secret = $3, epos_webhook_key = $4, epos_webhook_secret = $5, shop_consumer_key = $6,
  shop_consumer_secret = $7, shop_bridge_secret = $8
WHERE account_id = $1
