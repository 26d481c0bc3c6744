-- Order events for shops with a bridge: one row an order, in which a newer event replaces an older one. sequence rises with each event and
-- is never reset; delivered is the highest sequence that the shop has taken.
CREATE TABLE order_event (
  account_id text NOT NULL REFERENCES account,
  order_id bigint NOT NULL CHECK (order_id > 0),
  sequence bigint NOT NULL CHECK (sequence > 0),
  delivered bigint NOT NULL DEFAULT 0,
  -- 1 order.finished, 2 decision.needed, 3 decision.closed
  type smallint NOT NULL CHECK (type BETWEEN 1 AND 3),
  -- NULL after an erasure
  entry_id uuid,
  state smallint NOT NULL,
  outcome smallint,
  event_time timestamptz NOT NULL,
  PRIMARY KEY (account_id, order_id)
) WITH (fillfactor = 80);
CREATE INDEX order_event_waiting ON order_event (account_id, event_time, order_id) WHERE sequence > delivered;

-- The lease to send an account's events (one process at a time), and the time of the next try.
CREATE TABLE event_delivery (
  account_id text PRIMARY KEY REFERENCES account,
  lease_token bigint NOT NULL,
  lease_expires_at timestamptz NOT NULL,
  failures integer NOT NULL DEFAULT 0,
  next_try_at timestamptz NOT NULL
);

-- ErasePerson and ExportPerson search by the till customer of an answer or of a create, and by the shop customer of an answer.
CREATE INDEX order_match_by_woo_customer ON order_match (account_id, woo_customer_id) WHERE woo_customer_id IS NOT NULL;
CREATE INDEX order_match_by_epos_customer ON order_match (account_id, epos_customer_id) WHERE epos_customer_id IS NOT NULL;
CREATE INDEX intent_by_account ON intent (account_id, epos_customer_id);
