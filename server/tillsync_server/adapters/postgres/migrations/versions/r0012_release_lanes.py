"""Lanes are given back by one statement."""

revision = "0012"
down_revision = "0010"
sql_file = "0012_release_lanes.sql"
in_transaction = True
