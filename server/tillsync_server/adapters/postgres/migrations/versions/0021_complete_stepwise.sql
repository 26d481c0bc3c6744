-- The statement `engine/complete` in several statements, for a server with Citus (0020). The locks of the lanes keep the entries as they are
-- between the statements, because each writer of an entry locks its lane first.
CREATE FUNCTION complete_stepwise(
  accounts text[], owners text[], tokens bigint[], config_versions bigint[],
  class_states smallint[], class_outcomes smallint[], class_causes smallint[], class_comments text[], class_notes text[],
  class_charged integer[], class_attempts jsonb[], class_candidates text[],
  claim_numbers integer[], entry_ids uuid[], revisions bigint[], class_numbers integer[], run_seconds double precision[], epos bigint[],
  woo bigint[], labels text[], waits double precision[], quiets double precision[], not_befores timestamptz[],
  side_claims integer[], sides smallint[], side_seconds double precision[], side_reasons smallint[], side_texts text[], side_entries uuid[],
  kinds smallint[], subjects bigint[])
RETURNS TABLE (number bigint, as_decided boolean)
LANGUAGE plpgsql SET search_path FROM CURRENT SET plan_cache_mode = force_custom_plan AS $$
#variable_conflict use_column
DECLARE
  at timestamptz := now();
  l_accounts text[]; l_owners text[]; l_tokens bigint[]; l_versions bigint[];
  c_numbers integer[]; c_accounts text[];
  numbers bigint[]; r_accounts text[]; r_ids uuid[]; r_kinds smallint[]; r_subjects bigint[]; r_revisions bigint[]; r_states smallint[];
  r_outcomes smallint[]; r_causes smallint[]; r_comments text[]; r_notes text[]; r_charged integer[]; r_candidates text[]; r_epos bigint[];
  r_woo bigint[]; r_labels text[]; r_due timestamptz[]; r_not_before timestamptz[]; r_attempts jsonb[]; r_ends boolean[];
  done bigint[] := '{}'; updated bigint[] := '{}'; moved_on bigint[] := '{}'; answered uuid[];
  changed record;
  s_accounts text[]; s_sides smallint[]; s_reasons smallint[]; s_texts text[]; s_entries uuid[]; s_probes timestamptz[]; s_since timestamptz[];
BEGIN
  SELECT array_agg(l.account_id), array_agg(l.lease_owner), array_agg(l.lease_token), array_agg(l.config_version)
  INTO l_accounts, l_owners, l_tokens, l_versions
  FROM (SELECT lane.account_id, lane.lease_owner, lane.lease_token, lane.config_version FROM lane
    WHERE lane.account_id = ANY (accounts) AND lane.lease_token = ANY (tokens) ORDER BY lane.account_id FOR UPDATE) AS l;
  SELECT array_agg(t.claim_number), array_agg(t.account_id) INTO c_numbers, c_accounts
  FROM unnest(accounts, owners, tokens, config_versions) WITH ORDINALITY AS t(account_id, owner, token, config_version, claim_number)
  JOIN unnest(l_accounts, l_owners, l_tokens, l_versions) AS l(account_id, owner, token, config_version)
    USING (account_id, owner, token, config_version);
  SELECT array_agg(t.number), array_agg(c.account_id), array_agg(t.entry_id), array_agg(t.kind), array_agg(t.subject_id),
    array_agg(coalesce(t.revision, 1)), array_agg(class.state), array_agg(class.outcome), array_agg(class.cause), array_agg(class.comment),
    array_agg(class.notes), array_agg(class.charged), array_agg(class.candidates), array_agg(t.epos), array_agg(t.woo), array_agg(t.label),
    array_agg(CASE WHEN t.not_before IS NULL THEN at + make_interval(secs => coalesce(t.wait, 0))
      ELSE greatest(t.not_before, at + interval '1 second') END),
    array_agg(CASE WHEN t.quiet IS NULL THEN t.not_before ELSE at + make_interval(secs => t.quiet) END),
    array_agg(jsonb_build_array(class.attempt || jsonb_build_object('s', at - make_interval(secs => t.run_seconds), 'f', at))),
    array_agg(class.state NOT IN (1, 4))
  INTO numbers, r_accounts, r_ids, r_kinds, r_subjects, r_revisions, r_states, r_outcomes, r_causes, r_comments, r_notes, r_charged,
    r_candidates, r_epos, r_woo, r_labels, r_due, r_not_before, r_attempts, r_ends
  FROM unnest(claim_numbers, entry_ids, revisions, class_numbers, run_seconds, epos, woo, labels, waits, quiets, not_befores, kinds, subjects)
    WITH ORDINALITY AS t(claim_number, entry_id, revision, class_number, run_seconds, epos, woo, label, wait, quiet, not_before, kind,
      subject_id, number)
  JOIN unnest(c_numbers, c_accounts) AS c(claim_number, account_id) USING (claim_number)
  JOIN unnest(class_states, class_outcomes, class_causes, class_comments, class_notes, class_charged, class_attempts, class_candidates)
    WITH ORDINALITY AS class(state, outcome, cause, comment, notes, charged, attempt, candidates, class_number)
    ON class.class_number = coalesce(t.class_number, 1);
  IF true = ANY (r_ends) THEN
    INSERT INTO entry_history (account_id, entry_id, queue, kind, subject_id, state, priority, force, entry_revision, attempt_count,
      coalesced_count, outcome, cause, comment, notes, epos_customer_id, woo_customer_id, order_number, subject_label, account_email,
      billing_email, candidate_ids, facts, attempts, retried_from, create_time, update_time, finish_time, retention)
    SELECT e.account_id, e.entry_id, e.queue, e.kind, e.subject_id, r.state, e.priority, e.force, e.entry_revision,
      e.attempt_count + r.charged, e.coalesced_count, r.outcome, r.cause, r.comment, r.notes,
      CASE WHEN e.kind = 3 THEN r.epos ELSE coalesce(r.epos, e.epos_customer_id) END, coalesce(r.woo, e.woo_customer_id), e.order_number,
      coalesce(r.label, e.subject_label), e.account_email, e.billing_email, string_to_array(btrim(r.candidates, '{}'), ',')::bigint[],
      CASE WHEN r.state = 2 AND e.facts IS NOT NULL THEN e.facts || '{"phone": ""}' ELSE e.facts END,
      (CASE WHEN jsonb_array_length(e.attempts) >= 30 THEN e.attempts - 0 ELSE e.attempts END) || r.attempt,
      e.retried_from, e.create_time, at, at, CASE WHEN r.state IN (2, 3) THEN 1 ELSE 2 END
    FROM unnest(r_accounts, r_ids, r_kinds, r_subjects, r_revisions, r_states, r_outcomes, r_causes, r_comments, r_notes, r_charged,
        r_candidates, r_epos, r_woo, r_labels, r_attempts, r_ends)
      AS r(account_id, entry_id, kind, subject_id, revision, state, outcome, cause, comment, notes, charged, candidates, epos, woo, label,
        attempt, ends)
    JOIN entry e ON e.account_id = r.account_id AND e.entry_id = r.entry_id AND e.kind = r.kind AND e.subject_id = r.subject_id
    WHERE r.ends AND e.state <> 4 AND e.entry_revision = r.revision;
    FOR changed IN
      DELETE FROM entry e
      USING unnest(numbers, r_accounts, r_ids, r_kinds, r_subjects, r_revisions, r_ends)
        AS r(number, account_id, entry_id, kind, subject_id, revision, ends)
      WHERE r.ends AND e.account_id = r.account_id AND e.entry_id = r.entry_id AND e.kind = r.kind AND e.subject_id = r.subject_id
        AND e.state <> 4 AND e.entry_revision = r.revision
      RETURNING r.number, e.kind, e.entry_id
    LOOP
      done := done || changed.number;
      answered := CASE WHEN changed.kind = 3 THEN answered || changed.entry_id ELSE answered END;
    END LOOP;
  END IF;
  IF cardinality(numbers) > cardinality(done) THEN
    FOR changed IN
      WITH r AS MATERIALIZED (
        SELECT t.*, string_to_array(btrim(t.candidates, '{}'), ',')::bigint[] AS candidate_ids
        FROM unnest(numbers, r_accounts, r_ids, r_kinds, r_subjects, r_revisions, r_states, r_outcomes, r_causes, r_comments, r_notes,
            r_charged, r_candidates, r_epos, r_woo, r_labels, r_due, r_not_before, r_attempts, r_ends)
          AS t(number, account_id, entry_id, kind, subject_id, revision, state, outcome, cause, comment, notes, charged, candidates, epos, woo,
            label, due_at, not_before, attempt, ends)
        WHERE t.number <> ALL (done))
      UPDATE entry e SET
        state = CASE WHEN e.entry_revision = r.revision THEN r.state ELSE 1 END,
        due_at = CASE WHEN e.entry_revision = r.revision THEN r.due_at ELSE greatest(e.due_at, r.not_before) END,
        not_before = r.not_before,
        attempt_count = e.attempt_count + CASE WHEN e.entry_revision = r.revision THEN r.charged ELSE 0 END,
        outcome = CASE WHEN e.kind <> 3 OR e.entry_revision = r.revision THEN r.outcome ELSE e.outcome END,
        cause = CASE WHEN e.kind <> 3 OR e.entry_revision = r.revision THEN r.cause ELSE e.cause END,
        comment = CASE WHEN e.kind <> 3 OR e.entry_revision = r.revision THEN r.comment ELSE e.comment END,
        notes = CASE WHEN e.kind <> 3 OR e.entry_revision = r.revision THEN r.notes ELSE e.notes END,
        epos_customer_id = CASE WHEN e.kind <> 3 THEN coalesce(r.epos, e.epos_customer_id)
          WHEN e.entry_revision = r.revision THEN r.epos ELSE e.epos_customer_id END,
        woo_customer_id = coalesce(r.woo, e.woo_customer_id), subject_label = coalesce(r.label, e.subject_label),
        candidate_ids = CASE WHEN e.entry_revision = r.revision THEN r.candidate_ids ELSE e.candidate_ids END,
        attempts = (CASE WHEN jsonb_array_length(e.attempts) >= 30 THEN e.attempts - 0 ELSE e.attempts END) || r.attempt,
        update_time = at
      FROM r
      WHERE e.account_id = r.account_id AND e.entry_id = r.entry_id AND e.kind = r.kind AND e.subject_id = r.subject_id
        AND e.state <> 4 AND (NOT r.ends OR e.entry_revision <> r.revision)
      RETURNING r.number, e.kind, e.entry_id, e.entry_revision = r.revision AS as_decided
    LOOP
      updated := updated || changed.number;
      moved_on := CASE WHEN changed.as_decided THEN moved_on ELSE moved_on || changed.number END;
      answered := CASE WHEN changed.kind = 3 AND changed.as_decided THEN answered || changed.entry_id ELSE answered END;
    END LOOP;
  END IF;
  IF answered IS NOT NULL THEN
    WITH r AS MATERIALIZED (
      SELECT t.*, string_to_array(btrim(t.candidates, '{}'), ',')::bigint[] AS candidate_ids
      FROM unnest(r_accounts, r_ids, r_subjects, r_states, r_outcomes, r_causes, r_comments, r_notes, r_candidates, r_epos, r_woo)
        AS t(account_id, entry_id, subject_id, state, outcome, cause, comment, notes, candidates, epos, woo)
      WHERE t.entry_id = ANY (answered))
    UPDATE order_match m SET state = r.state, outcome = r.outcome, cause = r.cause, comment = r.comment, notes = r.notes,
      epos_customer_id = r.epos, woo_customer_id = coalesce(r.woo, m.woo_customer_id), candidate_ids = r.candidate_ids, update_time = at
    FROM r WHERE m.account_id = r.account_id AND m.order_id = r.subject_id AND m.entry_id = r.entry_id;
    INSERT INTO order_event AS o (account_id, order_id, sequence, type, entry_id, state, outcome, event_time)
    SELECT m.account_id, m.order_id, 1, CASE m.state WHEN 4 THEN 2 ELSE 1 END, m.entry_id, m.state, m.outcome, m.update_time
    FROM unnest(r_accounts, r_ids, r_subjects) AS r(account_id, entry_id, subject_id)
    JOIN order_match m ON m.account_id = r.account_id AND m.order_id = r.subject_id AND m.entry_id = r.entry_id
    JOIN account a ON a.account_id = m.account_id AND a.shop_bridge_secret IS NOT NULL
    WHERE r.entry_id = ANY (answered) AND m.state <> 1 ORDER BY m.account_id, m.order_id
    ON CONFLICT (account_id, order_id) DO UPDATE SET sequence = o.sequence + 1, type = excluded.type, entry_id = excluded.entry_id,
      state = excluded.state, outcome = excluded.outcome, event_time = excluded.event_time;
  END IF;
  IF cardinality(side_claims) > 0 THEN
    SELECT array_agg(c.account_id), array_agg(t.side), array_agg(t.reason), array_agg(t.text), array_agg(t.entry_id),
      array_agg(at + make_interval(secs => t.seconds)), array_agg(CASE WHEN t.reason IS NOT NULL THEN at END)
    INTO s_accounts, s_sides, s_reasons, s_texts, s_entries, s_probes, s_since
    FROM unnest(side_claims, sides, side_seconds, side_reasons, side_texts, side_entries) AS t(claim_number, side, seconds, reason, text, entry_id)
    JOIN unnest(c_numbers, c_accounts) AS c(claim_number, account_id) USING (claim_number);
    INSERT INTO account_side AS s (account_id, side, failures, problem_reason, problem_text, problem_since, problem_entry_id, opened_by,
      times_opened)
    SELECT t.account_id, t.side, CASE WHEN t.reason IS NULL THEN 0 ELSE 1 END, t.reason, t.text, t.since, t.entry_id, t.entry_id, 1
    FROM unnest(s_accounts, s_sides, s_reasons, s_texts, s_entries, s_since) AS t(account_id, side, reason, text, entry_id, since)
    JOIN lane ON lane.account_id = t.account_id ORDER BY t.account_id, t.side
    ON CONFLICT (account_id, side) DO UPDATE SET
      failures = CASE WHEN excluded.problem_reason IS NULL THEN 0 ELSE s.failures + 1 END,
      problem_since = CASE WHEN s.problem_reason = excluded.problem_reason THEN s.problem_since ELSE excluded.problem_since END,
      problem_entry_id = CASE WHEN s.problem_reason = excluded.problem_reason THEN s.problem_entry_id ELSE excluded.problem_entry_id END,
      opened_by = CASE WHEN s.problem_reason IS NULL THEN coalesce(excluded.opened_by, s.opened_by) ELSE s.opened_by END,
      times_opened = CASE WHEN s.problem_reason IS NOT NULL OR excluded.opened_by IS NULL THEN s.times_opened
        WHEN s.opened_by = excluded.opened_by THEN s.times_opened + 1 ELSE 1 END,
      problem_reason = excluded.problem_reason, problem_text = excluded.problem_text;
    UPDATE lane SET till_probe_at = CASE WHEN c.till THEN c.till_probe_at ELSE lane.till_probe_at END,
      shop_probe_at = CASE WHEN c.shop THEN c.shop_probe_at ELSE lane.shop_probe_at END
    FROM (SELECT t.account_id, bool_or(t.side = 1) AS till, max(t.probe_at) FILTER (WHERE t.side = 1) AS till_probe_at,
            bool_or(t.side = 2) AS shop, max(t.probe_at) FILTER (WHERE t.side = 2) AS shop_probe_at
          FROM unnest(s_accounts, s_sides, s_probes) AS t(account_id, side, probe_at) GROUP BY t.account_id) AS c
    WHERE lane.account_id = c.account_id;
  END IF;
  RETURN QUERY SELECT n, CASE WHEN n = ANY (done) THEN true WHEN n = ANY (moved_on) THEN false WHEN n = ANY (updated) THEN true END
  FROM unnest(numbers) AS n;
END $$;
