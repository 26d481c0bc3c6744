"""Lower bounds of due times, and a key of lanes with their token."""

revision = "0014"
down_revision = "0013"
sql_file = "0014_due_bounds.sql"
in_transaction = True
