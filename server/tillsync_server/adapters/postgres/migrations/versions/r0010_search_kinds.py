"""Search proofs per kind of emails."""

revision = "0010"
down_revision = "0005"
sql_file = "0010_search_kinds.sql"
in_transaction = True
