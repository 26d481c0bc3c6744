-- The accounts of a till with the version of their settings. $1 till. Indexes: account_by_till, lane primary key. Takes no lock.
SELECT a.account_id, l.config_version FROM account a JOIN lane l USING (account_id) WHERE a.till_id = $1 ORDER BY a.account_id
