-- Create intents that are done for a day, in order of their keys. Younger ones are still looked for under the form they were taken in.
-- $1 till and $2 email to begin behind, $3 most rows. Takes no lock. Index: intent primary key.
SELECT till_id AS key, email AS id, state = 3 AND settled_at < now() - interval '1 day' AS is_past FROM intent
WHERE (till_id, email) > ($1, $2::text) ORDER BY till_id, email LIMIT $3
