-- Turns at a till. passed_over: requests booked by orders since live or bulk work took one; from nine on the next is for that work.
-- busy_*: another app of the company is busy, so half is taken until busy_until; busy_allowance of busy_limit requests a minute were taken
-- when the till refused one.
ALTER TABLE till ADD COLUMN passed_over smallint NOT NULL DEFAULT 0;
ALTER TABLE till ADD COLUMN busy_since timestamptz;
ALTER TABLE till ADD COLUMN busy_until timestamptz;
ALTER TABLE till ADD COLUMN busy_allowance integer;
ALTER TABLE till ADD COLUMN busy_limit integer;
