-- The encrypted secrets of the next accounts that have any. $1 after this account, $2 most rows. Locks: the accounts' rows, in account order,
-- and no lane (whoever changes settings locks lane, then row). Index: account primary key.
SELECT account_id, epos_api_key, epos_api_secret, epos_webhook_key, epos_webhook_secret,
  shop_consumer_key, shop_consumer_secret, shop_bridge_secret
FROM account
WHERE account_id > $1 AND num_nonnulls(epos_api_key, epos_api_secret, epos_webhook_key, epos_webhook_secret,
  shop_consumer_key, shop_consumer_secret, shop_bridge_secret) > 0
ORDER BY account_id LIMIT $2 FOR NO KEY UPDATE
