"""The HTTP client of outgoing requests. The adapters of till and shop share it."""

from tillsync_server.adapters.http_client.address_guard import AddressRefused, AllowedHosts, GuardedResolver
from tillsync_server.adapters.http_client.answer import Answer
from tillsync_server.adapters.http_client.cleaning import clean_text, redact
from tillsync_server.adapters.http_client.client import HttpClient, HttpClientSettings
from tillsync_server.adapters.http_client.describing import error_sentence, name_of
from tillsync_server.adapters.http_client.intermediaries import Intermediary, IntermediaryKind, intermediary_of, refusal_of
from tillsync_server.adapters.http_client.retry_after import retry_after_seconds

__all__ = [
    "Answer",
    "HttpClient",
    "HttpClientSettings",
    "AddressRefused",
    "AllowedHosts",
    "GuardedResolver",
    "Intermediary",
    "IntermediaryKind",
    "clean_text",
    "error_sentence",
    "name_of",
    "redact",
    "refusal_of",
    "retry_after_seconds",
    "intermediary_of",
]
