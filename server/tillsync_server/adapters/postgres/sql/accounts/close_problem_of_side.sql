-- Close the account problem of one side, which was tested and works. $1 account, $2 side. No row: none is open on that side.
-- Runs after lock_lane.sql in its transaction; end_pause.sql follows. Index: lane primary key.
UPDATE lane SET problem_reason = NULL, problem_side = NULL, problem_text = NULL, problem_since = NULL, problem_entry_id = NULL
WHERE account_id = $1 AND problem_side = $2
RETURNING account_id
