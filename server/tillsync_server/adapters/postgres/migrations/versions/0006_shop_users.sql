-- A shop number may get another person, so the time when its user registered is stored, and when the till customer was last read.
ALTER TABLE link ADD COLUMN woo_registered_at timestamptz, ADD COLUMN epos_read_at timestamptz;

-- held orders that wait because of a till customer (array operators of PostgreSQL itself; rows of other accounts are filtered out)
CREATE INDEX entry_held_by_candidate ON entry USING gin (candidate_ids) WHERE state = 4 AND candidate_ids IS NOT NULL;
