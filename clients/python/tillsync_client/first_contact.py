"""Finds out what listens at an address that gRPC could not use, and says it in one sentence with a remedy.

gRPC's messages for a wrong port or protocol name neither, and change with its releases. So this module probes the address: it sends HTTP/2
in plain text, and tries a TLS handshake.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
from enum import Enum, auto

from tillsync_client.address import Address

PROBE_SECONDS = 3.0
_ANSWER_SECONDS = 1.0
_HTTP2_HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))
_SETTINGS = 4
_GRPC_PORT = "the gRPC port, TILLSYNC_GRPC_LISTEN of the service (50051 unless set)"
_ROOTS = "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH"


class _PlainAnswer(Enum):
    HTTP2 = auto()
    HTTP1 = auto()
    NEITHER = auto()
    NOTHING = auto()
    """The listener closed the connection without a byte."""


async def first_contact(address: Address, root_certificates: bytes | None, seconds: float = PROBE_SECONDS) -> str | None:
    """Why gRPC cannot use the address. None: this probe finds no reason."""
    try:
        async with asyncio.timeout(seconds):
            return await (_of_tls(address, root_certificates) if address.secure else _of_plain_text(address))
    except TimeoutError:
        return f"{address.target} does not answer: see that the host and port are right and no firewall drops the connection"
    except socket.gaierror:
        return f"{address.target}: no host of this name is known"
    except ConnectionRefusedError:
        return f"nothing listens at {address.target}: see that the service runs, and take {_GRPC_PORT}"
    except OSError as error:
        return f"{address.target} cannot be reached: {error.strerror or error}"


async def _of_tls(address: Address, root_certificates: bytes | None) -> str | None:
    try:
        protocol = await _handshake(address, _trust(root_certificates))
    except ssl.SSLCertVerificationError as error:
        return (
            f"the certificate of {address.target} is not trusted: {error.verify_message}; see that the address has the name in the "
            f"certificate, and that its issuer is in root_certificates or in the file that {_ROOTS} names"
        )
    except (ssl.SSLError, ConnectionResetError):
        answer = await _plain_answer(address)
        if answer is _PlainAnswer.NOTHING:
            return None  # it may be starting, stopping or full
        if answer is not _PlainAnswer.NEITHER:
            return (
                f"{address.target} speaks plain text, and this address means TLS: write http://{address.target}, or give the service a "
                "certificate (TILLSYNC_TLS_CERT_FILE)"
            )
        return f"what listens at {address.target} speaks no TLS and is no gRPC server: take {_GRPC_PORT}"
    return None if protocol == "h2" else f"{address.target} speaks HTTPS, not gRPC: take {_GRPC_PORT}"


def _trust(root_certificates: bytes | None) -> ssl.SSLContext:
    """A context with gRPC's trusted issuers: the given ones, or those of the file that the variable names, or the machine's."""
    if root_certificates is not None:
        return ssl.create_default_context(cadata=root_certificates.decode("ascii"))
    return ssl.create_default_context(cafile=os.environ.get(_ROOTS))


async def _of_plain_text(address: Address) -> str | None:
    answer = await _plain_answer(address)
    match answer:
        case _PlainAnswer.HTTP2:
            return None
        case _PlainAnswer.HTTP1:
            return f"{address.target} speaks HTTP, not gRPC: take {_GRPC_PORT}"
    unchecked = ssl.create_default_context()
    unchecked.check_hostname, unchecked.verify_mode = False, ssl.CERT_NONE  # The probe sends no data.
    try:
        await _handshake(address, unchecked)
    except (ssl.SSLError, ConnectionResetError):
        if answer is _PlainAnswer.NOTHING:
            return None  # it may be starting, stopping or full
        return f"what listens at {address.target} is no gRPC server: take {_GRPC_PORT}"
    return f"{address.target} speaks TLS, and this address means plain text: write https://{address.target}"


async def _handshake(address: Address, context: ssl.SSLContext) -> str | None:
    """The protocol that the server selected."""
    context.set_alpn_protocols(["h2"])
    _, writer = await asyncio.open_connection(address.host, address.port, ssl=context)
    chosen = writer.get_extra_info("ssl_object").selected_alpn_protocol()
    await _closed(writer)
    return str(chosen) if chosen else None


async def _plain_answer(address: Address) -> _PlainAnswer:
    reader, writer = await asyncio.open_connection(address.host, address.port)
    answer, is_closed = b"", False
    try:
        writer.write(_HTTP2_HELLO)
        async with asyncio.timeout(_ANSWER_SECONDS):
            answer = await reader.readexactly(9)
    except asyncio.IncompleteReadError as error:
        answer, is_closed = error.partial, True
    except ConnectionError:
        is_closed = True
    except TimeoutError:
        pass
    finally:
        await _closed(writer)
    if not answer and is_closed:
        return _PlainAnswer.NOTHING
    if answer.startswith(b"HTTP/1."):
        return _PlainAnswer.HTTP1
    return _PlainAnswer.HTTP2 if answer[3:4] == bytes((_SETTINGS,)) else _PlainAnswer.NEITHER


async def _closed(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
