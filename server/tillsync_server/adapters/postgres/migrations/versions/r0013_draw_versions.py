"""A function that draws versions for writes to the shop."""

revision = "0013"
down_revision = "0012"
sql_file = "0013_draw_versions.sql"
in_transaction = True
