-- entry_history gets a primary key, and one level of partitions: RANGE (retention, finish_time). A week keeps its table and its name. Moves of
-- a schema between servers need the key, and distributed tables have one level.

-- A history of two levels becomes one of one level. r0016 has prepared its weeks, so nothing is read here. A week that a process of the
-- previous release made meanwhile is empty, or nearly so.
DO $$
DECLARE
  weeks text[];
  week text;
  kept integer;
  bounds text[];
  left_over text;
BEGIN
  IF to_regclass('entry_history_short') IS NULL THEN
    RETURN;
  END IF;
  LOCK TABLE entry_history IN ACCESS EXCLUSIVE MODE;
  weeks := ARRAY(
    SELECT c.relname::text FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent IN (to_regclass('entry_history_short'), to_regclass('entry_history_long')) AND NOT i.inhdetachpending ORDER BY c.relname);
  bounds := ARRAY(SELECT pg_get_expr(relpartbound, oid) FROM pg_class WHERE oid = ANY (weeks::regclass[]) ORDER BY relname);
  FOREACH week IN ARRAY weeks LOOP
    EXECUTE format('ALTER TABLE %I DETACH PARTITION %I', CASE WHEN week LIKE '%\_short\_%' THEN 'entry_history_short' ELSE 'entry_history_long' END, week);
  END LOOP;
  DROP INDEX entry_history_by_id, entry_history_by_state, entry_history_by_subject, entry_history_by_outcome, entry_history_by_cause,
    entry_history_by_epos_customer, entry_history_by_woo_customer, entry_history_by_account_email, entry_history_by_billing_email;
  ALTER TABLE entry_history RENAME TO entry_history_of_two_levels;
  CREATE TABLE entry_history (LIKE entry_history_of_two_levels INCLUDING DEFAULTS INCLUDING CONSTRAINTS,
    PRIMARY KEY (account_id, entry_id, retention, finish_time)) PARTITION BY RANGE (retention, finish_time);
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
  FOR i IN 1..cardinality(weeks) LOOP
    kept := CASE WHEN weeks[i] LIKE '%\_short\_%' THEN 1 ELSE 2 END;
    EXECUTE format('ALTER TABLE entry_history ATTACH PARTITION %I %s', weeks[i], replace(bounds[i], '(', format('(%s, ', kept)));
    EXECUTE format('ALTER TABLE %I DROP CONSTRAINT IF EXISTS %I', weeks[i], weeks[i] || '_bounds');
  END LOOP;
  -- the indexes of entry_history_by_id, which the key replaces
  FOR left_over IN
    SELECT x.indexrelid::regclass::text FROM pg_index x
    WHERE x.indrelid = ANY (weeks::regclass[]) AND NOT EXISTS (SELECT FROM pg_inherits h WHERE h.inhrelid = x.indexrelid)
  LOOP
    EXECUTE format('DROP INDEX %s', left_over);
  END LOOP;
END $$;

-- The view of 0001, now over the new table. A bound of filed_at leaves out weeks only beside one value of retention.
CREATE OR REPLACE VIEW queue_entry AS
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

-- squawk-ignore ban-drop-table
DROP TABLE IF EXISTS entry_history_of_two_levels;

-- Makes the weeks of ``parent``, a beginning of their names (entry_history_short or entry_history_long), as in 0015. The name of the
-- parameter stays for the previous release.
CREATE OR REPLACE FUNCTION make_history_weeks(parent text, fewest integer, weeks integer) RETURNS SETOF text
LANGUAGE plpgsql SET lock_timeout = '300ms' AS $$
DECLARE
  later text := parent || '_later';
  kept integer := CASE parent WHEN 'entry_history_short' THEN 1 WHEN 'entry_history_long' THEN 2 END;
  this_week timestamptz := date_trunc('week', now(), 'UTC');
  begins timestamptz;
  ends timestamptz;
  name text;
BEGIN
  SELECT max((to_date(right(c.relname, 7), 'IYYY"w"IW') + 7)::timestamp AT TIME ZONE 'UTC') INTO begins
  FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
  WHERE i.inhparent = to_regclass('entry_history') AND c.relname ~ ('^' || parent || '_\d{4}w\d{2}$');
  IF to_regclass(later) IS NULL THEN
    EXECUTE format('CREATE TABLE %I (LIKE entry_history INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', later);
  ELSIF begins >= this_week + make_interval(weeks => fewest + 1) THEN
    RETURN;
  ELSE
    EXECUTE format('ALTER TABLE entry_history DETACH PARTITION %I', later);
  END IF;
  IF begins IS NULL THEN
    EXECUTE format('SELECT date_trunc(''week'', min(finish_time), ''UTC'') FROM %I', later) INTO begins;
    begins := least(begins, this_week);
  END IF;
  WHILE begins < this_week + make_interval(weeks => weeks + 1) LOOP
    ends := begins + interval '7 days';
    name := parent || to_char(begins AT TIME ZONE 'UTC', '_IYYY"w"IW');
    EXECUTE format('CREATE TABLE %I (LIKE entry_history INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', name);
    EXECUTE format('ALTER TABLE entry_history ATTACH PARTITION %I FOR VALUES FROM (%s, %L) TO (%s, %L)', name, kept, begins, kept, ends);
    RETURN NEXT name;
    begins := ends;
  END LOOP;
  EXECUTE format('WITH moved AS (DELETE FROM %I WHERE finish_time < %L RETURNING *) INSERT INTO entry_history SELECT * FROM moved', later, begins);
  EXECUTE format('ALTER TABLE entry_history ATTACH PARTITION %I FOR VALUES FROM (%s, %L) TO (%s, MAXVALUE)', later, kept, begins, kept);
END $$;

-- These two of 0015 follow the new shape.
CREATE OR REPLACE FUNCTION ensure_history_partitions(from_time timestamptz, weeks integer) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
  first_week date := date_trunc('week', from_time AT TIME ZONE 'UTC')::date;
  week date;
  parent text;
  later_from timestamptz;
  made integer := 0;
BEGIN
  FOREACH parent IN ARRAY ARRAY['entry_history_short', 'entry_history_long'] LOOP
    SELECT (regexp_match(pg_get_expr(c.relpartbound, c.oid), 'FROM \(''\d'', ''([^'']+)''\)'))[1]::timestamptz INTO later_from
    FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = to_regclass('entry_history') AND c.relname = parent || '_later';
    FOR i IN 0..weeks LOOP
      week := first_week + 7 * i;
      IF (later_from IS NULL OR (week::text || ' 00:00:00+00')::timestamptz < later_from)
        AND to_regclass(format('%I', parent || to_char(week, '_IYYY"w"IW'))) IS NULL THEN
        EXECUTE format('CREATE TABLE %I PARTITION OF entry_history FOR VALUES FROM (%s, %L) TO (%s, %L)',
          parent || to_char(week, '_IYYY"w"IW'), CASE parent WHEN 'entry_history_short' THEN 1 ELSE 2 END, week::text || ' 00:00:00+00',
          CASE parent WHEN 'entry_history_short' THEN 1 ELSE 2 END, (week + 7)::text || ' 00:00:00+00');
        made := made + 1;
      END IF;
    END LOOP;
  END LOOP;
  RETURN made;
END $$;
CREATE OR REPLACE FUNCTION drop_history_partitions(short_before timestamptz, long_before timestamptz) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
  child record;
BEGIN
  FOR child IN
    SELECT c.relname AS name, c.relname LIKE 'entry\_history\_short\_%' AS is_short, to_date(right(c.relname, 7), 'IYYY"w"IW') AS week
    FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = to_regclass('entry_history') AND c.relname ~ '\d{4}w\d{2}$'
  LOOP
    IF ((child.week + 7)::text || ' 00:00:00+00')::timestamptz <= (CASE WHEN child.is_short THEN short_before ELSE long_before END) THEN
      EXECUTE format('DROP TABLE %I', child.name);
      RETURN NEXT child.name;
    END IF;
  END LOOP;
END $$;

SELECT make_history_weeks('entry_history_short', 5, 9);
SELECT make_history_weeks('entry_history_long', 5, 9);
