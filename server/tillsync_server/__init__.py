"""tillsync: customer sync between an Epos Now till and a WooCommerce shop.

Packages: ``domain`` (types and pure rules), ``ports`` (interfaces that the use cases need), ``application`` (engine, flows, use cases),
``adapters`` (PostgreSQL, the till, the shop, gRPC, HTTP), ``composition`` (joins all of them), ``cli`` (commands that run the service).
"""
