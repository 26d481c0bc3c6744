-- Release lanes (migration 0014 has the function). $1 accounts, $2 owners, $3 tokens, $4 clean (resets lapses). Returns whether one of them
-- is ready: a lane that still has due work goes to the back of the line.
SELECT release_lanes($1, $2, $3, $4)
