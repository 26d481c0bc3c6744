"""The filter of ListQueue as one function, shared by its statements."""

revision = "0003"
down_revision = "0002"
sql_file = "0003_filtered_entries.sql"
in_transaction = True
