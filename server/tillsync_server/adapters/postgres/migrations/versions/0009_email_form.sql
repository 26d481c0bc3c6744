-- For which kinds of emails, beside plain ones, the till's search is proven: kind (a sign, "outside ascii", a length) → when. The kinds are
-- few (domain/email_kinds.py).
ALTER TABLE till_knowledge ADD COLUMN kinds_proven_at jsonb NOT NULL DEFAULT '{}';

-- How far what is stored has come to the present form of emails (domain/emails.py), form 2: what 1 finished entries, 2 live entries,
-- 3 answers, 4 create intents. Read in order of the keys, in chunks, at least twice; any process. A later form sets the rows back. The first
-- reading waits for an hour: processes of the release before, which look under their form only, are replaced until then.
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
