-- Version of each account's bridge, as its calls name it. Accounts without a bridge have no row.
CREATE TABLE account_bridge (
  account_id text PRIMARY KEY REFERENCES account,
  version text NOT NULL CHECK (version ~ '^[0-9]{1,6}\.[0-9]{1,6}\.[0-9]{1,6}$'),
  -- a call of the bridge, at most an hour before the last one
  seen_time timestamptz NOT NULL
);
