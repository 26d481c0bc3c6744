-- Order events that a shop's bridge could not read, because it is older than the service. They count as delivered, so that the others go
-- on. They are sent again regularly, and when the shop is connected again, because the bridge may have been updated. A row is deleted when
-- the bridge has taken the event, or a newer one of its order.
CREATE TABLE refused_event (
  account_id text NOT NULL REFERENCES account,
  order_id bigint NOT NULL CHECK (order_id > 0),
  sequence bigint NOT NULL CHECK (sequence > 0),
  -- field of the event that the bridge names
  field text NOT NULL,
  first_time timestamptz NOT NULL,
  told_time timestamptz NOT NULL,
  PRIMARY KEY (account_id, order_id)
);
CREATE INDEX refused_event_by_time ON refused_event (told_time);
