-- Held orders run again, with fresh attempts; equally due, so in order of arrival. $1 account, $2 entries, $3 the database's time,
-- $4 the till customer a person chose for them (or NULL). Their answers wait again too. Returns how many.
-- Under the lane's lock. Indexes: entry primary key, order_match primary key.
WITH released AS (
  UPDATE entry SET state = 1, due_at = greatest($3, not_before), priority = 1, attempt_count = 0, entry_revision = entry_revision + 1,
    chosen_epos_customer_id = coalesce($4::bigint, chosen_epos_customer_id), update_time = $3
  WHERE account_id = $1 AND entry_id = ANY ($2::uuid[]) AND state = 4
  RETURNING entry_id, subject_id),
answers AS (
  UPDATE order_match m SET state = 1, update_time = $3 FROM released
  WHERE m.account_id = $1 AND m.order_id = released.subject_id AND m.entry_id = released.entry_id)
SELECT count(*) FROM released
