#!/usr/bin/env python3
"""Makes a release: the files of ``dist/VERSION``, an annotated tag in this clone, and the line of ``releases.txt``. It pushes nothing.

    python scripts/release.py VERSION [--no-image]                 the release
    python scripts/release.py [VERSION] --dry-run [--no-image]     only the files

TILLSYNC_BRIDGE_SIGNING_KEY_FILE names the private key of the plugin's releases (two files, separated by a colon, for a change of the key).
With it the plugin's zip has the public keys, and the release has the signed files for the service. Without it the plugin offers no updates.

All files come from the commit, never from the work tree, and their times are the commit's. So two builds of one commit with the locked
packages have the same sums. The container image is the exception (`container_image`), and its sum has a file of its own.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from archives import extract_files
from bridge_zip import MAX_KEYS
from container_image import ImageError, build_image, builder
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from release_checks import Plan, RefusedError, git, plan
from releases import Release, add, tag_of
from sbom import UnlockedError, sbom
from sign_bridge import SigningError, load_key, public_key_of, sign

ROOT = Path(__file__).resolve().parent.parent
DISTRIBUTIONS = ("clients/python", "server")
CONTAINER = (".dockerignore", "LICENSE", "deploy", "requirements/server.txt", *DISTRIBUTIONS)
"""What ``deploy/Containerfile`` copies and reads, and the other files of ``deploy``."""
SUMS = "SHA256SUMS"
SIGNING_KEYS = "TILLSYNC_BRIDGE_SIGNING_KEY_FILE"


def signing_keys(variable: str) -> list[Ed25519PrivateKey]:
    """The private keys of the files in ``variable``, which colons separate. Raises RefusedError."""
    files = [file for file in variable.split(":") if file]
    if len(files) > MAX_KEYS:
        raise RefusedError(f"{SIGNING_KEYS} names {len(files)} files, and a zip holds at most {MAX_KEYS} keys: leave the oldest out.")
    try:
        return [load_key(Path(file).expanduser()) for file in files]
    except SigningError as error:
        raise RefusedError(f"{SIGNING_KEYS}: {error}.") from error


def build(made: Plan, target: Path, image_builder: str | None, keys: Sequence[Ed25519PrivateKey]) -> None:
    """Writes the files of the release into the empty folder ``target``. ``keys`` sign the plugin. Raises RefusedError."""
    with tempfile.TemporaryDirectory(prefix="tillsync-release-") as scratch:
        source = Path(scratch) / "source"
        with tarfile.open(fileobj=io.BytesIO(_archive(made, ""))) as tar:
            extract_files(tar, source)
        for folder in DISTRIBUTIONS:
            for kind in ("sdist", "wheel"):
                _python(made, source / folder, "-m", "hatchling", "build", "-t", kind, "-d", str(target))
        _bridge(made, source, target / "tillsync-bridge.zip", keys)
        name = f"tillsync-container-{made.version}"
        (target / f"{name}.tar.gz").write_bytes(gzip.compress(_archive(made, f"{name}/", *CONTAINER), mtime=made.epoch))
        (target / f"CHANGELOG-{made.version}.md").write_text(made.notes, encoding="utf-8")
        try:
            (target / "sbom.cdx.json").write_text(sbom(source, made.version, made.commit, made.epoch), encoding="utf-8")
        except UnlockedError as error:
            raise RefusedError(f"{error}: run `make lock`, and release again.") from error
        _write_sums(target, SUMS)
        if image_builder is not None:
            _image(made, target, image_builder, source)


def _bridge(made: Plan, source: Path, package: Path, keys: Sequence[Ed25519PrivateKey]) -> None:
    options = [part for key in keys for part in ("--public-key", public_key_of(key))]
    _python(made, source, "scripts/bridge_zip.py", str(package), *options)
    if keys:
        try:
            sign(package, keys, package.parent, datetime.fromtimestamp(made.epoch, UTC))
        except SigningError as error:
            raise RefusedError(f"{error}.") from error


def _image(made: Plan, target: Path, image_builder: str, source: Path) -> None:
    image = target / f"tillsync-image-{made.version}.tar"
    try:
        build_image(image_builder, source, f"tillsync:{made.version}", image)
    except ImageError as error:
        raise RefusedError(f"{error}: correct that, or leave the image out with NO_IMAGE=1.") from error
    (target / f"{image.name}.sha256").write_text(_sum(image), encoding="utf-8")


def _archive(made: Plan, prefix: str, *paths: str) -> bytes:
    """A tar archive of the commit, with the time of the commit."""
    command = ["git", "archive", "--format=tar", f"--prefix={prefix}", made.commit, *paths]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout


def _python(made: Plan, directory: Path, *arguments: str) -> None:
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(made.epoch)}
    run = subprocess.run([sys.executable, *arguments], cwd=directory, env=environment, capture_output=True, text=True, check=False)
    if run.returncode != 0:
        reason = (run.stderr.strip().splitlines() or [f"exit code {run.returncode}"])[-1]
        raise RefusedError(f"{' '.join(arguments[:3])} failed ({reason}): correct that, and commit.")


def _sum(file: Path) -> str:
    """The line of ``sha256sum`` for the file."""
    with file.open("rb") as content:
        return f"{hashlib.file_digest(content, 'sha256').hexdigest()}  {file.name}\n"


def _write_sums(target: Path, name: str) -> None:
    (target / name).write_text("".join(_sum(file) for file in sorted(target.iterdir())), encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description="Make a release of tillsync from this clone. It pushes nothing.")
    parser.add_argument("version", nargs="?", default="", help="three numbers; a dry run takes the version of the sources by default")
    parser.add_argument("--dry-run", action="store_true", help="write the files; make no tag and no line of releases.txt")
    parser.add_argument("--no-image", action="store_true", help="build no container image, even if a builder works here")
    arguments = parser.parse_args()
    try:
        made = plan(ROOT, arguments.version, dry_run=arguments.dry_run)
        keys = signing_keys(os.environ.get(SIGNING_KEYS, ""))
        image_builder = None if arguments.no_image else builder()
        target = ROOT / "dist" / made.version
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        try:
            build(made, target, image_builder, keys)
        except BaseException:
            shutil.rmtree(target, ignore_errors=True)
            raise
        if not arguments.dry_run:
            git(ROOT, "tag", "--annotate", tag_of(made.version), "--message", f"tillsync {made.version}", made.commit)
            add(ROOT, Release(made.version, made.commit))
    except RefusedError as refusal:
        sys.stderr.write(f"{refusal}\n")
        return 1
    _report(made, target, image_builder, dry_run=arguments.dry_run, is_signed=bool(keys))
    return 0


def _report(made: Plan, target: Path, image_builder: str | None, *, dry_run: bool, is_signed: bool) -> None:
    lines = [f"dist/{made.version}/{file.name}" for file in sorted(target.iterdir())]
    if image_builder is None:
        lines.append(
            "No container image: no builder works here, or it was left out. The container archive has what the image is built from."
        )
    if is_signed:
        lines.append(
            f"For updates of the plugin: copy tillsync-bridge-{made.version}.zip, .json.sig and .json, in this order, into the service's "
            "TILLSYNC_BRIDGE_RELEASES_DIR."
        )
    else:
        lines.append(f"The plugin's zip has no public key, so it offers no updates: set {SIGNING_KEYS} to sign it.")
    if dry_run:
        lines.append(f"Dry run: commit {made.commit[:12]} has no tag {tag_of(made.version)}, and releases.txt is as it was.")
    else:
        lines.append(
            f"The tag {tag_of(made.version)} is in this clone only, and releases.txt has a new line. Commit it and push both yourself:"
        )
        lines.append(f"  git commit -m 'Name the commit of {made.version}' releases.txt && git push origin HEAD {tag_of(made.version)}")
    sys.stdout.write("".join(f"{line}\n" for line in lines))


if __name__ == "__main__":
    sys.exit(main())
