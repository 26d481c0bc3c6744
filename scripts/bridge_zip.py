"""Writes dist/tillsync-bridge.zip, the WordPress plugin that a merchant uploads. The same files and keys give the same bytes.

    python scripts/bridge_zip.py [TARGET] [--public-key KEY]…

``--public-key`` is base64 of a raw Ed25519 public key (32 bytes), as ``scripts/sign_bridge.py keys`` prints it. The plugin accepts only
updates that one of its keys has signed. Two keys are for a change of the key. Without a key the plugin offers no updates.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PLUGIN, NAME = ROOT / "wp-bridge", "tillsync-bridge"
KEYS_FILE, NO_KEYS = "release-keys.php", "return array();"
MAX_KEYS, KEY_BYTES = 2, 32
EPOCH = (1980, 1, 1, 0, 0, 0)


class BadKeyError(Exception):
    """A public key cannot be used. The message names the remedy."""


def build(target: Path, public_keys: Sequence[str] = ()) -> int:
    """Writes the zip with these public keys. Returns the number of its files. Raises BadKeyError."""
    keys = checked_keys(public_keys)
    target.parent.mkdir(parents=True, exist_ok=True)
    found = (path.relative_to(PLUGIN) for path in PLUGIN.rglob("*") if path.is_file())
    files = sorted(path for path in found if not any(part.startswith(".") for part in path.parts))
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in files:
            content = (PLUGIN / path).read_bytes()
            if path.as_posix() == KEYS_FILE and keys:
                content = _with_keys(content.decode(), keys).encode()
            entry = zipfile.ZipInfo(f"{NAME}/{path.as_posix()}", EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content)
    return len(files)


def checked_keys(public_keys: Sequence[str]) -> list[str]:
    """Returns the keys without repetitions. Raises BadKeyError."""
    keys = list(dict.fromkeys(key.strip() for key in public_keys if key.strip()))
    if len(keys) > MAX_KEYS:
        raise BadKeyError(f"{len(keys)} public keys are given, and a zip holds at most {MAX_KEYS}: leave the oldest out")
    for key in keys:
        try:
            raw = base64.b64decode(key, validate=True)
        except binascii.Error:
            raw = b""
        if len(raw) != KEY_BYTES:
            raise BadKeyError(f"{key[:60]} is no public key: give the line that `scripts/sign_bridge.py keys` prints (44 characters)")
    return keys


def _with_keys(source: str, keys: Sequence[str]) -> str:
    if source.count(NO_KEYS) != 1:
        raise BadKeyError(f"wp-bridge/{KEYS_FILE} has no line `{NO_KEYS}`: restore the file")
    listed = ", ".join(f"'{key}'" for key in keys)
    return source.replace(NO_KEYS, f"return array( {listed} );").replace("This copy has none. ", "")


def main() -> int:
    parser = argparse.ArgumentParser(description="Write the zip of the WordPress plugin.")
    parser.add_argument("target", nargs="?", type=Path, default=ROOT / "dist" / f"{NAME}.zip")
    parser.add_argument("--public-key", action="append", default=[], help="base64 of an Ed25519 public key; may be given twice")
    arguments = parser.parse_args()
    target: Path = arguments.target
    try:
        files = build(target, arguments.public_key)
    except BadKeyError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    shown = target.relative_to(ROOT) if target.is_relative_to(ROOT) else target
    keys = len(checked_keys(arguments.public_key))
    updates = f"{keys} public key{'s' if keys > 1 else ''}" if keys else "no public key, so it offers no updates (BRIDGE_PUBLIC_KEY)"
    sys.stdout.write(f"{shown}: {files} files, {updates}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
