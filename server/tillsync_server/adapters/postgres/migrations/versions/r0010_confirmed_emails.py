"""Whether the emails of shop accounts are confirmed."""

revision = "0010"
down_revision = "0009"
sql_file = "0010_confirmed_emails.sql"
in_transaction = True
