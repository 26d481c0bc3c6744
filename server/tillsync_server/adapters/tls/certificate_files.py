"""The TLS certificate and its key: read from their files at the start, and again when the files change.

Content is compared, not times or inodes. So a swapped symlink (certbot, a Kubernetes secret), a restored file and a file written in
place are all seen. A pair that cannot be served leaves the pair before in service.
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
"""How often both files are read when another program replaces them meanwhile."""
_Content = tuple[bytes, bytes]
"""Certificate chain and key, as they stand in the files."""


class CertificateError(ValueError):
    """The files hold no pair that can be served. The text names the file and its fault, and quotes nothing."""


@dataclass(frozen=True, slots=True)
class CertificatePair:
    """A certificate chain and its private key (PEM), proven to fit."""

    chain: bytes
    key: bytes = field(repr=False)
    https_context: ssl.SSLContext = field(repr=False)
    not_before: dt.datetime
    not_after: dt.datetime


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


class CertificateFiles:
    """Holds the pair that new connections get. Raises CertificateError when the files hold none.

    ``pair`` may be read from any thread; ``look`` runs in one task at a time.
    """

    def __init__(self, certificate: Path, key: Path, *, clock: Callable[[], dt.datetime] = _now) -> None:
        self._certificate, self._key = certificate, key
        self._clock = clock
        self._refused: tuple[_Content | None, str] | None = None
        """The content that is not served (None: not readable), and why. The log has told of it."""
        self._end_told: tuple[str, dt.datetime] | None = None
        self.pair = self._pair_of(self._read())
        self._tell_end()

    async def look(self) -> None:
        """Reads the files in a thread, and serves what they hold. Logs a refused pair once, and a near end once a day."""
        await asyncio.to_thread(self._look)

    def https_context(self) -> ssl.SSLContext:
        """For one HTTPS listener. It holds no certificate itself: every handshake gets the pair of that moment."""
        context = _new_context()
        context.sni_callback = self._give_present_pair
        return context

    @property
    def ends_at(self) -> float:
        """Unix time at which the served certificate ends."""
        return self.pair.not_after.timestamp()

    def _look(self) -> None:
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
        self._tell_end()

    def _serve(self, pair: CertificatePair) -> None:
        now = self._clock()
        if pair.not_after <= now:
            raise CertificateError(f"the certificate in {self._certificate} ended on {_day(pair.not_after)}")
        if pair.not_before > now:
            raise CertificateError(f"the certificate in {self._certificate} is not valid before {_day(pair.not_before)}")
        self.pair = pair
        sentence = f"the files changed; it ends on {_day(pair.not_after)}"
        _LOG.info("certificate_replaced", path=str(self._certificate), reason=sentence)

    def _tell_end(self) -> None:
        now, end = self._clock(), self.pair.not_after
        if end - now > dt.timedelta(days=WARN_DAYS):
            self._end_told = None
            return
        sentence = f"the served certificate {'ended' if end <= now else 'ends'} on {_day(end)}: renew it and put the new one into its files"
        if self._end_told is None or self._end_told[0] != sentence or now - self._end_told[1] >= _REMIND:
            if end <= now:
                _LOG.warning("certificate_ended", path=str(self._certificate), reason=sentence)
            else:
                _LOG.warning("certificate_ends_soon", path=str(self._certificate), reason=sentence)
            self._end_told = (sentence, now)

    def _read(self) -> _Content:
        return _bytes_of(self._certificate, "TILLSYNC_TLS_CERT_FILE"), _bytes_of(self._key, "TILLSYNC_TLS_KEY_FILE")

    def _pair_of(self, content: _Content) -> CertificatePair:
        """``ssl`` loads files only. So the files are read before and after: what gRPC gets as bytes is what HTTPS loaded."""
        for _ in range(_READS):
            leaf = self._proven_leaf(content)
            # A new context each time: a second load_cert_chain would leave a pair of another key type (RSA beside EC) in the old one.
            context = self._loaded_context()
            again = self._read()
            if again == content:
                return CertificatePair(*content, context, leaf.not_valid_before_utc, leaf.not_valid_after_utc)
            content = again
        raise CertificateError(f"{self._certificate} and {self._key} change while they are read")

    def _proven_leaf(self, content: _Content) -> x509.Certificate:
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
            context.load_cert_chain(self._certificate, self._key, password=lambda: b"")  # never ask at the terminal
        except (ssl.SSLError, OSError) as error:
            raise CertificateError(f"TLS cannot use {self._certificate} with {self._key}: {error.strerror or error.args[-1]}") from None
        return context

    def _give_present_pair(self, connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        """Called in every handshake, also of clients that name no server."""
        connection.context = self.pair.https_context


def _new_context() -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # h2 is for gRPC clients, which offer nothing else and would end without a word: the HTTP port refuses them with a sentence
    context.set_alpn_protocols(["http/1.1", "h2"])
    return context


def _bytes_of(path: Path, variable: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CertificateError(f"{variable}: {path} cannot be read: {error.strerror}") from None


def _day(moment: dt.datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M UTC")
