-- Whatever is decided on the links or settings as they were is not written (invariant 6). $1 account. Under the lane's lock.
UPDATE lane SET config_version = config_version + 1 WHERE account_id = $1
