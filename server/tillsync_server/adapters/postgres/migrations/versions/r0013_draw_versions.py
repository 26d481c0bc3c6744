"""Versions for writes to the shop are drawn by one statement."""

revision = "0013"
down_revision = "0012"
sql_file = "0013_draw_versions.sql"
in_transaction = True
