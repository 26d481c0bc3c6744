"""HTTP out of this process, shared by the till's and the shop's adapters."""

from tillsync_server.adapters.outbound.address_guard import AddressRefused, AllowedHosts, GuardedResolver
from tillsync_server.adapters.outbound.answer import Answer
from tillsync_server.adapters.outbound.cleaning import clean_text, redact
from tillsync_server.adapters.outbound.client import OutboundHttp, OutboundSettings
from tillsync_server.adapters.outbound.describing import error_sentence, name_of
from tillsync_server.adapters.outbound.retry_after import retry_after_seconds
from tillsync_server.adapters.outbound.strangers import Stranger, StrangerKind, refusal_of, stranger_of

__all__ = [
    "Answer",
    "OutboundHttp",
    "OutboundSettings",
    "AddressRefused",
    "AllowedHosts",
    "GuardedResolver",
    "Stranger",
    "StrangerKind",
    "clean_text",
    "error_sentence",
    "name_of",
    "redact",
    "refusal_of",
    "retry_after_seconds",
    "stranger_of",
]
