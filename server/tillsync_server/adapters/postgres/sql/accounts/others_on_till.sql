-- Whether an account other than $2 uses the till $1. Index: account_by_till. Takes no lock.
SELECT EXISTS (SELECT FROM account WHERE till_id = $1 AND account_id <> $2)
