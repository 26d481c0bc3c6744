-- Whether and why an account's entries wait, and the database's time. $1 account. Indexes: primary keys of lane and account_side. No lock.
SELECT till_probe_at, till_reason, till_text, till_since, till_entry_id, shop_probe_at, shop_reason, shop_text, shop_since, shop_entry_id,
  now() AS at
FROM account_state WHERE account_id = $1
