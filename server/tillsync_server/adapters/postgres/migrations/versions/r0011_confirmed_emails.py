"""Whether emails of shop accounts are confirmed."""

revision = "0011"
down_revision = "0005"
sql_file = "0011_confirmed_emails.sql"
in_transaction = True
