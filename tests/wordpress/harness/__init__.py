"""The test harness of the plugin: real WordPress sites on MariaDB and SQLite, a browser and the service. See ../README.md."""
