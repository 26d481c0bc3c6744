"""State of each side of an account, and the times of its probes in the lane."""

revision = "0012"
down_revision = "0011"
sql_file = "0012_account_sides.sql"
in_transaction = True
