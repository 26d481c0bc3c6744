"""The test harness of the bridge: real WordPress sites on MariaDB and SQLite, a browser, and the service beside them. See ../README.md."""
