"""Sales whose customer must be read from the till."""

revision = "0007"
down_revision = "0006"
sql_file = "0007_till_sales.sql"
in_transaction = True
