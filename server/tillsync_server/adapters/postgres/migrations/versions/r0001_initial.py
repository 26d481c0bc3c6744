"""First schema: accounts, lanes, entries and history, orders, links, tills, tokens."""

revision = "0001"
down_revision = None
sql_file = "0001_initial.sql"
in_transaction = True
