-- Rows of a till's customer list that nobody can read. They are passed over, and named in the status of the till's accounts. Nothing of a
-- row's content is kept. Gone when the row can be read again, or when no page has shown it for a week.
CREATE TABLE unread_row (
  till_id text NOT NULL REFERENCES till,
  -- the customer's id, or of a row without one its place in the list
  key text NOT NULL,
  page integer NOT NULL CHECK (page > 0),
  epos_customer_id bigint CHECK (epos_customer_id > 0),
  reason text NOT NULL,
  first_time timestamptz NOT NULL,
  last_time timestamptz NOT NULL,
  PRIMARY KEY (till_id, key)
);
