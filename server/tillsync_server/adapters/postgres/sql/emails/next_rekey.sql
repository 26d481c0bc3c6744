-- What is to be brought to the present form of emails now. The table has four rows. Takes no lock. Index: none needed.
SELECT what, after_key, after_id, changed, passes FROM email_rekey WHERE NOT done AND next_time <= now() ORDER BY what LIMIT 1
