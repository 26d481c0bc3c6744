"""Makes requests of every method from the descriptors."""

from __future__ import annotations

from google.protobuf import message_factory
from google.protobuf.message import Message
from tillsync_server.adapters.http.connect import rpc_methods

METHODS = rpc_methods()
"""Methods by path."""
STREAMS = ("/tillsync.v1.QueueService/WatchQueue", "/grpc.health.v1.Health/Watch")
"""Paths of methods that answer with a stream."""


def request_class(path: str) -> type[Message]:
    return message_factory.GetMessageClass(METHODS[path].input_type)


def message_of(path: str, account_id: str) -> Message:
    """Returns an empty request. Only the account is set, if the method has channel."""
    message = request_class(path)()
    if "account_id" in message.DESCRIPTOR.fields_by_name:
        message.account_id = account_id  # type: ignore[attr-defined]
    return message
