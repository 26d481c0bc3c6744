"""`make bench`: what the service does in a second, beside its peers on the same PostgreSQL, and what it asks of till and shop.

Rules, for every row: PostgreSQL with fsync and synchronous_commit on; ours and the peer's runs alternate, so that a noisy neighbour hits
both; a unit counts once its completion is committed; what is shown is the median of the rounds. Ours is always the whole engine
(leases, attempts, history, the till's budget); its handler makes no outside call and finishes each entry as UPDATED, the peers' job
functions are empty. Workers and clients are processes of their own, started anew for each round and warmed up before the clock starts. All
of them, and this one, which produces calls and runs the sandboxes, are on uvloop with the service's settings of the garbage collector.

The rows that users feel come first, with the service as it is deployed; then what its parts do beside the peers, and beside the least SQL
for the same rows (`least_sql`).

One module a family of rows; ``plan`` holds the sizes, ``report`` the table, ``peers`` the peers and how they are tuned.
"""
