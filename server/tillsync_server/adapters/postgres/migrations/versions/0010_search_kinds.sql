-- For which kinds of emails, beside plain ones, the till's search is proven: kind (a sign, "outside ascii", a length) → when. The kinds are
-- few (domain/email_kinds.py).
ALTER TABLE till_knowledge ADD COLUMN kinds_proven_at jsonb NOT NULL DEFAULT '{}';
