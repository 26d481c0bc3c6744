"""Order events that a bridge refused, kept to be resent."""

revision = "0004"
down_revision = "0003"
sql_file = "0004_refused_events.sql"
in_transaction = True
