"""Reads the files of one release: manifest, signatures and zip. The release machine writes them (``scripts/sign_bridge.py``)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from tillsync_server.domain.bridge_release import PLUGIN, BridgeRelease, ReleaseProblem, Ring

MANIFEST_BYTES, SIGNATURES_BYTES, ZIP_BYTES = 64 * 1024, 1024, 16 * 1024 * 1024
"""Largest files."""
MAX_SIGNATURES, SIGNATURE_BYTES, KEY_BYTES = 2, 64, 32
FORMAT = 1
"""Form of the manifest."""
UNREADABLE = "file_unreadable"
"""Code of a file that the service's user may not read, or that the disk does not give. The next reading tries again."""


class BadFileError(Exception):
    """A file of the folder cannot be used."""

    def __init__(self, file: str, code: str, text: str) -> None:
        super().__init__(text)
        self.problem = ReleaseProblem(file, code, text)


def read_at_most(file: Path, limit: int) -> bytes | None:
    """Reads a file, and no more than ``limit`` bytes of it. Returns None for a larger one. Raises BadFileError, and FileNotFoundError."""
    try:
        with file.open("rb") as opened:
            content = opened.read(limit + 1)
    except FileNotFoundError:
        raise
    except OSError as error:
        text = f"cannot be read ({error.strerror}): let the service's user read it"
        raise BadFileError(file.name, UNREADABLE, text) from error
    return None if len(content) > limit else content


def read_keys(content: bytes, file: str) -> tuple[Ed25519PublicKey, ...]:
    """Reads public keys, one base64 line each. Raises BadFileError."""
    try:
        raw = [base64.b64decode(line, validate=True) for line in content.split()]
        if not raw or any(len(key) != KEY_BYTES for key in raw):
            raise ValueError
        return tuple(Ed25519PublicKey.from_public_bytes(key) for key in raw)
    except (ValueError, binascii.Error) as error:
        text = "must have one public key (44 characters) on each line: write it with `scripts/sign_bridge.py keys`, or remove the file"
        raise BadFileError(file, "keys_unreadable", text) from error


def read_release(folder: Path, version: str, ring: Ring, keys: Sequence[Ed25519PublicKey] | None) -> BridgeRelease:
    """Reads and checks the three files of a release. ``keys``: one of them must have signed; None checks no signature. Raises
    BadFileError."""
    name = f"{PLUGIN}-{version}"
    manifest = _content(folder, f"{name}.json", MANIFEST_BYTES, "manifest_missing")
    published, size, digest = _facts(manifest, f"{name}.json", version)
    signatures = _signatures(_content(folder, f"{name}.json.sig", SIGNATURES_BYTES, "unsigned"), f"{name}.json.sig")
    if keys is not None and not any(_is_signed(key, signature, manifest) for key in keys for signature in signatures):
        text = "no key of public-keys.txt has signed this manifest: sign the release again, and copy all three files"
        raise BadFileError(f"{name}.json.sig", "signature_wrong", text)
    package = _content(folder, f"{name}.zip", ZIP_BYTES, "zip_missing")
    if len(package) != size or hashlib.sha256(package).hexdigest() != digest:
        text = "is not the zip that the manifest names (size or SHA-256): copy all three files of the release again"
        raise BadFileError(f"{name}.zip", "zip_differs", text)
    return BridgeRelease(
        version=version,
        published=published,
        size=size,
        manifest=manifest,
        signatures=signatures,
        is_signature_checked=keys is not None,
        ring=ring,
    )


def _content(folder: Path, file: str, limit: int, code: str) -> bytes:
    try:
        content = read_at_most(folder / file, limit)
    except FileNotFoundError as error:
        raise BadFileError(file, code, "is missing: copy all three files of the release (.zip, .json.sig, .json)") from error
    if content is None:
        raise BadFileError(file, "too_large", f"has more than {limit} bytes: copy the file of the release again")
    return content


def _facts(content: bytes, file: str, version: str) -> tuple[datetime, int, str]:
    """Returns the time of the release, and the size and SHA-256 of its zip. Raises BadFileError."""
    try:
        manifest: dict[str, Any] = dict(json.loads(content))
        published = datetime.fromisoformat(manifest["published"])
        if published.tzinfo is None:
            raise ValueError
        published = published.astimezone(UTC)  # OverflowError: before the year 1
        size, digest = manifest["size"], manifest["sha256"]
        is_whole = isinstance(size, int) and isinstance(digest, str)
        if not is_whole or any(not isinstance(manifest[name], str) for name in ("requires", "requires_php", "tested", "changelog")):
            raise ValueError
    except (ValueError, TypeError, KeyError, RecursionError, OverflowError) as error:
        text = "is no manifest of a release: make it with `scripts/sign_bridge.py sign`"
        raise BadFileError(file, "manifest_unreadable", text) from error
    if (manifest.get("format"), manifest.get("plugin"), manifest.get("version")) != (FORMAT, PLUGIN, version):
        text = f"is not the manifest of {PLUGIN} {version} in form {FORMAT}: keep the names of the files, or upgrade the service"
        raise BadFileError(file, "manifest_of_other", text)
    return published, size, digest


def _signatures(content: bytes, file: str) -> tuple[bytes, ...]:
    try:
        signatures = tuple(base64.b64decode(line, validate=True) for line in content.split())
    except (ValueError, binascii.Error):
        signatures = ()
    if not 1 <= len(signatures) <= MAX_SIGNATURES or any(len(signature) != SIGNATURE_BYTES for signature in signatures):
        raise BadFileError(file, "unsigned", "has no Ed25519 signature: sign the release with `scripts/sign_bridge.py sign`")
    return signatures


def _is_signed(key: Ed25519PublicKey, signature: bytes, manifest: bytes) -> bool:
    try:
        key.verify(signature, manifest)
    except InvalidSignature:
        return False
    return True
