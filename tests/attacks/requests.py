"""Requests of every method, from the descriptors."""

from __future__ import annotations

from google.protobuf import message_factory
from google.protobuf.message import Message
from grpc_health.v1 import health_pb2
from tillsync.v1 import (
    account_service_pb2,
    catalog_service_pb2,
    customer_sync_service_pb2,
    diagnosis_service_pb2,
    link_service_pb2,
    privacy_service_pb2,
    queue_service_pb2,
)

_FILES = (
    account_service_pb2,
    catalog_service_pb2,
    customer_sync_service_pb2,
    diagnosis_service_pb2,
    link_service_pb2,
    privacy_service_pb2,
    queue_service_pb2,
    health_pb2,
)
METHODS = {
    f"/{service.full_name}/{method.name}": method
    for file in _FILES
    for service in file.DESCRIPTOR.services_by_name.values()
    for method in service.methods
}
"""By path."""
STREAMS = ("/tillsync.v1.QueueService/WatchQueue", "/grpc.health.v1.Health/Watch")
"""Those that answer with a stream."""


def request_class(path: str) -> type[Message]:
    return message_factory.GetMessageClass(METHODS[path].input_type)


def message_of(path: str, account_id: str) -> Message:
    """Empty but for the account, where the method has one."""
    message = request_class(path)()
    if "account_id" in message.DESCRIPTOR.fields_by_name:
        message.account_id = account_id  # type: ignore[attr-defined]
    return message
