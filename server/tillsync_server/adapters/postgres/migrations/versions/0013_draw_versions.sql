-- Draws versions for writes to the shop, stores them as last sent, and clears the content hashes of their subjects. No row: the lease has
-- another owner or token, or the account's update_time is not settings_of (NULL: not checked). kind 1: shop customers, 2: types. lowest:
-- versions to exceed, by position. linked_to, by position: the till customer that a shop customer must be linked to. removals: shop
-- customers whose removal must still be pending. A shop customer for which neither holds gets no version; linked_to NULL: all get one.
-- The lock and each read are separate statements, so each read sees everything committed before the lock. A single statement would read
-- settings, links and removals in a snapshot older than its lock, and write values on a link that another session has deleted.
-- Locks: the lane, then links or types. Indexes: primary keys of lane, account, shop_removal, customer_type and shop_version; both of link.
CREATE FUNCTION draw_versions(of_account text, of_owner text, of_token bigint, kind smallint, subjects bigint[], lowest bigint[],
  settings_of timestamptz, linked_to bigint[], removals bigint[]) RETURNS TABLE (subject bigint, version bigint)
LANGUAGE plpgsql AS $$
DECLARE
  wanted bigint[] := subjects;
  microseconds bigint := (extract(epoch FROM now()) * 1000000)::bigint;
BEGIN
  PERFORM FROM lane WHERE lane.account_id = of_account
    /* invariant: versions-are-drawn-by-the-owner */ AND lane.lease_owner = of_owner AND lane.lease_token = of_token
    /* /invariant: versions-are-drawn-by-the-owner */
  FOR UPDATE;
  IF NOT FOUND OR (settings_of IS NOT NULL
      AND NOT EXISTS (SELECT FROM account WHERE account.account_id = of_account AND account.update_time = settings_of)) THEN
    RETURN;
  END IF;
  IF linked_to IS NOT NULL THEN
    wanted := ARRAY(
      SELECT link.woo_customer_id FROM unnest(subjects, linked_to) AS t(woo, epos)
      JOIN link ON link.account_id = of_account AND link.epos_customer_id = t.epos AND link.woo_customer_id = t.woo
      UNION
      SELECT shop_removal.woo_customer_id FROM shop_removal
      WHERE shop_removal.account_id = of_account AND shop_removal.woo_customer_id = ANY (removals));
  END IF;
  IF kind = 1 THEN
    UPDATE link SET content_hash = NULL WHERE link.account_id = of_account AND link.woo_customer_id = ANY (wanted);
  ELSE
    UPDATE customer_type SET content_hash = NULL
    WHERE customer_type.account_id = of_account AND customer_type.epos_customer_type_id = ANY (wanted);
  END IF;
  RETURN QUERY INSERT INTO shop_version AS v (account_id, subject_kind, subject_id, last_version)
  SELECT of_account, kind, t.subject_id, greatest(t.above + 1, microseconds)
  FROM unnest(subjects, lowest) AS t(subject_id, above) WHERE t.subject_id = ANY (wanted)
  ON CONFLICT (account_id, subject_kind, subject_id) DO UPDATE SET last_version =
    /* invariant: versions-always-rise */ greatest(v.last_version + 1, excluded.last_version) /* /invariant: versions-always-rise */
  RETURNING v.subject_id, v.last_version;
END $$;
