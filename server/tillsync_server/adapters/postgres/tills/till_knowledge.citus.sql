-- name: note_kinds
-- As in till_knowledge.sql, by the function of migration 0020.
SELECT note_kinds_stepwise($1, $2, $3, $4)
