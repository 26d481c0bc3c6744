-- A restored database that was not compared with the shops yet. While the row exists, no process of the service starts.
CREATE TABLE restore (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  restored_at timestamptz NOT NULL,
  -- time of the backup; the database lacks what happened later. NULL: not known
  since timestamptz
);

-- Accounts that `tillsync after-restore` has completed since the restore. It deletes the rows with the row of restore.
CREATE TABLE restored_account (
  account_id text PRIMARY KEY REFERENCES account,
  done_at timestamptz NOT NULL
);

-- When the database with this till was restored from a backup. The creates of customers in the time before are forgotten. NULL: never.
ALTER TABLE till ADD COLUMN restored_at timestamptz;
