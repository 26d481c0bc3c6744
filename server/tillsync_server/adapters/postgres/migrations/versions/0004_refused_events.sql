-- Order events that a shop's bridge could not read: older than the service, it does not know what they say. They count as delivered, so
-- that the others go on, and are told again from time to time, and when the shop is connected anew: the bridge may have been updated.
-- Gone once the bridge has taken the event, or a newer one of its order.
CREATE TABLE refused_event (
  account_id text NOT NULL REFERENCES account,
  order_id bigint NOT NULL CHECK (order_id > 0),
  sequence bigint NOT NULL CHECK (sequence > 0),
  -- of the event, as the bridge names it
  field text NOT NULL,
  first_time timestamptz NOT NULL,
  told_time timestamptz NOT NULL,
  PRIMARY KEY (account_id, order_id)
);
CREATE INDEX refused_event_by_time ON refused_event (told_time);
