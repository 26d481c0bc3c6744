-- Tokens used about now. $1 token ids, ascending. Index: token primary key.
UPDATE token SET last_used_time = now() WHERE token_id = ANY ($1::text[])
