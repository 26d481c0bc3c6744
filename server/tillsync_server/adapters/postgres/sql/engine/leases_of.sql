-- The leases that these owners have. $1 accounts, $2 owners, by position. Index: lane_pkey. Locks none.
SELECT lane.account_id, lane.lease_owner, lane.lease_token, lane.lapses
FROM unnest($1::text[], $2::text[]) AS t(account_id, owner) JOIN lane ON lane.account_id = t.account_id
  AND lane.lease_token >= newest_token(t.account_id)
  /* invariant: lost-answers-free-no-other-lease */ AND lane.lease_owner = t.owner /* /invariant: lost-answers-free-no-other-lease */
