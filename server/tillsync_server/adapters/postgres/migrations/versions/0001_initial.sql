-- All tables are in one schema (search_path). No extension is used. Every key begins with account_id or till_id.

CREATE TABLE account (
  account_id text PRIMARY KEY CHECK (account_id ~ '^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$'),
  name text NOT NULL DEFAULT '',
  customer_sync_enabled boolean NOT NULL DEFAULT true,
  default_epos_customer_id bigint CHECK (default_epos_customer_id > 0),
  match_email smallint NOT NULL DEFAULT 1 CHECK (match_email BETWEEN 1 AND 2),
  guest_policy smallint NOT NULL DEFAULT 1 CHECK (guest_policy BETWEEN 1 AND 3),
  auto_link boolean NOT NULL DEFAULT true,
  sync_names boolean NOT NULL DEFAULT false,
  sync_phone boolean NOT NULL DEFAULT false,
  till_id text NOT NULL,
  shared_till boolean NOT NULL DEFAULT false,
  epos_base_url text NOT NULL,
  epos_customer_api_version smallint NOT NULL DEFAULT 2 CHECK (epos_customer_api_version IN (2, 4)),
  epos_customer_type_api_version smallint NOT NULL DEFAULT 2 CHECK (epos_customer_type_api_version IN (2, 4)),
  epos_v4_type_field smallint NOT NULL DEFAULT 1 CHECK (epos_v4_type_field BETWEEN 1 AND 4),
  epos_requests_per_minute integer NOT NULL DEFAULT 300 CHECK (epos_requests_per_minute BETWEEN 1 AND 100000),
  shop_base_url text NOT NULL DEFAULT '',
  -- encrypted (adapters/postgres/encryption/secret_box.py); NULL if not set
  epos_api_key bytea, epos_api_secret bytea, epos_webhook_key bytea, epos_webhook_secret bytea,
  shop_consumer_key bytea, shop_consumer_secret bytea, shop_bridge_secret bytea,
  create_time timestamptz NOT NULL DEFAULT now(),
  update_time timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX account_by_till ON account (till_id, account_id);

-- One row per account: its single line of execution. It is locked before any other row of the account, in account order.
CREATE TABLE lane (
  account_id text PRIMARY KEY REFERENCES account,
  -- when the lane next has work (any, and live), with pauses counted in; not used while leased, set by the release
  next_run_at timestamptz NOT NULL DEFAULT 'infinity',
  next_live_at timestamptz NOT NULL DEFAULT 'infinity',
  lease_owner text,
  lease_token bigint NOT NULL DEFAULT 0,
  lease_expires_at timestamptz,
  lapses integer NOT NULL DEFAULT 0,
  config_version bigint NOT NULL DEFAULT 1,
  paused_until timestamptz,
  pause_count integer NOT NULL DEFAULT 0,
  problem_reason smallint,
  problem_side smallint,
  problem_text text,
  problem_since timestamptz,
  problem_entry_id uuid,
  CHECK ((lease_owner IS NULL) = (lease_expires_at IS NULL))
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0);
-- Each index finds both ready lanes and lanes whose lease ran out.
CREATE INDEX lane_ready ON lane ((coalesce(lease_expires_at, next_run_at)));
CREATE INDEX lane_ready_live ON lane ((coalesce(lease_expires_at, next_live_at)));

-- The hot table has live entries only (PENDING 1, HELD 4). The statement that ends an entry moves it to entry_history.
CREATE TABLE entry (
  account_id text NOT NULL,
  entry_id uuid NOT NULL,
  queue smallint NOT NULL CHECK (queue IN (1, 2)),
  kind smallint NOT NULL CHECK (kind IN (1, 2, 3)),
  subject_id bigint NOT NULL CHECK (subject_id > 0),
  state smallint NOT NULL DEFAULT 1 CHECK (state IN (1, 4)),
  priority smallint NOT NULL CHECK (priority IN (1, 2)),
  force boolean NOT NULL DEFAULT false,
  due_at timestamptz NOT NULL,
  not_before timestamptz,
  entry_revision bigint NOT NULL DEFAULT 1,
  attempt_count integer NOT NULL DEFAULT 0,
  coalesced_count integer NOT NULL DEFAULT 0,
  outcome smallint,
  cause smallint,
  comment text NOT NULL DEFAULT '',
  notes text NOT NULL DEFAULT '',
  epos_customer_id bigint,
  woo_customer_id bigint,
  order_number text,
  subject_label text NOT NULL DEFAULT '',
  account_email text,
  billing_email text,
  candidate_ids bigint[],
  -- the till customer that a person chose for this order (ResolveOrderCustomer); new facts clear it
  chosen_epos_customer_id bigint,
  facts jsonb,
  attempts jsonb NOT NULL DEFAULT '[]',
  retried_from uuid,
  create_time timestamptz NOT NULL,
  update_time timestamptz NOT NULL,
  PRIMARY KEY (account_id, entry_id),
  CHECK ((kind = 3) = (queue = 2))
) WITH (fillfactor = 85, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
-- One live entry per subject (invariant 5). The index also finds entries by subject.
CREATE UNIQUE INDEX entry_live ON entry (account_id, kind, subject_id);
CREATE INDEX entry_due ON entry (account_id, priority, due_at, entry_id) WHERE state = 1;
CREATE INDEX entry_by_state ON entry (account_id, queue, state, entry_id DESC);
CREATE INDEX entry_by_outcome ON entry (account_id, queue, outcome, entry_id DESC) WHERE outcome IS NOT NULL;
CREATE INDEX entry_by_cause ON entry (account_id, queue, cause, entry_id DESC) WHERE cause IS NOT NULL;
CREATE INDEX entry_by_epos_customer ON entry (account_id, queue, epos_customer_id, entry_id DESC) WHERE epos_customer_id IS NOT NULL;
CREATE INDEX entry_by_woo_customer ON entry (account_id, queue, woo_customer_id, entry_id DESC) WHERE woo_customer_id IS NOT NULL;
CREATE INDEX entry_by_account_email ON entry (account_id, account_email, entry_id DESC) WHERE account_email IS NOT NULL;
CREATE INDEX entry_by_billing_email ON entry (account_id, billing_email, entry_id DESC) WHERE billing_email IS NOT NULL;

-- Finished entries, partitioned by retention (1 short: PROCESSED, SKIPPED; 2 long: FAILED, DISMISSED) and week of finish_time. Databases of
-- release 0.1.0 have two levels of partitions; 0017 changes them.
CREATE TABLE entry_history (
  account_id text NOT NULL,
  entry_id uuid NOT NULL,
  queue smallint NOT NULL,
  kind smallint NOT NULL,
  subject_id bigint NOT NULL,
  state smallint NOT NULL CHECK (state IN (2, 3, 5, 6)),
  priority smallint NOT NULL,
  force boolean NOT NULL,
  entry_revision bigint NOT NULL,
  attempt_count integer NOT NULL,
  coalesced_count integer NOT NULL,
  outcome smallint,
  cause smallint,
  comment text NOT NULL,
  notes text NOT NULL,
  epos_customer_id bigint,
  woo_customer_id bigint,
  order_number text,
  subject_label text NOT NULL,
  account_email text,
  billing_email text,
  candidate_ids bigint[],
  facts jsonb,
  attempts jsonb NOT NULL,
  retried_from uuid,
  create_time timestamptz NOT NULL,
  update_time timestamptz NOT NULL,
  finish_time timestamptz NOT NULL,
  retention smallint NOT NULL CHECK (retention IN (1, 2)),
  -- finds one entry by its id, and an account's newest entries for the text search
  PRIMARY KEY (account_id, entry_id, retention, finish_time)
) PARTITION BY RANGE (retention, finish_time);
CREATE INDEX entry_history_by_state ON entry_history (account_id, queue, state, entry_id DESC);
CREATE INDEX entry_history_by_subject ON entry_history (account_id, kind, subject_id, entry_id DESC);
CREATE INDEX entry_history_by_outcome ON entry_history (account_id, queue, outcome, entry_id DESC);
CREATE INDEX entry_history_by_cause ON entry_history (account_id, queue, cause, entry_id DESC) WHERE cause IS NOT NULL;
CREATE INDEX entry_history_by_epos_customer ON entry_history (account_id, queue, epos_customer_id, entry_id DESC)
  WHERE epos_customer_id IS NOT NULL;
CREATE INDEX entry_history_by_woo_customer ON entry_history (account_id, queue, woo_customer_id, entry_id DESC)
  WHERE woo_customer_id IS NOT NULL;
CREATE INDEX entry_history_by_account_email ON entry_history (account_id, account_email, entry_id DESC) WHERE account_email IS NOT NULL;
CREATE INDEX entry_history_by_billing_email ON entry_history (account_id, billing_email, entry_id DESC) WHERE billing_email IS NOT NULL;

-- Live and finished entries as one list. A statement over it has one snapshot, so an entry that moves appears exactly once. The planner
-- inlines the view, so every index above serves it. ``filed_at`` and ``retention`` only leave out partitions.
CREATE VIEW queue_entry AS
SELECT account_id, entry_id, queue, kind, subject_id, state, priority, force, entry_revision, attempt_count, coalesced_count, outcome,
  cause, comment, notes, epos_customer_id, woo_customer_id, order_number, subject_label, account_email, billing_email, candidate_ids,
  facts, attempts, retried_from, create_time, update_time, due_at, NULL::timestamptz AS finish_time, create_time AS filed_at,
  0::smallint AS retention
FROM entry
UNION ALL
SELECT account_id, entry_id, queue, kind, subject_id, state, priority, force, entry_revision, attempt_count, coalesced_count, outcome,
  cause, comment, notes, epos_customer_id, woo_customer_id, order_number, subject_label, account_email, billing_email, candidate_ids,
  facts, attempts, retried_from, create_time, update_time, NULL::timestamptz, finish_time, finish_time, retention
FROM entry_history;

-- The answer of an order. It outlives the order's entries and names the current one.
CREATE TABLE order_match (
  account_id text NOT NULL REFERENCES account,
  order_id bigint NOT NULL CHECK (order_id > 0),
  order_key text NOT NULL,
  facts_hash bytea NOT NULL,
  entry_id uuid NOT NULL,
  state smallint NOT NULL DEFAULT 1,
  outcome smallint,
  cause smallint,
  comment text NOT NULL DEFAULT '',
  notes text NOT NULL DEFAULT '',
  epos_customer_id bigint,
  woo_customer_id bigint,
  account_email text,
  billing_email text,
  candidate_ids bigint[],
  create_time timestamptz NOT NULL,
  update_time timestamptz NOT NULL,
  PRIMARY KEY (account_id, order_id)
);
CREATE INDEX order_match_by_account_email ON order_match (account_id, account_email) WHERE account_email IS NOT NULL;
CREATE INDEX order_match_by_billing_email ON order_match (account_id, billing_email) WHERE billing_email IS NOT NULL;

-- A link of one till customer with one shop customer, unique in both directions within an account.
CREATE TABLE link (
  account_id text NOT NULL REFERENCES account,
  epos_customer_id bigint NOT NULL CHECK (epos_customer_id > 0),
  woo_customer_id bigint NOT NULL CHECK (woo_customer_id > 0),
  origin smallint NOT NULL CHECK (origin BETWEEN 1 AND 3),
  create_time timestamptz NOT NULL DEFAULT now(),
  content_hash bytea,
  hash_lapses integer NOT NULL DEFAULT 0,
  as_of timestamptz,
  epos_gone_at timestamptz,
  woo_gone_at timestamptz,
  PRIMARY KEY (account_id, epos_customer_id),
  UNIQUE (account_id, woo_customer_id)
);
CREATE INDEX link_broken ON link (account_id, epos_customer_id) WHERE epos_gone_at IS NOT NULL OR woo_gone_at IS NOT NULL;

-- Shop customers that a person unlinked. They are not linked automatically until a person links them.
CREATE TABLE link_mark (
  account_id text NOT NULL REFERENCES account,
  woo_customer_id bigint NOT NULL,
  create_time timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (account_id, woo_customer_id)
);

-- The last write_version sent for a shop customer (subject_kind 1) or customer type (2). It outlives links.
CREATE TABLE shop_version (
  account_id text NOT NULL REFERENCES account,
  subject_kind smallint NOT NULL CHECK (subject_kind IN (1, 2)),
  subject_id bigint NOT NULL,
  last_version bigint NOT NULL,
  PRIMARY KEY (account_id, subject_kind, subject_id)
);

-- Shop customers whose values a DeleteLink wants removed. The till customer's next entry removes them.
CREATE TABLE shop_removal (
  account_id text NOT NULL REFERENCES account,
  woo_customer_id bigint NOT NULL,
  epos_customer_id bigint NOT NULL,
  create_time timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (account_id, woo_customer_id)
);
CREATE INDEX shop_removal_by_epos ON shop_removal (account_id, epos_customer_id);

-- Customer types that this account has read. Switching sync on requeues them.
CREATE TABLE customer_type (
  account_id text NOT NULL REFERENCES account,
  epos_customer_type_id bigint NOT NULL,
  content_hash bytea,
  hash_lapses integer NOT NULL DEFAULT 0,
  gone_at timestamptz,
  update_time timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (account_id, epos_customer_type_id)
);

-- Requeues after a change of settings, run in chunks: what 1 linked customers, 2 known types, 3 held orders, 4 pending removals.
-- The transaction of the change writes the row, any process runs it, and the last chunk deletes it.
CREATE TABLE requeue (
  account_id text NOT NULL REFERENCES account,
  what smallint NOT NULL CHECK (what BETWEEN 1 AND 4),
  after_id bigint NOT NULL DEFAULT 0,
  after_entry_id uuid,
  create_time timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (account_id, what)
);

-- One Epos Now company, shared by its accounts, with its request allowance (a token bucket).
CREATE TABLE till (
  till_id text PRIMARY KEY,
  tokens double precision NOT NULL DEFAULT 0,
  refilled_at timestamptz NOT NULL DEFAULT now(),
  paused_until timestamptz,
  -- customer ids of list page 1: two tills of one address that share some are probably one company
  sample_customer_ids bigint[]
);

CREATE TABLE till_knowledge (
  till_id text NOT NULL REFERENCES till,
  configuration text NOT NULL,
  search_proven_at timestamptz,
  customers_read_at timestamptz,
  types_read_at timestamptz,
  last_page integer,
  PRIMARY KEY (till_id, configuration)
);

-- Create intents prevent twins: at most one create in progress per till and normalised email. state 1 open, 2 unknown, 3 done.
CREATE TABLE intent (
  till_id text NOT NULL REFERENCES till,
  email text NOT NULL,
  state smallint NOT NULL CHECK (state BETWEEN 1 AND 3),
  account_id text NOT NULL,
  owner text NOT NULL,
  epos_customer_id bigint,
  settled_at timestamptz NOT NULL,
  create_time timestamptz NOT NULL,
  PRIMARY KEY (till_id, email),
  CHECK ((state = 3) = (epos_customer_id IS NOT NULL))
);

CREATE TABLE token (
  token_id text PRIMARY KEY,
  token_hash bytea NOT NULL UNIQUE,
  role smallint NOT NULL CHECK (role BETWEEN 1 AND 4),
  account_id text REFERENCES account,
  name text NOT NULL DEFAULT '',
  create_time timestamptz NOT NULL DEFAULT now(),
  revoke_time timestamptz,
  last_used_time timestamptz,
  CHECK ((role = 1) = (account_id IS NOT NULL))
);
CREATE INDEX token_by_account ON token (account_id, token_id);

-- Makes the weekly partitions of entry_history that cover [from_time, from_time + weeks]; returns how many were missing.
CREATE FUNCTION ensure_history_partitions(from_time timestamptz, weeks integer) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
  first_week date := date_trunc('week', from_time AT TIME ZONE 'UTC')::date;
  week date;
  parent text;
  made integer := 0;
BEGIN
  FOREACH parent IN ARRAY ARRAY['entry_history_short', 'entry_history_long'] LOOP
    FOR i IN 0..weeks LOOP
      week := first_week + 7 * i;
      IF to_regclass(format('%I', parent || to_char(week, '_IYYY"w"IW'))) IS NULL THEN
        EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)', parent || to_char(week, '_IYYY"w"IW'), parent,
          week::text || ' 00:00:00+00', (week + 7)::text || ' 00:00:00+00');
        made := made + 1;
      END IF;
    END LOOP;
  END LOOP;
  RETURN made;
END $$;

-- Drops the partitions of entry_history whose last week ended before the keep limits; returns their names.
CREATE FUNCTION drop_history_partitions(short_before timestamptz, long_before timestamptz) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
  child record;
BEGIN
  FOR child IN
    SELECT c.relname AS name, p.relname AS parent, to_date(right(c.relname, 7), 'IYYY"w"IW') AS week
    FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_class p ON p.oid = i.inhparent
    WHERE p.oid IN (to_regclass('entry_history_short'), to_regclass('entry_history_long'))
  LOOP
    IF ((child.week + 7)::text || ' 00:00:00+00')::timestamptz
       <= (CASE child.parent WHEN 'entry_history_short' THEN short_before ELSE long_before END) THEN
      EXECUTE format('DROP TABLE %I', child.name);
      RETURN NEXT child.name;
    END IF;
  END LOOP;
END $$;
