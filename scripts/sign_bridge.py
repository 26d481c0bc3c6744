"""Makes keys for the plugin's releases, and signs a release. It runs on the release machine. The service needs no private key.

    python scripts/sign_bridge.py make-key FILE                          a new private key (PEM, 0600); prints its public key
    python scripts/sign_bridge.py keys FILE…                             prints the public keys of private keys
    python scripts/sign_bridge.py sign ZIP --key FILE [--key FILE] [--out FOLDER]

``sign`` writes the three files of a release, ready for the service's TILLSYNC_BRIDGE_RELEASES_DIR: the zip, the manifest (``.json``) and
its detached Ed25519 signatures (``.json.sig``, one base64 line for each key). It signs the manifest's exact bytes. The manifest holds the
zip's SHA-256 and size.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import os
import re
import sys
import zipfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from bridge_zip import KEYS_FILE, NAME
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat, load_pem_private_key

FORMAT = 1
"""Form of the manifest. The plugin and the service refuse another one."""
MAX_BYTES = 16 * 1024 * 1024
"""Largest zip that the service hands out."""
MAX_CHANGELOG = 20_000
_VERSION = re.compile(r"\d{1,6}\.\d{1,6}\.\d{1,6}")


class SigningError(Exception):
    """The key or the zip cannot be used. The message names the remedy."""


def make_key(file: Path) -> str:
    """Writes a new private key that only its owner can read. Returns the public key in base64. Raises SigningError."""
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as opened:
            opened.write(pem)
    except OSError as error:
        raise SigningError(f"{file} cannot be made ({error.strerror}): name a new file in a folder of your own") from error
    return public_key_of(key)


def load_key(file: Path) -> Ed25519PrivateKey:
    try:
        key = load_pem_private_key(file.read_bytes(), password=None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise SigningError(
            f"{file} is no readable private key ({type(error).__name__}): make one with `sign_bridge.py make-key`"
        ) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise SigningError(f"{file} is no Ed25519 key: make one with `sign_bridge.py make-key`")
    return key


def public_key_of(key: Ed25519PrivateKey) -> str:
    """The raw public key in base64, as ``make bridge-zip BRIDGE_PUBLIC_KEY=`` takes it."""
    return base64.b64encode(key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()


def sign(package: Path, keys: Sequence[Ed25519PrivateKey], folder: Path, published: datetime) -> list[Path]:
    """Writes zip, manifest and signatures of the release into ``folder``. ``published`` is the time of the release. Raises SigningError."""
    manifest = manifest_of(package, published)
    content = (json.dumps(manifest, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()
    name = f"{NAME}-{manifest['version']}"
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / f"{name}.zip", folder / f"{name}.json.sig", folder / f"{name}.json"]
    # The service looks for manifests, so the manifest comes last.
    _replace(files[0], package.read_bytes())
    _replace(files[1], "".join(f"{base64.b64encode(key.sign(content)).decode()}\n" for key in keys).encode())
    _replace(files[2], content)
    return files


def manifest_of(package: Path, published: datetime) -> dict[str, str | int]:
    """The manifest of a plugin's zip, read from its headers. Raises SigningError."""
    try:
        with zipfile.ZipFile(package) as archive:
            names = archive.namelist()
            main = archive.read(f"{NAME}/{NAME}.php").decode()
            readme = archive.read(f"{NAME}/readme.txt").decode()
            keys = archive.read(f"{NAME}/{KEYS_FILE}").decode()
    except (OSError, ValueError, LookupError, zipfile.BadZipFile) as error:
        raise SigningError(f"{package} is no zip of the plugin ({error}): make one with `make bridge-zip`") from error
    if foreign := [name for name in names if not name.startswith(f"{NAME}/") or ".." in name.split("/")]:
        raise SigningError(f"{package} has a file outside {NAME}/ ({foreign[0]}): make it with `make bridge-zip`")
    if "return array( '" not in keys:
        raise SigningError(f"{package} has no public key, so a shop that installs it gets no later update: set BRIDGE_PUBLIC_KEY")
    content = package.read_bytes()
    if len(content) > MAX_BYTES:
        raise SigningError(
            f"{package} has {len(content)} bytes, and the service hands out at most {MAX_BYTES}: remove what the shop does not need"
        )
    version = _header(main, "Version", package)
    if not _VERSION.fullmatch(version):
        raise SigningError(f"{package} has version {version}: give it three numbers with `make version`")
    return {
        "format": FORMAT,
        "plugin": NAME,
        "version": version,
        "requires": _header(main, "Requires at least", package),
        "requires_php": _header(main, "Requires PHP", package),
        "tested": _header(readme, "Tested up to", package),
        "sha256": hashlib.sha256(content).hexdigest(),
        "size": len(content),
        "published": published.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "changelog": _changelog(readme, version),
    }


def _header(text: str, name: str, package: Path) -> str:
    found = re.search(rf"^[ *]*{name}:[ \t]*(\S.*)$", text, re.MULTILINE)
    if found is None:
        raise SigningError(f"{package} has no header `{name}`: make it with `make bridge-zip`")
    return found.group(1).strip()


def _changelog(readme: str, version: str) -> str:
    section = readme.partition("== Changelog ==")[2]
    found = re.search(rf"^= {re.escape(version)} =$(.*?)(?=^= |^== |\Z)", section, re.MULTILINE | re.DOTALL)
    return found.group(1).strip()[:MAX_CHANGELOG] if found else ""


def _replace(file: Path, content: bytes) -> None:
    """Writes the file in one step, because a running service may read the folder."""
    scratch = file.with_name(f".{file.name}.new")
    scratch.write_bytes(content)
    scratch.replace(file)


def main() -> int:
    parser = argparse.ArgumentParser(description="Make keys for the plugin's releases, and sign a release.")
    commands = parser.add_subparsers(dest="command", required=True)
    make = commands.add_parser("make-key", help="write a new private key, and print its public key")
    make.add_argument("file", type=Path)
    shown = commands.add_parser("keys", help="print the public keys of private keys")
    shown.add_argument("file", type=Path, nargs="+")
    signing = commands.add_parser("sign", help="write the three files of a release")
    signing.add_argument("zip", type=Path)
    signing.add_argument("--key", type=Path, action="append", required=True, help="file of a private key; may be given twice")
    signing.add_argument("--out", type=Path, default=Path("dist/bridge"), help="folder of the three files")
    arguments = parser.parse_args()
    try:
        if arguments.command == "make-key":
            lines = [make_key(arguments.file)]
        elif arguments.command == "keys":
            lines = [public_key_of(load_key(file)) for file in arguments.file]
        else:
            keys = [load_key(file) for file in arguments.key]
            lines = [str(file) for file in sign(arguments.zip, keys, arguments.out, datetime.now(UTC))]
    except SigningError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
