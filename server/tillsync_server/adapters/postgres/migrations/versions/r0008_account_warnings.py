"""Problems that do not stop an account: unreadable rows of the till, stray output of the shop."""

revision = "0008"
down_revision = "0007"
sql_file = "0008_account_warnings.sql"
in_transaction = True
