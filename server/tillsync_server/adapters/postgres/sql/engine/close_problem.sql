-- Close the account problem of lanes whose side evidently works again. $1 accounts. After fence.sql in its transaction.
UPDATE lane SET paused_until = NULL, pause_count = 0, problem_reason = NULL, problem_side = NULL, problem_text = NULL,
  problem_since = NULL, problem_entry_id = NULL
WHERE account_id = ANY($1::text[])
