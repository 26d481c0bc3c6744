-- The row of a till that has none yet. $1 till. An existing one is left alone. Index: till primary key.
INSERT INTO till (till_id) VALUES ($1) ON CONFLICT (till_id) DO NOTHING
