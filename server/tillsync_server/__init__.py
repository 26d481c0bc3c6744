"""tillsync: customer sync between an Epos Now till and a WooCommerce shop.

Where to look: ``domain`` (words and pure rules), ``ports`` (what the use cases need from outside), ``application`` (engine, flows,
use cases), ``adapters`` (PostgreSQL, the till, the shop, gRPC, HTTP), ``composition`` (the one place that joins them).
"""
