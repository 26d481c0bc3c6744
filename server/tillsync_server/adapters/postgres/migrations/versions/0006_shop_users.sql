-- A number of the shop is no person: when the user registered, and when the till was last read for the customer.
ALTER TABLE link ADD COLUMN woo_registered_at timestamptz, ADD COLUMN epos_read_at timestamptz;

-- held orders that wait because of a till customer (array operators of PostgreSQL itself; ids of other accounts are filtered)
CREATE INDEX entry_held_by_candidate ON entry USING gin (candidate_ids) WHERE state = 4 AND candidate_ids IS NOT NULL;
