"""Turns of classes of work at a till, and whether another app is busy there."""

revision = "0011"
down_revision = "0010"
sql_file = "0011_till_turns.sql"
in_transaction = True
