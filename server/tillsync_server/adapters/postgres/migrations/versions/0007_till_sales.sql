-- Sales of which a webhook gave only the transaction. Their customer is read from the till and gets a hint, then the row is deleted. A row
-- contains no personal data.
CREATE TABLE till_sale (
  till_id text NOT NULL REFERENCES till,
  transaction_id bigint NOT NULL CHECK (transaction_id > 0),
  -- account of the webhook: its credentials read the sale as long as it has the till
  account_id text NOT NULL REFERENCES account,
  due_at timestamptz NOT NULL,
  -- rises with each webhook: if one arrives while the sale is read, the sale is read again
  revision bigint NOT NULL DEFAULT 1,
  attempt_count integer NOT NULL DEFAULT 0,
  create_time timestamptz NOT NULL,
  PRIMARY KEY (till_id, transaction_id)
);
CREATE INDEX till_sale_due ON till_sale (till_id, due_at, transaction_id);

-- When the till's next sale may be read, at a pace that leaves most of the allowance to other work. NULL: no sale waits.
ALTER TABLE till ADD COLUMN sales_due_at timestamptz;
CREATE INDEX till_sales_due ON till (sales_due_at) WHERE sales_due_at IS NOT NULL;
