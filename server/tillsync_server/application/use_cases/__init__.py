"""Use cases, one module for each topic. The edges (gRPC, HTTP) call them, and they call the ports.

Every method validates its command (``InvalidArgument`` names the fields). Its own errors are subclasses of ``RequestError``; errors of the
database pass through.
"""
