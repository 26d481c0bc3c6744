-- Versions for writes to the shop (migration 0013 has the function). $1 account, $2 owner, $3 token, $4 subject kind (1 shop customers,
-- 2 types), $5 subjects, $6 versions to go above, $7 the update_time of the settings (NULL: not asked), $8 the till customers that they must
-- be linked to, NULL where a subject is to be removed (all NULL: not asked), $9 shop customers whose removal must still be wanted.
SELECT subject, version FROM draw_versions($1, $2, $3, $4, $5, $6, $7, $8, $9)
