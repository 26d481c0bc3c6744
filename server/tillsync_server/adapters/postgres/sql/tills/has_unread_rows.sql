-- Whether any row of the till's list could not be read when it was last met. $1 till. Index: unread_row primary key.
SELECT EXISTS (SELECT FROM unread_row WHERE till_id = $1)
