-- name: draw_versions
-- As in shop_state.sql, by the function of migration 0020.
SELECT subject, version FROM draw_versions_stepwise($1, $2, $3, $4, $5, $6, $7, $8, $9)
