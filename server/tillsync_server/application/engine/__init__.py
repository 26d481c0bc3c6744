"""The engine (design section 6): enqueueing, lanes, runs, completions. It knows entries and verdicts, not tills or shops.

``batcher`` gathers concurrent calls into one statement; ``enqueuer`` is the way in; ``worker`` leases lanes and keeps the leases;
``lane_runner`` is one lane while it is leased; ``waiters`` are callers waiting for an entry's end.
"""
