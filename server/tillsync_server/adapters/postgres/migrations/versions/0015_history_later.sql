-- The oldest release that may use this schema, and the release that migrated it last. A release compares itself before it starts.
CREATE TABLE schema_release (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  least_release text NOT NULL,
  migrated_by text NOT NULL
);

-- How far a revision that works in chunks has come. position is JSON text of its own.
CREATE TABLE migration_position (
  revision text PRIMARY KEY,
  position text NOT NULL
);

-- Makes the weekly partitions of ``parent`` until ``weeks`` after this one, if fewer than ``fewest`` are there, and returns their names. It
-- moves the lower bound of the partition for later behind them, and the results beyond that bound into their weeks. One transaction:
-- it locks the parent for milliseconds, and gives up (55P03) where readers or writers would wait behind it for longer.
CREATE FUNCTION make_history_weeks(parent text, fewest integer, weeks integer) RETURNS SETOF text
LANGUAGE plpgsql SET lock_timeout = '300ms' AS $$
DECLARE
  later text := parent || '_later';
  this_week timestamptz := date_trunc('week', now(), 'UTC');
  begins timestamptz;
  ends timestamptz;
  name text;
BEGIN
  SELECT max((to_date(right(c.relname, 7), 'IYYY"w"IW') + 7)::timestamp AT TIME ZONE 'UTC') INTO begins
  FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = to_regclass(parent) AND c.relname ~ '\d{4}w\d{2}$';
  IF to_regclass(later) IS NULL THEN
    EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', later, parent);
  ELSIF begins >= this_week + make_interval(weeks => fewest + 1) THEN
    RETURN;
  ELSE
    EXECUTE format('ALTER TABLE %I DETACH PARTITION %I', parent, later);
  END IF;
  IF begins IS NULL THEN
    EXECUTE format('SELECT date_trunc(''week'', min(finish_time), ''UTC'') FROM %I', later) INTO begins;
    begins := least(begins, this_week);
  END IF;
  WHILE begins < this_week + make_interval(weeks => weeks + 1) LOOP
    ends := begins + interval '7 days';
    name := parent || to_char(begins AT TIME ZONE 'UTC', '_IYYY"w"IW');
    EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', name, parent);
    EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', parent, name, begins, ends);
    RETURN NEXT name;
    begins := ends;
  END LOOP;
  EXECUTE format('WITH moved AS (DELETE FROM %I WHERE finish_time < %L RETURNING *) INSERT INTO %I SELECT * FROM moved', later, begins, parent);
  EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (MAXVALUE)', parent, later, begins);
END $$;

-- The release before calls these two. The first leaves the weeks of the partition for later to make_history_weeks, the
-- second leaves out what is no week.
CREATE OR REPLACE FUNCTION ensure_history_partitions(from_time timestamptz, weeks integer) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
  first_week date := date_trunc('week', from_time AT TIME ZONE 'UTC')::date;
  week date;
  parent text;
  later_from timestamptz;
  made integer := 0;
BEGIN
  FOREACH parent IN ARRAY ARRAY['entry_history_short', 'entry_history_long'] LOOP
    SELECT (regexp_match(pg_get_expr(c.relpartbound, c.oid), 'FROM \(''([^'']+)''\)'))[1]::timestamptz INTO later_from
    FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = to_regclass(parent) AND c.relname = parent || '_later';
    FOR i IN 0..weeks LOOP
      week := first_week + 7 * i;
      IF (later_from IS NULL OR (week::text || ' 00:00:00+00')::timestamptz < later_from)
        AND to_regclass(format('%I', parent || to_char(week, '_IYYY"w"IW'))) IS NULL THEN
        EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)', parent || to_char(week, '_IYYY"w"IW'), parent,
          week::text || ' 00:00:00+00', (week + 7)::text || ' 00:00:00+00');
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
    SELECT c.relname AS name, p.relname AS parent, to_date(right(c.relname, 7), 'IYYY"w"IW') AS week
    FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_class p ON p.oid = i.inhparent
    WHERE p.oid IN (to_regclass('entry_history_short'), to_regclass('entry_history_long')) AND c.relname ~ '\d{4}w\d{2}$'
  LOOP
    IF ((child.week + 7)::text || ' 00:00:00+00')::timestamptz
       <= (CASE child.parent WHEN 'entry_history_short' THEN short_before ELSE long_before END) THEN
      EXECUTE format('DROP TABLE %I', child.name);
      RETURN NEXT child.name;
    END IF;
  END LOOP;
END $$;

-- A result that finishes after the last week goes into the partition for later. It is no DEFAULT partition, because PostgreSQL detaches no
-- week concurrently beside one. A new database has no parents; 0017 makes its weeks.
SELECT make_history_weeks(parent, 5, 9) FROM unnest('{entry_history_short,entry_history_long}'::text[]) AS parent
WHERE to_regclass(parent) IS NOT NULL;
