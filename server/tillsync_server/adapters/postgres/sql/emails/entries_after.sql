-- Live entries in order of their keys, with their emails as compared and as the order gave them. $1 account and $2 entry to begin behind,
-- $3 most rows. Takes no lock. Index: entry primary key.
SELECT account_id AS key, entry_id AS id, account_email, billing_email, facts ->> 'account_email' AS given_account_email,
  facts ->> 'billing_email' AS given_billing_email
FROM entry WHERE (account_id, entry_id) > ($1, $2::uuid) ORDER BY account_id, entry_id LIMIT $3
