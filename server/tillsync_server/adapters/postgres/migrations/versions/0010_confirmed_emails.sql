-- An email is a claim until it is confirmed. Accounts made before this migration trust every shop account, as before; links made before
-- have ground 1, "not kept". trusted_accounts: 1 confirmed emails only, 2 accounts registered before trusted_before, 3 all. ground: 1 not
-- kept, 2 confirmed email, 3 trusted account, 4 by hand.
ALTER TABLE account ADD COLUMN trusted_accounts smallint NOT NULL DEFAULT 3;
ALTER TABLE account ADD CONSTRAINT account_trusted_accounts_check CHECK (trusted_accounts BETWEEN 1 AND 3);
ALTER TABLE account ADD COLUMN trusted_before timestamptz;
ALTER TABLE link ADD COLUMN ground smallint NOT NULL DEFAULT 1;
ALTER TABLE link ADD CONSTRAINT link_ground_check CHECK (ground BETWEEN 1 AND 4);

-- Links for the merchant to check, made by an email that was never confirmed. Origin 3: made by hand.
CREATE INDEX link_unconfirmed ON link (account_id, epos_customer_id) WHERE ground IN (1, 3) AND origin <> 3;
