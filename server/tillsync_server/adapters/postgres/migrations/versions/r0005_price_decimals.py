"""Decimals of a shop's prices."""

revision = "0005"
down_revision = "0004"
sql_file = "0005_price_decimals.sql"
in_transaction = True
