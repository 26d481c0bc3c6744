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

-- Other output around the data of a shop's answers, by the route that was asked. Nothing of the output is kept but the folder of the plugin
-- or theme that it names. Gone with the next answer that is nothing but data; told of for a week.
CREATE TABLE stray_output (
  account_id text NOT NULL REFERENCES account,
  route text NOT NULL,
  -- 1 byte-order marks and blanks before it, 2 text before it, 3 text behind it
  kind smallint NOT NULL CHECK (kind BETWEEN 1 AND 3),
  plugin text NOT NULL,
  first_time timestamptz NOT NULL,
  last_time timestamptz NOT NULL,
  PRIMARY KEY (account_id, route)
);
