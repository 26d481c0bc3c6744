"""gRPC reflection that also finds methods.

The reflection protocol names a method as a symbol: `package.Service.Method`; `grpcurl describe` asks for it. `FindFileContainingSymbol` of
protobuf's C descriptor pool finds services, messages, fields and enum values. It finds no methods.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from google.protobuf import descriptor_pool
from google.protobuf.descriptor import FileDescriptor
from grpc_reflection.v1alpha import reflection


class SymbolPool:
    """A descriptor pool for the reflection servicer. Every lookup goes to ``pool``; a symbol that ``pool`` does not find is looked up as a
    method."""

    def __init__(self, pool: descriptor_pool.DescriptorPool) -> None:
        self._pool = pool

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pool, name)

    def FindFileContainingSymbol(self, symbol: str) -> FileDescriptor:  # noqa: N802 - the pool's own name
        """The file that declares ``symbol``, a full name such as `tillsync.v1.CatalogService.ListMessages`. Raises KeyError."""
        try:
            return self._pool.FindFileContainingSymbol(symbol)
        except KeyError:
            return self._pool.FindMethodByName(symbol).containing_service.file


def reflection_servicer(service_names: Iterable[str]) -> Any:
    """A servicer of `grpc.reflection.v1alpha.ServerReflection` that lists ``service_names``."""
    return reflection.aio.ReflectionServicer(service_names, pool=SymbolPool(descriptor_pool.Default()))
