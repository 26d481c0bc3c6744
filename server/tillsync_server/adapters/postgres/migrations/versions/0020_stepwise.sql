-- Writes in several statements each, for a server with Citus (`statements.py`). Citus runs a statement that writes to several tables in
-- steps, and sends their rows to every node. Each function works on one schema, so Citus runs it on the node of the cell.
-- On plain PostgreSQL nothing calls these functions. A function's time is that of its transaction. The statements call no
-- function beside a column that is not immutable, because Citus refuses that.

-- What `lane_times` (0014) returns, as a view: a function in a statement would look for the tables on the wrong node.
CREATE VIEW lane_next AS
SELECT lane.account_id, lane.lease_token, first.first_due,
  CASE WHEN lane.till_probe_at IS NULL AND lane.shop_probe_at IS NULL THEN least(first.live_order, first.live_customer)
    WHEN lane.till_probe_at IS NULL THEN first.live_order END AS live_at,
  CASE WHEN lane.till_probe_at IS NULL AND lane.shop_probe_at IS NULL THEN first.first_due
    WHEN lane.till_probe_at IS NULL THEN least(first.live_order, first.bulk_order) END AS run_at,
  least(
    CASE WHEN lane.till_probe_at IS NOT NULL AND least(first.live_order, first.bulk_order) IS NOT NULL
      THEN greatest(least(first.live_order, first.bulk_order), lane.till_probe_at) END,
    CASE WHEN greatest(lane.till_probe_at, lane.shop_probe_at) IS NOT NULL AND least(first.live_customer, first.bulk_customer) IS NOT NULL
      THEN greatest(least(first.live_customer, first.bulk_customer), lane.till_probe_at, lane.shop_probe_at) END) AS probe_at
FROM lane CROSS JOIN LATERAL (
  SELECT live_order, bulk_order, live_customer, bulk_customer, least(live_order, bulk_order, live_customer, bulk_customer) AS first_due
  FROM (SELECT
    (SELECT e.due_at FROM entry e WHERE e.account_id = lane.account_id AND e.state = 1 AND e.queue = 2 AND e.priority = 1
      AND e.due_at >= lane.due_from ORDER BY e.due_at LIMIT 1) AS live_order,
    (SELECT e.due_at FROM entry e WHERE e.account_id = lane.account_id AND e.state = 1 AND e.queue = 2 AND e.priority = 2
      AND e.due_at >= lane.due_from ORDER BY e.due_at LIMIT 1) AS bulk_order,
    (SELECT e.due_at FROM entry e WHERE e.account_id = lane.account_id AND e.state = 1 AND e.queue = 1 AND e.priority = 1
      AND e.due_at >= lane.due_from ORDER BY e.due_at LIMIT 1) AS live_customer,
    (SELECT e.due_at FROM entry e WHERE e.account_id = lane.account_id AND e.state = 1 AND e.queue = 1 AND e.priority = 2
      AND e.due_at >= lane.due_from ORDER BY e.due_at LIMIT 1) AS bulk_customer) AS of_class) AS first;

-- `release_lanes` (0014).
CREATE FUNCTION release_stepwise(account_ids text[], owners text[], tokens bigint[], clean_runs boolean[]) RETURNS boolean
LANGUAGE plpgsql SET search_path FROM CURRENT SET plan_cache_mode = force_custom_plan AS $$
DECLARE
  at timestamptz := now();
  bound timestamptz := now() - interval '10 seconds';
  released record;
  is_any_ready boolean := false;
BEGIN
  PERFORM FROM lane WHERE lane.account_id = ANY (account_ids) ORDER BY lane.account_id FOR UPDATE;
  FOR released IN
    UPDATE lane SET lease_owner = NULL, lease_expires_at = NULL, lapses = CASE WHEN t.clean THEN 0 ELSE lane.lapses END,
      next_live_at = CASE WHEN n.live_at IS NULL THEN 'infinity' ELSE greatest(n.live_at, at) END,
      next_run_at = CASE WHEN n.run_at IS NULL THEN 'infinity' ELSE greatest(n.run_at, at) END,
      next_probe_at = coalesce(n.probe_at, 'infinity'), due_from = least(n.first_due, bound)
    FROM unnest(account_ids, owners, tokens, clean_runs) AS t(account_id, owner, token, clean)
    JOIN lane_next n ON n.account_id = t.account_id
    WHERE lane.account_id = t.account_id AND lane.lease_owner = t.owner AND lane.lease_token = t.token
    RETURNING lane.next_run_at
  LOOP
    is_any_ready := is_any_ready OR released.next_run_at <= clock_timestamp();
  END LOOP;
  RETURN is_any_ready;
END $$;

-- `renew_lanes` (0014).
CREATE FUNCTION renew_stepwise(account_ids text[], owners text[], tokens bigint[], lease_seconds double precision) RETURNS SETOF text
LANGUAGE plpgsql SET search_path FROM CURRENT SET plan_cache_mode = force_custom_plan AS $$
DECLARE
  bound timestamptz := now() - interval '10 seconds';
  expires timestamptz := now() + make_interval(secs => lease_seconds);
BEGIN
  PERFORM FROM lane WHERE lane.account_id = ANY (account_ids) ORDER BY lane.account_id FOR NO KEY UPDATE;
  RETURN QUERY UPDATE lane SET lease_expires_at = expires, due_from = least(n.first_due, bound)
  FROM unnest(account_ids, owners, tokens) AS t(account_id, owner, token) JOIN lane_next n ON n.account_id = t.account_id
  WHERE lane.account_id = t.account_id AND lane.lease_owner = t.owner AND lane.lease_token = t.token
  RETURNING lane.account_id;
END $$;

-- The statement `engine/repair_lost_wakeup`. Returns whether the lane was repaired. The bound is taken back for the look.
CREATE FUNCTION repair_stepwise(of_account text) RETURNS text
LANGUAGE plpgsql SET search_path FROM CURRENT SET plan_cache_mode = force_custom_plan AS $$
DECLARE
  at timestamptz := now();
  bound timestamptz;
  repaired text;
BEGIN
  SELECT lane.due_from INTO bound FROM lane WHERE lane.account_id = of_account FOR NO KEY UPDATE;
  UPDATE lane SET due_from = '-infinity' WHERE lane.account_id = of_account;
  UPDATE lane SET
    next_live_at = CASE WHEN n.live_at IS NULL THEN 'infinity' ELSE greatest(n.live_at, at) END,
    next_run_at = CASE WHEN n.run_at IS NULL THEN 'infinity' ELSE greatest(n.run_at, at) END,
    next_probe_at = coalesce(n.probe_at, 'infinity'), due_from = least(bound, n.first_due)
  FROM lane_next n
  WHERE lane.account_id = of_account AND n.account_id = lane.account_id
    AND (n.first_due < bound OR lane.lease_expires_at IS NULL AND lane.next_run_at > at
      AND (n.run_at < lane.next_run_at OR n.probe_at < lane.next_probe_at))
  RETURNING lane.account_id INTO repaired;
  IF repaired IS NULL THEN
    UPDATE lane SET due_from = bound WHERE lane.account_id = of_account;
  END IF;
  RETURN repaired;
END $$;

-- The statement `engine/enqueue_hints`: lock, insert, wake, read.
CREATE FUNCTION enqueue_hints_stepwise(account_ids text[], kinds smallint[], subjects bigint[], priorities smallint[], forces boolean[],
  entry_ids uuid[], merged integer[], lanes text[], owner text, lease_seconds double precision)
RETURNS TABLE (account_id text, kind smallint, subject_id bigint, entry_id uuid, entry_revision bigint, tell_owner boolean, woke boolean,
  priority smallint, coalesced_count integer, due_at timestamptz, create_time timestamptz, update_time timestamptz,
  blocked_until timestamptz, problem_text text, outcome smallint, cause smallint, comment text, notes text, epos_customer_id bigint,
  woo_customer_id bigint, subject_label text, retried_from uuid, force boolean, config_version bigint, lease_token bigint, lapses integer)
LANGUAGE plpgsql SET search_path FROM CURRENT SET plan_cache_mode = force_custom_plan AS $$
#variable_conflict use_column
DECLARE
  at timestamptz := now();
  leased_until timestamptz := now() + make_interval(secs => coalesce(lease_seconds, 0));
  locked_ids text[];
  locked_leases boolean[];
  woken record;
  woken_ids text[] := '{}';
  woken_tokens bigint[] := '{}';
  woken_lapses integer[] := '{}';
BEGIN
  SELECT array_agg(l.account_id), array_agg(l.lease_expires_at IS NOT NULL) INTO locked_ids, locked_leases
  FROM (SELECT lane.account_id, lane.lease_expires_at FROM lane WHERE lane.account_id = ANY (lanes) ORDER BY lane.account_id
    FOR NO KEY UPDATE) AS l;
  IF locked_ids IS NULL THEN
    RETURN;
  END IF;
  INSERT INTO entry AS e (account_id, entry_id, queue, kind, subject_id, priority, force, due_at, coalesced_count, epos_customer_id,
    create_time, update_time)
  SELECT i.account_id, i.entry_id, 1, i.kind, i.subject_id, i.priority, i.force, at, i.merged,
    CASE i.kind WHEN 1 THEN i.subject_id END, at, at
  FROM unnest(account_ids, kinds, subjects, priorities, forces, entry_ids, merged)
    AS i(account_id, kind, subject_id, priority, force, entry_id, merged)
  JOIN lane ON lane.account_id = i.account_id
  ORDER BY i.account_id, i.kind, i.subject_id
  ON CONFLICT (account_id, kind, subject_id) DO UPDATE SET entry_revision = e.entry_revision + 1,
    coalesced_count = e.coalesced_count + 1 + excluded.coalesced_count, priority = least(e.priority, excluded.priority),
    force = e.force OR excluded.force, due_at = greatest(least(e.due_at, excluded.due_at), e.not_before),
    attempt_count = 0, state = 1, update_time = excluded.update_time;
  FOR woken IN
    UPDATE lane SET
      next_run_at = CASE WHEN lane.till_probe_at IS NULL AND lane.shop_probe_at IS NULL THEN least(lane.next_run_at, due.any_due)
        ELSE lane.next_run_at END,
      next_live_at = CASE WHEN lane.till_probe_at IS NULL AND lane.shop_probe_at IS NULL THEN least(lane.next_live_at, due.live_due)
        ELSE lane.next_live_at END,
      next_probe_at = CASE WHEN lane.till_probe_at IS NULL AND lane.shop_probe_at IS NULL THEN lane.next_probe_at
        ELSE least(lane.next_probe_at, greatest(due.any_due, lane.till_probe_at, lane.shop_probe_at)) END,
      due_from = least(lane.due_from, due.any_due),
      lease_token = lane.lease_token + due.is_leased::integer,
      lease_owner = CASE WHEN due.is_leased THEN owner ELSE lane.lease_owner END,
      lease_expires_at = CASE WHEN due.is_leased THEN leased_until ELSE lane.lease_expires_at END
    FROM (
      SELECT l.account_id, d.any_due, d.live_due, owner IS NOT NULL AND l.till_probe_at IS NULL AND l.shop_probe_at IS NULL
        AND l.next_run_at > d.live_due AND d.live_due <= at AND l.lease_expires_at IS NULL AS is_leased
      FROM lane l JOIN (
        SELECT e.account_id, min(e.due_at) AS any_due, coalesce(min(e.due_at) FILTER (WHERE e.priority = 1), 'infinity') AS live_due
        FROM unnest(account_ids, kinds, subjects) AS i(account_id, kind, subject_id)
        JOIN entry e ON e.account_id = i.account_id AND e.kind = i.kind AND e.subject_id = i.subject_id
        GROUP BY e.account_id) AS d ON d.account_id = l.account_id
      WHERE l.lease_expires_at IS NULL
          AND CASE WHEN l.till_probe_at IS NULL AND l.shop_probe_at IS NULL THEN d.any_due < l.next_run_at OR d.live_due < l.next_live_at
            ELSE greatest(d.any_due, l.till_probe_at, l.shop_probe_at) < l.next_probe_at END
        OR d.any_due < l.due_from) AS due
    WHERE lane.account_id = due.account_id
    RETURNING lane.account_id, CASE WHEN due.is_leased THEN lane.lease_token END AS token, lane.lapses
  LOOP
    woken_ids := woken_ids || woken.account_id;
    woken_tokens := woken_tokens || woken.token;
    woken_lapses := woken_lapses || woken.lapses;
  END LOOP;
  RETURN QUERY SELECT e.account_id, e.kind, e.subject_id, e.entry_id, e.entry_revision, w.was_leased,
    k.account_id IS NOT NULL AND k.token IS NULL, e.priority, e.coalesced_count, e.due_at, e.create_time, e.update_time,
    greatest(l.till_probe_at, l.shop_probe_at), s.problem_text, e.outcome, e.cause, e.comment, e.notes, e.epos_customer_id,
    e.woo_customer_id, e.subject_label, e.retried_from, e.force, l.config_version, k.token, k.lapses
  FROM unnest(account_ids, kinds, subjects) AS i(account_id, kind, subject_id)
  JOIN entry e ON e.account_id = i.account_id AND e.kind = i.kind AND e.subject_id = i.subject_id
  JOIN lane l ON l.account_id = e.account_id
  JOIN unnest(locked_ids, locked_leases) AS w(account_id, was_leased) ON w.account_id = e.account_id
  LEFT JOIN unnest(woken_ids, woken_tokens, woken_lapses) AS k(account_id, token, lapses) ON k.account_id = e.account_id
  LEFT JOIN account_side s ON s.account_id = e.account_id AND greatest(l.till_probe_at, l.shop_probe_at) IS NOT NULL
    AND s.side = CASE WHEN greatest(l.till_probe_at, l.shop_probe_at) = l.shop_probe_at THEN 2 ELSE 1 END;
END $$;

-- The statement `orders/store`.
CREATE FUNCTION store_orders_stepwise(of_account text, at timestamptz, owner text, lease_seconds double precision, entry_ids uuid[],
  order_ids bigint[], order_keys text[], hashes bytea[], numbers text[], labels text[], account_emails text[], billing_emails text[],
  woo bigint[], facts jsonb[], retried uuid[], notes text[], is_new boolean[])
RETURNS TABLE (lease_token bigint, lapses integer)
LANGUAGE plpgsql SET search_path FROM CURRENT SET plan_cache_mode = force_custom_plan AS $$
#variable_conflict use_column
DECLARE
  leased_until timestamptz := at + make_interval(secs => coalesce(lease_seconds, 0));
BEGIN
  INSERT INTO entry (account_id, entry_id, queue, kind, subject_id, priority, due_at, order_number, subject_label, account_email,
    billing_email, woo_customer_id, facts, retried_from, notes, create_time, update_time)
  SELECT l.account_id, o.entry_id, 2, 3, o.order_id, 1, at, o.number, o.label, o.account_email, o.billing_email, o.woo, o.facts, o.retried,
    o.notes, at, at
  FROM unnest(entry_ids, order_ids, numbers, labels, account_emails, billing_emails, woo, facts, retried, notes, is_new)
    AS o(entry_id, order_id, number, label, account_email, billing_email, woo, facts, retried, notes, is_new)
  JOIN lane l ON l.account_id = of_account WHERE o.is_new;
  INSERT INTO order_match AS m (account_id, order_id, order_key, facts_hash, entry_id, account_email, billing_email, woo_customer_id,
    create_time, update_time)
  SELECT l.account_id, o.order_id, o.order_key, o.hash, o.entry_id, o.account_email, o.billing_email, o.woo, at, at
  FROM unnest(entry_ids, order_ids, order_keys, hashes, account_emails, billing_emails, woo)
    AS o(entry_id, order_id, order_key, hash, account_email, billing_email, woo)
  JOIN lane l ON l.account_id = of_account
  ON CONFLICT (account_id, order_id) DO UPDATE SET order_key = excluded.order_key, facts_hash = excluded.facts_hash,
    entry_id = excluded.entry_id, account_email = excluded.account_email, billing_email = excluded.billing_email,
    woo_customer_id = excluded.woo_customer_id, state = 1, update_time = excluded.update_time,
    outcome = CASE WHEN m.order_key = excluded.order_key THEN m.outcome END,
    cause = CASE WHEN m.order_key = excluded.order_key THEN m.cause END,
    comment = CASE WHEN m.order_key = excluded.order_key THEN m.comment ELSE '' END,
    notes = CASE WHEN m.order_key = excluded.order_key THEN m.notes ELSE '' END,
    epos_customer_id = CASE WHEN m.order_key = excluded.order_key THEN m.epos_customer_id END,
    candidate_ids = CASE WHEN m.order_key = excluded.order_key THEN m.candidate_ids END;
  RETURN QUERY UPDATE lane SET next_run_at = least(lane.next_run_at, at), next_live_at = least(lane.next_live_at, at),
    due_from = least(lane.due_from, at), lease_token = lane.lease_token + own.is_leased::integer,
    lease_owner = CASE WHEN own.is_leased THEN owner ELSE lane.lease_owner END,
    lease_expires_at = CASE WHEN own.is_leased THEN leased_until ELSE lane.lease_expires_at END
  FROM (SELECT l.account_id, owner IS NOT NULL AND l.next_run_at > at AND l.till_probe_at IS NULL AND l.shop_probe_at IS NULL
      AND l.lease_expires_at IS NULL AS is_leased FROM lane l WHERE l.account_id = of_account) AS own
  WHERE lane.account_id = own.account_id AND (lane.lease_expires_at IS NULL OR lane.due_from > at)
  RETURNING CASE WHEN own.is_leased THEN lane.lease_token END, lane.lapses;
END $$;

-- The statement `tills/open_intent`.
CREATE FUNCTION open_intent_stepwise(of_till text, of_email text, of_account text, of_owner text, settle_seconds double precision,
  old_state smallint, old_account text, old_customer bigint, old_settled_at timestamptz, old_create_time timestamptz)
RETURNS boolean LANGUAGE plpgsql SET search_path FROM CURRENT SET plan_cache_mode = force_custom_plan AS $$
DECLARE
  at timestamptz := now();
  settles timestamptz := now() + make_interval(secs => settle_seconds);
  opened boolean;
BEGIN
  INSERT INTO till (till_id) VALUES (of_till) ON CONFLICT (till_id) DO NOTHING;
  INSERT INTO intent AS i (till_id, email, state, account_id, owner, settled_at, create_time)
  VALUES (of_till, of_email, 1, of_account, of_owner, settles, at)
  ON CONFLICT (till_id, email) DO UPDATE SET state = 1, account_id = excluded.account_id, owner = excluded.owner, epos_customer_id = NULL,
    settled_at = excluded.settled_at, create_time = excluded.create_time
  WHERE i.state = old_state AND i.account_id = old_account AND i.epos_customer_id IS NOT DISTINCT FROM old_customer
    AND i.settled_at = old_settled_at AND i.create_time = old_create_time AND (i.state = 3 OR i.settled_at <= excluded.create_time)
  RETURNING true INTO opened;
  RETURN opened;
END $$;

-- The statement `tills/note_kinds`.
CREATE FUNCTION note_kinds_stepwise(of_till text, of_configuration text, kinds text[], are_proven boolean)
RETURNS void LANGUAGE plpgsql SET search_path FROM CURRENT SET plan_cache_mode = force_custom_plan AS $$
DECLARE
  proven jsonb := (SELECT coalesce(jsonb_object_agg(kind, to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"')), '{}')
    FROM unnest(kinds) AS kind WHERE are_proven);
BEGIN
  INSERT INTO till (till_id) VALUES (of_till) ON CONFLICT (till_id) DO NOTHING;
  INSERT INTO till_knowledge AS k (till_id, configuration, kinds_proven_at) VALUES (of_till, of_configuration, proven)
  ON CONFLICT (till_id, configuration) DO UPDATE SET kinds_proven_at = (k.kinds_proven_at - kinds) || excluded.kinds_proven_at;
END $$;

-- The statement `accounts/note_stray_output`.
CREATE FUNCTION note_stray_output_stepwise(of_account text, of_route text, of_kind smallint, of_plugin text)
RETURNS void LANGUAGE plpgsql SET search_path FROM CURRENT SET plan_cache_mode = force_custom_plan AS $$
DECLARE
  at timestamptz := now();
BEGIN
  INSERT INTO stray_output AS s (account_id, route, kind, plugin, first_time, last_time)
  SELECT account.account_id, of_route, of_kind, of_plugin, at, at FROM account WHERE account.account_id = of_account
  ON CONFLICT (account_id, route) DO UPDATE SET kind = excluded.kind, plugin = excluded.plugin, last_time = excluded.last_time;
END $$;

-- `draw_versions` (0013).
CREATE FUNCTION draw_versions_stepwise(of_account text, of_owner text, of_token bigint, kind smallint, subjects bigint[], lowest bigint[],
  settings_of timestamptz, linked_to bigint[], removals bigint[]) RETURNS TABLE (subject bigint, version bigint)
LANGUAGE plpgsql SET search_path FROM CURRENT SET plan_cache_mode = force_custom_plan AS $$
DECLARE
  wanted bigint[] := subjects;
  microseconds bigint := (extract(epoch FROM now()) * 1000000)::bigint;
BEGIN
  PERFORM FROM lane WHERE lane.account_id = of_account AND lane.lease_owner = of_owner AND lane.lease_token = of_token FOR UPDATE;
  IF NOT FOUND THEN
    RETURN;
  END IF;
  IF settings_of IS NOT NULL THEN
    PERFORM FROM account WHERE account.account_id = of_account AND account.update_time = settings_of;
    IF NOT FOUND THEN
      RETURN;
    END IF;
  END IF;
  IF linked_to IS NOT NULL THEN
    SELECT array_agg(named.woo_customer_id) INTO wanted FROM (
      SELECT link.woo_customer_id FROM unnest(subjects, linked_to) AS t(woo, epos)
      JOIN link ON link.account_id = of_account AND link.epos_customer_id = t.epos AND link.woo_customer_id = t.woo
      UNION
      SELECT shop_removal.woo_customer_id FROM shop_removal
      WHERE shop_removal.account_id = of_account AND shop_removal.woo_customer_id = ANY (removals)) AS named;
  END IF;
  IF kind = 1 THEN
    UPDATE link SET content_hash = NULL WHERE link.account_id = of_account AND link.woo_customer_id = ANY (wanted);
  ELSE
    UPDATE customer_type SET content_hash = NULL
    WHERE customer_type.account_id = of_account AND customer_type.epos_customer_type_id = ANY (wanted);
  END IF;
  RETURN QUERY INSERT INTO shop_version AS v (account_id, subject_kind, subject_id, last_version)
  SELECT lane.account_id, kind, t.subject_id, greatest(t.above + 1, microseconds)
  FROM unnest(subjects, lowest) AS t(subject_id, above) JOIN lane ON lane.account_id = of_account WHERE t.subject_id = ANY (wanted)
  ON CONFLICT (account_id, subject_kind, subject_id) DO UPDATE SET last_version = greatest(v.last_version + 1, excluded.last_version)
  RETURNING v.subject_id, v.last_version;
END $$;
