-- name: requeue_waiting
-- Returns waiting requeues, oldest first. $1 most rows. The table has few rows. Takes no lock.
SELECT account_id, what FROM requeue ORDER BY create_time, account_id, what LIMIT $1

-- name: requeue_lock
-- Locks one requeue and returns its position; no row if another process has finished it. $1 account, $2 what. Runs after `lock_lane` in its
-- transaction. Index: requeue primary key.
SELECT after_id, after_entry_id FROM requeue WHERE account_id = $1 AND what = $2 FOR UPDATE

-- name: requeue_move
-- Stores the position of one requeue. $1 account, $2 what, $3 the last subject, $4 the last entry. After `requeue_lock` in its transaction.
UPDATE requeue SET after_id = $3, after_entry_id = $4 WHERE account_id = $1 AND what = $2

-- name: requeue_delete
-- Deletes a finished requeue. $1 account, $2 what. After `requeue_lock` in its transaction.
DELETE FROM requeue WHERE account_id = $1 AND what = $2

-- name: requeue_linked_customers
-- Returns the next linked till customers. $1 account, $2 after this one, $3 most rows. Index: link primary key. Under the lane's lock.
SELECT epos_customer_id AS subject_id FROM link WHERE account_id = $1 AND epos_customer_id > $2 ORDER BY epos_customer_id LIMIT $3

-- name: requeue_known_types
-- Returns the next known customer types. $1 account, $2 after this one, $3 most rows. Index: customer_type primary key. Under the lane's
-- lock.
SELECT epos_customer_type_id AS subject_id FROM customer_type
WHERE account_id = $1 AND epos_customer_type_id > $2 ORDER BY epos_customer_type_id LIMIT $3

-- name: requeue_pending_removals
-- Returns the next till customers with a pending removal. $1 account, $2 after this one, $3 most rows. Index: shop_removal_by_epos.
-- Under the lane's lock.
SELECT DISTINCT epos_customer_id AS subject_id FROM shop_removal
WHERE account_id = $1 AND epos_customer_id > $2 ORDER BY epos_customer_id LIMIT $3

-- name: requeue_held_orders
-- Requeues the next held orders, in order of arrival, with fresh attempts; their answers are PENDING again. $1 account, $2 after this entry
-- (NULL: from the first), $3 most rows, $4 the database's time. Under the lane's lock. Indexes: entry_by_state, entry and order_match
-- primary keys.
WITH held AS MATERIALIZED (
  SELECT entry_id FROM entry WHERE account_id = $1 AND queue = 2 AND state = 4 AND ($2::uuid IS NULL OR entry_id > $2)
  ORDER BY entry_id LIMIT $3),
requeued AS (
  UPDATE entry e SET state = 1, due_at = greatest($4, e.not_before), entry_revision = e.entry_revision + 1, attempt_count = 0,
    update_time = $4
  FROM held WHERE e.account_id = $1 AND e.entry_id = held.entry_id
  RETURNING e.entry_id, e.subject_id, e.due_at),
answers AS (
  UPDATE order_match m SET state = 1, update_time = $4
  FROM requeued WHERE m.account_id = $1 AND m.order_id = requeued.subject_id AND m.entry_id = requeued.entry_id)
SELECT entry_id, due_at FROM requeued
