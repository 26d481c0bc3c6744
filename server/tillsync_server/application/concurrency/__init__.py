"""Asynchronous building blocks that do not depend on lanes: batches of calls, queues by class, owned tasks, waiting callers."""
