"""Registration times of shop users, and an index of held orders by candidate."""

revision = "0006"
down_revision = "0005"
sql_file = "0006_shop_users.sql"
in_transaction = True
