-- What retrying or closing entries decides on. $1 account, $2 entry ids, $3 and $4 bounds of filed_at (they leave out partitions).
-- Indexes: entry_pkey, entry_history_by_id. Under the lane's lock, or for a dry run without.
SELECT entry_id, kind, subject_id, state, priority, force, facts FROM queue_entry
WHERE account_id = $1 AND entry_id = ANY ($2::uuid[]) AND filed_at >= $3 AND filed_at < $4
