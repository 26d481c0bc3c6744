"""Reads the TLS certificate and its key from their files at the start, and again when the files change.

It compares contents, not times or inodes. So it notices a swapped symlink (certbot, a Kubernetes secret), a restored file and a file
written in place. If the new pair cannot be served, the pair before stays in service.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import structlog
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

_LOG = structlog.get_logger(__name__)
WARN_DAYS = 14
_REMIND = dt.timedelta(days=1)
_READS = 3
"""Attempts to read both files while another program replaces them."""
_Content = tuple[bytes, bytes]
"""Contents of the files: certificate chain and key."""


class CertificateError(ValueError):
    """The files have no pair that can be served. The text names the file and its fault, and quotes no content."""


@dataclass(frozen=True, slots=True)
class CertificatePair:
    """A certificate chain and its private key (PEM), which are checked to match."""

    chain: bytes
    key: bytes = field(repr=False)
    https_context: ssl.SSLContext = field(repr=False)
    not_before: dt.datetime
    not_after: dt.datetime


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


class CertificateFiles:
    """Keeps the pair that new connections get. The constructor raises CertificateError if the files have none.

    ``pair`` may be read from any thread. ``reload`` runs in one task at a time.
    """

    def __init__(self, certificate: Path, key: Path, *, clock: Callable[[], dt.datetime] = _now) -> None:
        self._certificate, self._key = certificate, key
        self._clock = clock
        self._refused: tuple[_Content | None, str] | None = None
        """The refused content (None: not readable) and the reason, which the log has already."""
        self._end_logged: tuple[str, dt.datetime] | None = None
        """The last logged sentence about the end, and its time."""
        self.pair = self._pair_of(self._read())
        self._log_end()

    async def reload(self) -> None:
        """Reads the files in a thread, and serves a new pair. Logs a refused pair once, and a near end once a day."""
        await asyncio.to_thread(self._reload)

    def https_context(self) -> ssl.SSLContext:
        """Returns the context of one HTTPS listener. It has no certificate itself: each handshake gets the current pair."""
        context = _new_context()
        context.sni_callback = self._use_current_pair
        return context

    @property
    def ends_at(self) -> float:
        """Unix time at which the served certificate ends."""
        return self.pair.not_after.timestamp()

    def _reload(self) -> None:
        content: _Content | None = None
        try:
            content = self._read()
            if content != (self.pair.chain, self.pair.key):
                self._serve(self._pair_of(content))
            self._refused = None
        except CertificateError as error:
            refused = (content, str(error))
            if refused != self._refused:
                sentence = f"{error}; the certificate before stays in service until this is mended"
                _LOG.warning("certificate_refused", reason=sentence)
            self._refused = refused
        self._log_end()

    def _serve(self, pair: CertificatePair) -> None:
        now = self._clock()
        if pair.not_after <= now:
            raise CertificateError(f"the certificate in {self._certificate} ended on {_day(pair.not_after)}")
        if pair.not_before > now:
            raise CertificateError(f"the certificate in {self._certificate} is not valid before {_day(pair.not_before)}")
        self.pair = pair
        sentence = f"the files changed; it ends on {_day(pair.not_after)}"
        _LOG.info("certificate_replaced", path=str(self._certificate), reason=sentence)

    def _log_end(self) -> None:
        now, end = self._clock(), self.pair.not_after
        if end - now > dt.timedelta(days=WARN_DAYS):
            self._end_logged = None
            return
        sentence = f"the served certificate {'ended' if end <= now else 'ends'} on {_day(end)}: renew it and put the new one into its files"
        if self._end_logged is None or self._end_logged[0] != sentence or now - self._end_logged[1] >= _REMIND:
            if end <= now:
                _LOG.warning("certificate_ended", path=str(self._certificate), reason=sentence)
            else:
                _LOG.warning("certificate_ends_soon", path=str(self._certificate), reason=sentence)
            self._end_logged = (sentence, now)

    def _read(self) -> _Content:
        return _bytes_of(self._certificate, "TILLSYNC_TLS_CERT_FILE"), _bytes_of(self._key, "TILLSYNC_TLS_KEY_FILE")

    def _pair_of(self, content: _Content) -> CertificatePair:
        """Returns the checked pair. ``ssl`` loads only files, so the files are read before and after that load. This proves that gRPC's
        bytes are those that HTTPS loaded. Raises CertificateError."""
        for _ in range(_READS):
            leaf = self._checked_leaf(content)
            # Each attempt makes a new context, because a second load_cert_chain keeps the first pair if its key type differs (RSA, EC).
            context = self._loaded_context()
            reread = self._read()
            if reread == content:
                return CertificatePair(*content, context, leaf.not_valid_before_utc, leaf.not_valid_after_utc)
            content = reread
        raise CertificateError(f"{self._certificate} and {self._key} change while they are read")

    def _checked_leaf(self, content: _Content) -> x509.Certificate:
        chain, key_text = content
        try:
            leaf = x509.load_pem_x509_certificates(chain)[0]
        except ValueError:
            raise CertificateError(f"TILLSYNC_TLS_CERT_FILE: {self._certificate} holds no PEM certificate chain") from None
        try:
            key = load_pem_private_key(key_text, None)
        except TypeError:
            raise CertificateError(f"TILLSYNC_TLS_KEY_FILE: the key in {self._key} has a passphrase; store it without one") from None
        except (ValueError, UnsupportedAlgorithm):
            raise CertificateError(f"TILLSYNC_TLS_KEY_FILE: {self._key} holds no PEM private key") from None
        form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        if key.public_key().public_bytes(*form) != leaf.public_key().public_bytes(*form):
            raise CertificateError(
                "TILLSYNC_TLS_CERT_FILE and TILLSYNC_TLS_KEY_FILE are no pair that fits: "
                f"the key in {self._key} is not the key of the certificate in {self._certificate}"
            )
        return leaf

    def _loaded_context(self) -> ssl.SSLContext:
        context = _new_context()
        try:
            context.load_cert_chain(self._certificate, self._key, password=lambda: b"")  # without it OpenSSL asks at the terminal
        except (ssl.SSLError, OSError) as error:
            raise CertificateError(f"TLS cannot use {self._certificate} with {self._key}: {error.strerror or error.args[-1]}") from None
        return context

    def _use_current_pair(self, connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        """Sets the pair of a handshake. OpenSSL also calls it for clients that name no server."""
        connection.context = self.pair.https_context


def _new_context() -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # h2 is for gRPC clients, which offer nothing else: the HTTP port then refuses them with a sentence instead of a failed handshake
    context.set_alpn_protocols(["http/1.1", "h2"])
    return context


def _bytes_of(path: Path, variable: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CertificateError(f"{variable}: {path} cannot be read: {error.strerror}") from None


def _day(moment: dt.datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M UTC")
