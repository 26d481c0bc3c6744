-- Whether and why an account waits, and the database's time. $1 account. Index: lane primary key. Takes no lock.
SELECT paused_until, problem_reason, problem_side, problem_text, problem_since, problem_entry_id, now() AS at
FROM lane WHERE account_id = $1
