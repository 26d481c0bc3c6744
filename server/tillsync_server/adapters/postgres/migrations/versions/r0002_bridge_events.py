"""Order events for shops with a bridge, and indexes that find the data of one person."""

revision = "0002"
down_revision = "0001"
sql_file = "0002_bridge_events.sql"
in_transaction = True
