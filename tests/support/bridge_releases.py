"""A signed release of the plugin in a folder, made by the scripts of the release machine."""

from __future__ import annotations

import sys
import zipfile
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from support.directories import REPOSITORY

sys.path.insert(0, str(REPOSITORY / "scripts"))
from bridge_zip import build
from sign_bridge import public_key_of as public_key_of
from sign_bridge import sign
from version_places import versions

VERSION = next(iter(versions(REPOSITORY).values()))
"""Version of the plugin in this repository."""
PUBLISHED = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)


def make_release(folder: Path, version: str, key: Ed25519PrivateKey, *, published: datetime = PUBLISHED) -> Path:
    """Writes the three files of a release with this version, signed by ``key``. Returns the zip."""
    folder.mkdir(parents=True, exist_ok=True)
    package = folder / "unsigned.zip"
    build(package, [public_key_of(key)])
    with_version(package, version)
    zip_file, *_ = sign(package, [key], folder, published)
    package.unlink()
    return zip_file


def with_version(package: Path, version: str) -> None:
    """Gives the plugin in the zip another version."""
    with zipfile.ZipFile(package) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    main = content["tillsync-bridge/tillsync-bridge.php"].decode()
    changed = main.replace(f"Version:           {VERSION}", f"Version:           {version}").replace(f"= '{VERSION}'", f"= '{version}'")
    assert changed.count(version) == 2
    content["tillsync-bridge/tillsync-bridge.php"] = changed.encode()
    with zipfile.ZipFile(package, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in content.items():
            archive.writestr(name, data)
