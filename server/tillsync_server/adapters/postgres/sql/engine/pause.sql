-- Pause lanes (an account-wide failure) after fence.sql in its transaction. $1 accounts, $2 seconds, $3 reasons, $4 sides, $5 texts,
-- $6 the entries that met it, $7 the database's time.
UPDATE lane SET paused_until = $7::timestamptz + make_interval(secs => t.seconds), pause_count = pause_count + 1,
  problem_since = CASE WHEN problem_reason = t.reason AND problem_side = t.side THEN problem_since ELSE $7 END,
  problem_entry_id = CASE WHEN problem_reason = t.reason AND problem_side = t.side THEN problem_entry_id ELSE t.entry_id END,
  problem_reason = t.reason, problem_side = t.side, problem_text = t.text
FROM unnest($1::text[], $2::float8[], $3::smallint[], $4::smallint[], $5::text[], $6::uuid[])
  AS t(account_id, seconds, reason, side, text, entry_id)
WHERE lane.account_id = t.account_id
