"""The request messages of the contract, from their descriptors."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

from google.api import field_behavior_pb2
from google.protobuf import descriptor_pool
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from support.grpc_server import STUBS


def behaviours(field: FieldDescriptor) -> list[int]:
    """``google.api.field_behavior`` of a field."""
    options: Any = field.GetOptions()
    return list(options.Extensions[field_behavior_pb2.field_behavior])


@cache
def requests() -> tuple[Descriptor, ...]:
    """The request message of each method."""
    pool = descriptor_pool.Default()
    return tuple(method.input_type for service in STUBS for method in pool.FindServiceByName(f"tillsync.v1.{service}").methods)


@cache
def request_messages() -> tuple[Descriptor, ...]:
    """The requests and their nested messages that a caller fills."""
    found: dict[str, Descriptor] = {}
    _collect(requests(), found)
    return tuple(found.values())


def _collect(messages: Iterable[Descriptor], found: dict[str, Descriptor]) -> None:
    for message in messages:
        if message.full_name in found or not message.full_name.startswith("tillsync."):
            continue
        found[message.full_name] = message
        given = [field for field in message.fields if field_behavior_pb2.OUTPUT_ONLY not in behaviours(field)]
        _collect([field.message_type for field in given if field.message_type is not None], found)
