-- The row of a till, made where it is missing, locked in either case. $1 till. Locks: the till (after lanes).
INSERT INTO till AS t (till_id) VALUES ($1) ON CONFLICT (till_id) DO UPDATE SET till_id = t.till_id
