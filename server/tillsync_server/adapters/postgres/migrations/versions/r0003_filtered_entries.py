"""The filter of ListQueue as one function, which its statements share."""

revision = "0003"
down_revision = "0002"
sql_file = "0003_filtered_entries.sql"
in_transaction = True
