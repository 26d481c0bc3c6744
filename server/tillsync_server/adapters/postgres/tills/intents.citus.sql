-- name: open_intent
-- As in intents.sql, by the function of migration 0020.
SELECT is_open FROM open_intent_stepwise($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) AS is_open WHERE is_open
