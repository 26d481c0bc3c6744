"""Rows of a till's customer list that cannot be read."""

revision = "0008"
down_revision = "0005"
sql_file = "0008_unread_rows.sql"
in_transaction = True
