"""What a caller can ask for, one module a topic: the edges (gRPC, HTTP) call these, and these call the ports.

Every method validates its command (``InvalidArgument`` names the fields), and raises ``RequestError`` subclasses only.
"""
