-- The kinds of emails, besides plain ones, for which the till's search is proven: kind (a sign, "outside ascii", a length) → when. The
-- kinds are few (domain/email_kinds.py).
ALTER TABLE till_knowledge ADD COLUMN kinds_proven_at jsonb NOT NULL DEFAULT '{}';

-- Progress of the rewrite of stored emails to the present form (domain/emails.py), form 2: what 1 finished entries, 2 live entries, 3
-- answers, 4 create intents. Any process reads each table in order of its keys, in chunks, at least twice. A later form sets the rows back.
-- The first pass waits an hour, until processes of the previous release, which look up only their form, are replaced.
CREATE TABLE email_rekey (
  what smallint PRIMARY KEY CHECK (what BETWEEN 1 AND 4),
  form smallint NOT NULL,
  after_key text NOT NULL DEFAULT '',
  after_id text NOT NULL DEFAULT '',
  changed bigint NOT NULL DEFAULT 0,
  passes integer NOT NULL DEFAULT 0,
  done boolean NOT NULL DEFAULT false,
  next_time timestamptz NOT NULL DEFAULT now()
);
INSERT INTO email_rekey (what, form, next_time) SELECT what, 2, now() + interval '1 hour' FROM generate_series(1, 4) AS what;
