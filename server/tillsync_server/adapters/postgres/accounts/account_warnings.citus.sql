-- name: note_stray_output
-- As in account_warnings.sql, by the function of migration 0020.
SELECT note_stray_output_stepwise($1, $2, $3, $4)
