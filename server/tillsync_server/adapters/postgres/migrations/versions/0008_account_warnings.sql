-- Rows of a till's customer list that cannot be read. They are skipped, and named in the status of the till's accounts. No content of a row
-- is stored. A row is deleted when it can be read again, or when no page has shown it for a week.
CREATE TABLE unread_row (
  till_id text NOT NULL REFERENCES till,
  -- the customer's id, or the place in the list of a row without id
  key text NOT NULL,
  page integer NOT NULL CHECK (page > 0),
  epos_customer_id bigint CHECK (epos_customer_id > 0),
  reason text NOT NULL,
  first_time timestamptz NOT NULL,
  last_time timestamptz NOT NULL,
  PRIMARY KEY (till_id, key)
);

-- Other output around the data of a shop's answers, by route. Of the output only the folder of the plugin or theme that it names is stored.
-- A row is deleted at the next answer that is only data; it is reported for a week.
CREATE TABLE stray_output (
  account_id text NOT NULL REFERENCES account,
  route text NOT NULL,
  -- 1 byte-order marks and blanks before the data, 2 text before it, 3 text after it
  kind smallint NOT NULL CHECK (kind BETWEEN 1 AND 3),
  plugin text NOT NULL,
  first_time timestamptz NOT NULL,
  last_time timestamptz NOT NULL,
  PRIMARY KEY (account_id, route)
);
