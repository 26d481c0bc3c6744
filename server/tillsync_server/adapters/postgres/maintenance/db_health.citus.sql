-- name: entry_estimate
-- Counts the live entries up to 100,000. The coordinator has no statistics of the node's tables.
SELECT count(*) AS live_entries FROM (SELECT FROM entry LIMIT 100000) AS counted
