"""The plugin's zip with public keys, and the signed files of a release of the plugin."""

from __future__ import annotations

import base64
import hashlib
import json
import stat
import sys
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from support.directories import REPOSITORY

sys.path.insert(0, str(REPOSITORY / "scripts"))
from bridge_zip import BadKeyError, build
from release import signing_keys
from release_checks import RefusedError
from sign_bridge import SigningError, load_key, make_key, public_key_of, sign
from version_places import versions

VERSION = next(iter(versions(REPOSITORY).values()))
PUBLISHED = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)


def keys_file(package: Path) -> str:
    with zipfile.ZipFile(package) as archive:
        return archive.read("tillsync-bridge/release-keys.php").decode()


def test_zip_has_the_public_keys_and_no_key_by_default(tmp_path: Path) -> None:
    keys = [public_key_of(Ed25519PrivateKey.generate()) for _ in range(2)]
    build(tmp_path / "none.zip")
    assert "\nreturn array();\n" in keys_file(tmp_path / "none.zip")
    build(tmp_path / "two.zip", [*keys, keys[0]])
    assert f"\nreturn array( '{keys[0]}', '{keys[1]}' );\n" in keys_file(tmp_path / "two.zip")
    assert "This copy has none" not in keys_file(tmp_path / "two.zip")


def test_zip_refuses_three_keys_and_a_key_of_another_form(tmp_path: Path) -> None:
    keys = [public_key_of(Ed25519PrivateKey.generate()) for _ in range(3)]
    with pytest.raises(BadKeyError, match=r"^3 public keys are given, and a zip holds at most 2: leave the oldest out$"):
        build(tmp_path / "a.zip", keys)
    for bad in ("short", base64.b64encode(b"x" * 31).decode(), "' . evil() . '"):
        with pytest.raises(BadKeyError, match=r"is no public key: give the line that `scripts/sign_bridge\.py keys` prints"):
            build(tmp_path / "a.zip", [bad])
    assert not (tmp_path / "a.zip").exists()


def test_private_key_belongs_to_its_owner_and_is_never_overwritten(tmp_path: Path) -> None:
    public = make_key(tmp_path / "key.pem")
    assert stat.S_IMODE((tmp_path / "key.pem").stat().st_mode) == 0o600
    assert public_key_of(load_key(tmp_path / "key.pem")) == public
    with pytest.raises(SigningError, match=r"key\.pem cannot be made \(File exists\): name a new file"):
        make_key(tmp_path / "key.pem")
    (tmp_path / "other.pem").write_text("no key", encoding="utf-8")
    with pytest.raises(SigningError, match=r"other\.pem is no readable private key"):
        load_key(tmp_path / "other.pem")


def test_release_has_the_manifest_of_its_zip_with_a_signature_of_each_key(tmp_path: Path) -> None:
    keys = [Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()]
    package = tmp_path / "tillsync-bridge.zip"
    build(package, [public_key_of(key) for key in keys])
    files = sign(package, keys, tmp_path / "out", PUBLISHED)
    name = f"tillsync-bridge-{VERSION}"
    assert [file.name for file in files] == [f"{name}.zip", f"{name}.json.sig", f"{name}.json"]
    assert {file.name for file in (tmp_path / "out").iterdir()} == {file.name for file in files}
    content = files[2].read_bytes()
    manifest = json.loads(content)
    assert manifest.pop("changelog") != ""
    assert manifest == {
        "format": 1,
        "plugin": "tillsync-bridge",
        "version": VERSION,
        "requires": "6.1",
        "requires_php": "8.2",
        "tested": manifest["tested"],
        "sha256": hashlib.sha256(package.read_bytes()).hexdigest(),
        "size": package.stat().st_size,
        "published": "2026-05-04T03:02:01Z",
    }
    signatures = [base64.b64decode(line) for line in files[1].read_text(encoding="utf-8").splitlines()]
    for key, signature in zip(keys, signatures, strict=True):
        key.public_key().verify(signature, content)
        with pytest.raises(InvalidSignature):
            key.public_key().verify(signature, content + b" ")


def test_zip_without_a_key_or_of_another_plugin_is_not_signed(tmp_path: Path) -> None:
    key = Ed25519PrivateKey.generate()
    build(tmp_path / "none.zip")
    with pytest.raises(SigningError, match=r"has no public key, so a shop that installs it gets no later update: set BRIDGE_PUBLIC_KEY"):
        sign(tmp_path / "none.zip", [key], tmp_path / "out", PUBLISHED)
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("another-plugin/another-plugin.php", "<?php")
    with pytest.raises(SigningError, match=r"is no zip of the plugin"):
        sign(tmp_path / "other.zip", [key], tmp_path / "out", PUBLISHED)
    assert not (tmp_path / "out").exists()


def test_make_release_reads_one_or_two_signing_keys(tmp_path: Path) -> None:
    files = [tmp_path / f"{name}.pem" for name in "abc"]
    public = [make_key(file) for file in files]
    assert signing_keys("") == []
    assert [public_key_of(key) for key in signing_keys(f"{files[0]}:{files[1]}")] == public[:2]
    with pytest.raises(RefusedError, match=r"^TILLSYNC_BRIDGE_SIGNING_KEY_FILE names 3 files, and a zip holds at most 2 keys"):
        signing_keys(":".join(map(str, files)))
    with pytest.raises(RefusedError, match=r"^TILLSYNC_BRIDGE_SIGNING_KEY_FILE: .*missing\.pem is no readable private key"):
        signing_keys(str(tmp_path / "missing.pem"))
