-- Sales of which a webhook named only the transaction: their customer is read from the till and hinted. A row goes when that is done. It
-- names no person.
CREATE TABLE till_sale (
  till_id text NOT NULL REFERENCES till,
  transaction_id bigint NOT NULL CHECK (transaction_id > 0),
  -- whose webhook it was: its credentials read the sale, as long as it has the till
  account_id text NOT NULL REFERENCES account,
  due_at timestamptz NOT NULL,
  -- goes up with each webhook: one that comes while the sale is being read has it read again
  revision bigint NOT NULL DEFAULT 1,
  attempt_count integer NOT NULL DEFAULT 0,
  create_time timestamptz NOT NULL,
  PRIMARY KEY (till_id, transaction_id)
);
CREATE INDEX till_sale_due ON till_sale (till_id, due_at, transaction_id);

-- When the till's next sale may be read: at the pace that leaves most of its allowance to others. NULL: none waits.
ALTER TABLE till ADD COLUMN sales_due_at timestamptz;
CREATE INDEX till_sales_due ON till (sales_due_at) WHERE sales_due_at IS NOT NULL;
