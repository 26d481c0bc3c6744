"""The queues as people read them, and what people do with entries."""
