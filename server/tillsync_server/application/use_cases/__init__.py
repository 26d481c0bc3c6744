"""Use cases, one module for each topic. The edges (gRPC, HTTP) call them, and they call the ports.

Every method validates its command (``InvalidArgument`` names the fields), and raises only subclasses of ``RequestError``.
"""
