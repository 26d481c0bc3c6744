"""Search proofs by kind of email, and the second form of emails."""

revision = "0009"
down_revision = "0008"
sql_file = "0009_email_form.sql"
in_transaction = True
