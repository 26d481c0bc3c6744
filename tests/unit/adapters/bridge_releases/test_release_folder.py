"""The release folder: a wrong file is never offered, and its problem says what to do."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from support.bridge_releases import PUBLISHED, make_release, public_key_of
from support.logs import captured_lines
from tillsync_server.adapters.bridge_releases.release_folder import PIECE_BYTES, BridgeReleaseFolder
from tillsync_server.domain.bridge_release import ReleaseFolder, Ring
from tillsync_server.domain.errors import NotFound
from tillsync_server.domain.ids import AccountId

KEY = Ed25519PrivateKey.generate()
SHOP_A = AccountId("shop-a")
NAME = "tillsync-bridge-9.4.0"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    folder = tmp_path / "releases"
    make_release(folder, "9.4.0", KEY)
    (folder / "rings.toml").write_text('["9.4.0"]\naccounts = ["shop-a"]\npercent = 10\n', encoding="utf-8")
    return folder


async def read(directory: Path) -> ReleaseFolder:
    return await BridgeReleaseFolder(directory).read()


def problems(folder: ReleaseFolder) -> list[tuple[str, str]]:
    return [(problem.file, problem.sentence) for problem in folder.problems]


async def test_release_is_read_with_its_ring(directory: Path) -> None:
    folder = await read(directory)
    [release] = folder.releases
    assert (release.version, release.published, release.is_signature_checked) == ("9.4.0", PUBLISHED, False)
    assert release.ring == Ring(frozenset({SHOP_A}), 10)
    assert release.manifest == (directory / f"{NAME}.json").read_bytes()
    assert release.size == (directory / f"{NAME}.zip").stat().st_size
    assert (folder.problems, folder.has_directory) == ((), True)


async def test_without_a_folder_nothing_is_offered() -> None:
    assert await BridgeReleaseFolder(None).read() == ReleaseFolder(has_directory=False)


async def test_zip_is_read_in_pieces(directory: Path) -> None:
    reader = BridgeReleaseFolder(directory)
    [release] = (await reader.read()).releases
    content = (directory / f"{NAME}.zip").read_bytes()
    first = await reader.piece(release, 0)
    assert first == content[:PIECE_BYTES]
    assert await reader.piece(release, 100) == content[100 : 100 + PIECE_BYTES]
    assert await reader.piece(release, release.size) == b""
    assert await reader.piece(release, 2**62) == b""
    (directory / f"{NAME}.zip").unlink()
    with pytest.raises(NotFound) as raised:
        await reader.piece(release, 0)
    assert raised.value.reason == "BRIDGE_RELEASE_NOT_FOUND"


def rewritten(name: str, change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    def apply(directory: Path) -> None:
        file = directory / name
        file.write_bytes(change(file.read_bytes()))

    return apply


def manifest_with(**fields: object) -> Callable[[Path], None]:
    return rewritten(f"{NAME}.json", lambda content: json.dumps({**json.loads(content), **fields}).encode())


MISSING = "is missing: copy all three files of the release (.zip, .json.sig, .json)"
UNREADABLE = "is no manifest of a release: make it with `scripts/sign_bridge.py sign`"
OTHER = "is not the manifest of tillsync-bridge 9.4.0 in form 1: keep the names of the files, or upgrade the service"
DIFFERS = "is not the zip that the manifest names (size or SHA-256): copy all three files of the release again"
UNSIGNED = "has no Ed25519 signature: sign the release with `scripts/sign_bridge.py sign`"
WRONG: dict[str, tuple[Callable[[Path], None], str, str]] = {
    "no zip": (lambda directory: (directory / f"{NAME}.zip").unlink(), f"{NAME}.zip", MISSING),
    "no manifest": (lambda directory: (directory / f"{NAME}.json").unlink(), f"{NAME}.json", MISSING),
    "no signature": (lambda directory: (directory / f"{NAME}.json.sig").unlink(), f"{NAME}.json.sig", MISSING),
    "no JSON": (rewritten(f"{NAME}.json", lambda _: b"{"), f"{NAME}.json", UNREADABLE),
    "no object": (rewritten(f"{NAME}.json", lambda _: b"[1]"), f"{NAME}.json", UNREADABLE),
    "size is a text": (manifest_with(size="3"), f"{NAME}.json", UNREADABLE),
    "no zone": (manifest_with(published="2026-05-04T03:02:01"), f"{NAME}.json", UNREADABLE),
    "a time before the year 1": (manifest_with(published="0001-01-01T00:00:00+14:00"), f"{NAME}.json", UNREADABLE),
    "another plugin": (manifest_with(plugin="other"), f"{NAME}.json", OTHER),
    "another version": (manifest_with(version="9.5.0"), f"{NAME}.json", OTHER),
    "a later form": (manifest_with(format=2), f"{NAME}.json", OTHER),
    "another zip": (rewritten(f"{NAME}.zip", lambda content: content[:-1] + b"x"), f"{NAME}.zip", DIFFERS),
    "a longer zip": (rewritten(f"{NAME}.zip", lambda content: content + b"x"), f"{NAME}.zip", DIFFERS),
    "an empty signature": (rewritten(f"{NAME}.json.sig", lambda _: b""), f"{NAME}.json.sig", UNSIGNED),
    "a short signature": (rewritten(f"{NAME}.json.sig", lambda _: b"c2hvcnQ=\n"), f"{NAME}.json.sig", UNSIGNED),
    "three signatures": (rewritten(f"{NAME}.json.sig", lambda content: content * 3), f"{NAME}.json.sig", UNSIGNED),
}


@pytest.mark.parametrize("name", list(WRONG))
async def test_wrong_file_is_not_offered(directory: Path, name: str) -> None:
    spoil, file, text = WRONG[name]
    spoil(directory)
    folder = await read(directory)
    assert folder.releases == ()
    assert problems(folder) == [(file, text)]


def linked_to_nothing(name: str) -> Callable[[Path], None]:
    return lambda directory: (directory / name).symlink_to(directory / "removed")


def made_a_directory(name: str) -> Callable[[Path], None]:
    return lambda directory: (directory / name).mkdir()


@pytest.mark.parametrize(
    ("spoil", "text"),
    [
        (linked_to_nothing("tillsync-bridge-9.5.0.json"), MISSING),
        (made_a_directory("tillsync-bridge-9.5.0.json"), "cannot be read (Is a directory): let the service's user read it"),
    ],
)
async def test_file_that_cannot_be_read_withholds_its_release_only(directory: Path, spoil: Callable[[Path], None], text: str) -> None:
    spoil(directory)
    folder = await read(directory)
    assert [release.version for release in folder.releases] == ["9.4.0"]
    assert problems(folder)[0] == ("tillsync-bridge-9.5.0.json", text)


async def test_file_that_cannot_be_read_is_tried_again(directory: Path) -> None:
    clock = iter(range(0, 100, 10))
    reader = BridgeReleaseFolder(directory, clock=lambda: next(clock))
    keys = directory / "public-keys.txt"
    keys.symlink_to(directory / "removed")
    assert (await reader.read()).releases == ()
    keys.unlink()
    keys.write_text(f"{public_key_of(KEY)}\n", encoding="utf-8")
    [release] = (await reader.read()).releases
    assert release.is_signature_checked


@pytest.mark.parametrize("name", ["rings.toml", "public-keys.txt"])
async def test_large_file_of_the_operator_withholds_every_release(directory: Path, name: str) -> None:
    (directory / name).write_bytes(b"#" * (1024 * 1024 + 1))
    folder = await read(directory)
    assert (folder.releases, [problem.code for problem in folder.problems]) == ((), ["too_large"])


@pytest.mark.parametrize(
    ("rings", "reason"),
    [
        ("a = " + "[" * 5000, "is no TOML"),
        ("[", "is no TOML"),
        ('["9.4"]\npercent = 10\n', "has '9.4' where a version is expected"),
        ("percent = 10\n", "has 'percent' where a version is expected"),
        ('["9.4.0"]\nshare = 10\n', "has the unknown key 'share' for 9.4.0"),
        ('["9.4.0"]\naccounts = "shop-a"\n', "has no list of account ids in accounts of 9.4.0"),
        ('["9.4.0"]\npercent = 101\n', "has no whole number from 0 to 100 in percent of 9.4.0"),
        ('["9.4.0"]\npercent = true\n', "has no whole number from 0 to 100 in percent of 9.4.0"),
    ],
)
async def test_wrong_rings_offer_nothing(directory: Path, rings: str, reason: str) -> None:
    (directory / "rings.toml").write_text(rings, encoding="utf-8")
    folder = await read(directory)
    assert folder.releases == ()
    [(file, text)] = problems(folder)
    assert (file, text.partition(": ")[0]) == ("rings.toml", reason)


async def test_release_without_a_ring_and_a_ring_without_a_release_are_named(directory: Path) -> None:
    (directory / "rings.toml").write_text('["9.5.0"]\npercent = 100\n', encoding="utf-8")
    (directory / "tillsync-bridge.zip").touch()
    folder = await read(directory)
    [release] = folder.releases
    assert release.ring == Ring()
    assert problems(folder) == [
        ("tillsync-bridge.zip", "is no file of a release: name it tillsync-bridge-1.4.0 with .zip, .json or .json.sig, or remove it"),
        ("rings.toml", 'has no table ["9.4.0"], so this release is offered to no account: write one'),
        ("rings.toml", "names 9.5.0, of which the folder has no file: copy the release, or remove the table"),
    ]


async def test_public_keys_check_the_signature(directory: Path) -> None:
    other = public_key_of(Ed25519PrivateKey.generate())
    (directory / "public-keys.txt").write_text(f"{other}\n{public_key_of(KEY)}\n", encoding="utf-8")
    [release] = (await read(directory)).releases
    assert release.is_signature_checked
    (directory / "public-keys.txt").write_text(f"{other}\n", encoding="utf-8")
    folder = await read(directory)
    assert folder.releases == ()
    text = "no key of public-keys.txt has signed this manifest: sign the release again, and copy all three files"
    assert problems(folder) == [(f"{NAME}.json.sig", text)]
    (directory / "public-keys.txt").write_text("no key\n", encoding="utf-8")
    folder = await read(directory)
    assert folder.releases == ()
    assert folder.problems[0].code == "keys_unreadable"


async def test_changed_folder_is_noticed_and_each_problem_is_logged_once(directory: Path) -> None:
    now = 0.0
    reader = BridgeReleaseFolder(directory, clock=lambda: now)
    with captured_lines() as lines:
        assert len((await reader.read()).releases) == 1
        (directory / f"{NAME}.zip").unlink()
        assert len((await reader.read()).releases) == 1, "the folder is listed every two seconds"
        for _ in range(3):
            now += 6
            assert (await reader.read()).releases == ()
        make_release(directory, "9.4.0", KEY)
        now += 6
        assert len((await reader.read()).releases) == 1
    logged = lines.of("bridge_release_not_offered")
    assert [(line["level"], line["path"], line["reason"]) for line in logged] == [("warning", f"{NAME}.zip", MISSING)]


async def test_missing_folder_is_a_problem_and_not_an_error(tmp_path: Path) -> None:
    folder = await read(tmp_path / "nowhere")
    text = "cannot be read (No such file or directory): let the service's user read TILLSYNC_BRIDGE_RELEASES_DIR and its files"
    assert problems(folder) == [(".", text)]
    assert folder.has_directory
