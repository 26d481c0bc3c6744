"""Search proofs per kind of emails, and the second form of emails."""

revision = "0010"
down_revision = "0008"
sql_file = "0010_email_form.sql"
in_transaction = True
