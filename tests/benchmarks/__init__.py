"""`make bench` measures the service's throughput and delays, and its requests to till and shop. It compares them with other queues (peers).

These rules apply to every row:

- PostgreSQL runs with fsync and synchronous_commit on.
- Our runs and the peer's runs alternate, so that other load on the machine affects both.
- A unit counts when its completion is committed. A row shows the median of the rounds.
- Our runs use the whole engine (leases, attempts, history, the till's budget). The handler makes no outside call, and finishes each entry
  as UPDATED. The peers' job functions are empty.
- Workers and clients are separate processes. Each round starts new ones, and warms them up before the clock starts.
- All processes run on uvloop with the service's settings of the garbage collector. So does this process, which produces calls and runs the
  sandboxes.

The first rows show delays for users, with the service as it is deployed. The other rows compare its parts with the peers, and with the
least SQL for the same rows (`least_sql`).

Each family of rows has one module. ``plan`` has the sizes, ``report`` the table, ``peers`` the peers and their tuning.
"""
