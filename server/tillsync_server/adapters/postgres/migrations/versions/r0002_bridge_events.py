"""What shops with a bridge are told of their orders; and what finding everything about one person needs."""

revision = "0002"
down_revision = "0001"
sql_file = "0002_bridge_events.sql"
in_transaction = True
