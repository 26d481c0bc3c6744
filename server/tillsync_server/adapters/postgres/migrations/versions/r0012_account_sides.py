"""One state for each side of an account; lanes are given back by one statement."""

revision = "0012"
down_revision = "0011"
sql_file = "0012_account_sides.sql"
in_transaction = True
