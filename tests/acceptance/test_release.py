"""`make release` and `make version`, typed in a clone: refusals, files, sums, the tag, and the steps of the container's build."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
from support.directories import REPOSITORY
from support.repository_copy import RepositoryCopy, copy_repository

pytestmark = [pytest.mark.processes, pytest.mark.timeout(300)]
VERSION: str = tomllib.loads((REPOSITORY / "clients/python/pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
LATER = "99.0.0"
FILES = {
    f"CHANGELOG-{VERSION}.md",
    "SHA256SUMS",
    "sbom.cdx.json",
    f"tillsync-{VERSION}-py3-none-any.whl",
    f"tillsync-{VERSION}.tar.gz",
    f"tillsync_server-{VERSION}-py3-none-any.whl",
    f"tillsync_server-{VERSION}.tar.gz",
    "tillsync-bridge.zip",
    f"tillsync-container-{VERSION}.tar.gz",
}


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> RepositoryCopy:
    """No test changes it."""
    return copy_repository(tmp_path_factory.mktemp("repository"))


@pytest.fixture
def clone(pristine: RepositoryCopy, tmp_path: Path) -> RepositoryCopy:
    shutil.copytree(pristine.root, tmp_path / "clone", symlinks=True)
    return RepositoryCopy(tmp_path / "clone")


@pytest.fixture(scope="module")
def released(pristine: RepositoryCopy, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of a dry run."""
    root = tmp_path_factory.mktemp("released") / "clone"
    shutil.copytree(pristine.root, root, symlinks=True)
    return dry_run(RepositoryCopy(root))


def dry_run(clone: RepositoryCopy) -> Path:
    run = clone.run("make", "release", "DRY_RUN=1", "NO_IMAGE=1")
    assert (run.returncode, run.stderr) == (0, ""), run.stdout
    return clone.root / "dist" / VERSION


def refusal(clone: RepositoryCopy, *arguments: str) -> str:
    """The one sentence of a refused release, which made no file and no tag."""
    tags = clone.git("tag", "--list")
    run = clone.run("make", "release", "NO_IMAGE=1", *arguments)
    assert run.returncode != 0
    assert run.stdout == ""
    sentence, ended = run.stderr.splitlines()
    assert ended.startswith("make: ***")
    assert not (clone.root / "dist").exists()
    assert clone.git("tag", "--list") == tags
    return sentence


def test_release_needs_a_version_of_three_numbers(clone: RepositoryCopy) -> None:
    assert refusal(clone) == f"A release needs its version: run `make release VERSION={VERSION}`."
    assert refusal(clone, "VERSION=1.0") == f"Version 1.0 does not have three numbers: write it like VERSION={VERSION}."


def test_release_refuses_a_changed_clone(clone: RepositoryCopy) -> None:
    (clone.root / "notes.txt").touch()
    assert refusal(clone, f"VERSION={VERSION}") == "The clone has changes (?? notes.txt): commit or remove them."
    clone.replace("README.md", "# tillsync", "# Tillsync")
    assert refusal(clone, f"VERSION={VERSION}", "DRY_RUN=1") == "The clone has changes (M README.md, …): commit or remove them."


def test_release_refuses_a_version_that_is_not_newer(clone: RepositoryCopy) -> None:
    expected = f"Version {VERSION} is not newer than v{LATER}: run `make version VERSION=…` with a higher one, and commit."
    clone.git("tag", f"v{LATER}")
    assert refusal(clone, f"VERSION={VERSION}") == expected
    clone.git("tag", "--delete", f"v{LATER}")
    with (clone.root / "releases.txt").open("a", encoding="utf-8") as releases:
        releases.write(f"{LATER} {'0' * 40}\n")
    clone.commit()
    assert refusal(clone, f"VERSION={VERSION}") == expected
    assert refusal(clone, f"VERSION={LATER}").startswith(f"Version {LATER} is not newer than v{LATER}: ")


def test_release_refuses_a_version_without_text_in_the_changelog(clone: RepositoryCopy) -> None:
    expected = f"CHANGELOG.md has no text under `## {LATER}`: write what changed there, and commit."
    assert refusal(clone, f"VERSION={LATER}") == expected
    clone.replace("CHANGELOG.md", "# Changelog\n", f"# Changelog\n\n## {LATER} (unreleased)\n")
    clone.commit()
    assert refusal(clone, f"VERSION={LATER}") == expected


def test_release_refuses_a_version_that_the_sources_do_not_have(clone: RepositoryCopy) -> None:
    clone.replace("CHANGELOG.md", "# Changelog\n", f"# Changelog\n\n## {LATER} (2026-05-04)\n\nA change.\n")
    clone.replace("wp-bridge/readme.txt", f"Stable tag: {VERSION}", f"Stable tag: {LATER}")
    clone.commit()
    refused = refusal(clone, f"VERSION={LATER}")
    assert refused.startswith(f"The sources do not have version {LATER} (clients/python/pyproject.toml, server/pyproject.toml, wp-bridge/")
    assert refused.endswith(f"): run `make version VERSION={LATER}` and commit.")
    assert "CHANGELOG.md" not in refused


def test_release_refuses_other_packages_than_the_locked_ones(clone: RepositoryCopy) -> None:
    lock = clone.root / "requirements/development.txt"
    lock.write_text(re.sub(r"(?m)^hatchling==\S+", "hatchling==99.0", lock.read_text(encoding="utf-8")), encoding="utf-8")
    (clone.root / ".venv/.installed").touch()
    clone.commit()
    refused = refusal(clone, "DRY_RUN=1")
    assert re.fullmatch(
        r"The installed packages are not those of \S+ \(hatchling is 99\.0, and \S+ is installed here\): run `make .*\.", refused
    )


def test_only_a_dry_run_takes_an_unreleased_section(clone: RepositoryCopy) -> None:
    heading = (clone.root / "CHANGELOG.md").read_text(encoding="utf-8").splitlines()[2]
    clone.replace("CHANGELOG.md", heading, f"## {VERSION} (unreleased)")
    if clone.git("status", "--porcelain"):
        clone.commit()
    assert refusal(clone, f"VERSION={VERSION}") == (
        f"CHANGELOG.md calls {VERSION} unreleased: write the day of the release there instead, and commit."
    )
    assert (dry_run(clone) / f"CHANGELOG-{VERSION}.md").read_text(encoding="utf-8").startswith(f"## {VERSION} (unreleased)\n\n")


def test_dry_run_makes_every_file_and_no_tag(released: Path) -> None:
    clone = RepositoryCopy(released.parents[1])
    assert {file.name for file in released.iterdir()} == FILES
    assert clone.git("tag", "--list") + clone.git("status", "--porcelain") == ""
    notes = (released / f"CHANGELOG-{VERSION}.md").read_text(encoding="utf-8")
    changelog = (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")
    assert notes in changelog
    assert notes.count("\n## ") == 0
    with zipfile.ZipFile(released / "tillsync-bridge.zip") as plugin:
        assert f"Stable tag: {VERSION}\n" in plugin.read("tillsync-bridge/readme.txt").decode()


def test_sums_are_right_and_name_every_other_file(released: Path) -> None:
    run = subprocess.run(
        ["sha256sum", "--strict", "-c", "SHA256SUMS"], cwd=released, capture_output=True, text=True, check=False, timeout=60
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert {line.removesuffix(": OK") for line in run.stdout.splitlines()} == FILES - {"SHA256SUMS"}


def test_two_builds_in_two_directories_have_the_same_sums(released: Path, clone: RepositoryCopy) -> None:
    """The other clone has other times, another umask, and ignored files in the folders that are packed."""
    for folder in ("wp-bridge", "server/tillsync_server", "clients/python/tillsync_client"):
        (clone.root / folder / "left.log").write_text("a file that git ignores")
    clone.git("checkout", "--quiet", "-B", "elsewhere")
    run = clone.run("sh", "-c", "find . -path ./.git -prune -o -type f -exec touch -d 2001-01-01 {} + && touch .venv/.installed")
    assert run.returncode == 0, run.stderr
    run = clone.run("sh", "-c", "umask 077 && TZ=Asia/Tokyo make release DRY_RUN=1 NO_IMAGE=1")
    assert (run.returncode, run.stderr) == (0, ""), run.stdout
    assert (clone.root / "dist" / VERSION / "SHA256SUMS").read_text() == (released / "SHA256SUMS").read_text()


def test_sbom_names_every_locked_package_of_the_server_with_hashes_and_licence(released: Path) -> None:
    bom = json.loads((released / "sbom.cdx.json").read_text(encoding="utf-8"))
    assert (bom["bomFormat"], bom["specVersion"]) == ("CycloneDX", "1.6")
    assert bom["metadata"]["component"]["purl"] == f"pkg:pypi/tillsync-server@{VERSION}"
    assert bom["metadata"]["timestamp"] == "2026-05-04T03:02:01+00:00"
    components = {component["name"]: component for component in bom["components"]}
    lock = (REPOSITORY / "requirements/server.txt").read_text(encoding="utf-8")
    locked = dict(re.findall(r"(?m)^([a-z0-9-]+)==(\S+)", lock))
    assert len(locked) > 40
    assert {name: component["version"] for name, component in components.items()} == {**locked, "tillsync": VERSION}
    hashes = {each["content"] for name in locked for each in components[name]["externalReferences"][0]["hashes"]}
    assert hashes == set(re.findall(r"sha256:([0-9a-f]{64})", lock))
    unlicensed = [name for name, component in components.items() if "licenses" not in component]
    markers = [components[name]["properties"][0]["value"] for name in unlicensed]
    assert markers == ['sys_platform == "win32"'] * len(unlicensed), "only packages of another system are not installed"
    needs = {each["ref"]: each.get("dependsOn", []) for each in bom["dependencies"]}
    assert f"pkg:pypi/tillsync@{VERSION}" in needs[f"pkg:pypi/tillsync-server@{VERSION}"]
    wanted, reached = [f"pkg:pypi/tillsync-server@{VERSION}"], set[str]()
    while wanted:
        reached.add(current := wanted.pop())
        wanted += set(needs[current]) - reached
    assert reached == set(needs), "each package is needed by another one"


def test_release_tags_its_commit_here_and_the_next_version_follows(clone: RepositoryCopy) -> None:
    heading = (clone.root / "CHANGELOG.md").read_text(encoding="utf-8").splitlines()[2]
    clone.replace("CHANGELOG.md", heading, f"## {VERSION} (2026-05-04)")
    commit = clone.commit() if clone.git("status", "--porcelain") else clone.git("rev-parse", "HEAD").strip()
    run = clone.run("make", "release", f"VERSION={VERSION}", "NO_IMAGE=1")
    assert (run.returncode, run.stderr) == (0, "")
    assert f"The tag v{VERSION} is in this clone only" in run.stdout
    assert f"git push origin HEAD v{VERSION}" in run.stdout
    assert clone.git("cat-file", "-t", f"v{VERSION}") == "tag\n"
    assert clone.git("rev-parse", f"v{VERSION}^{{commit}}").strip() == commit
    assert clone.git("status", "--porcelain") == " M releases.txt\n"
    assert (clone.root / "releases.txt").read_text(encoding="utf-8").endswith(f"\n{VERSION} {commit}\n")

    clone.commit()
    clone.git("tag", "--delete", f"v{VERSION}")
    assert clone.run("make", "version", f"VERSION={VERSION}").stderr.startswith(f"Version {VERSION} is not newer than release {VERSION}: ")
    changed = clone.run("make", "version", f"VERSION={LATER}")
    assert (changed.returncode, changed.stderr) == (0, "")
    changelog = (clone.root / "CHANGELOG.md").read_text(encoding="utf-8")
    assert changelog.startswith(f"# Changelog\n\n## {LATER} (unreleased)\n\n## {VERSION} (2026-05-04)\n\n")
    assert f"== Changelog ==\n\n= {LATER} =\n\n= {VERSION} =\n" in (clone.root / "wp-bridge/readme.txt").read_text(encoding="utf-8")
    (clone.root / ".venv/.installed").touch()
    clone.replace("CHANGELOG.md", "(unreleased)\n", "(2026-06-01)\n\nA change.\n")
    clone.commit()
    shutil.rmtree(clone.root / "dist")
    following = clone.run("make", "release", f"VERSION={LATER}", "NO_IMAGE=1")
    assert (following.returncode, following.stderr) == (0, "")
    assert f"tillsync_server-{LATER}-py3-none-any.whl" in {file.name for file in (clone.root / "dist" / LATER).iterdir()}


def test_working_builder_makes_the_image_with_its_own_sum(clone: RepositoryCopy) -> None:
    programs = clone.root.parent / "programs"
    programs.mkdir()
    (programs / "podman").write_text("#!/bin/sh\nexit 1\n")
    (programs / "docker").write_text(
        '#!/bin/sh\ncase "$1" in\n'
        '  build) test "$2 $3" = "--file deploy/Containerfile" && test -f "$3" ;;\n'
        '  save) echo "$4" > "$3" ;;\n'
        "esac\n"
    )
    for program in programs.iterdir():
        program.chmod(0o755)
    path = {"PATH": f"{programs}:/usr/bin:/bin"}
    run = clone.run("make", "release", "DRY_RUN=1", variables=path)
    assert (run.returncode, run.stderr) == (0, "")
    image = f"tillsync-image-{VERSION}.tar"
    target = clone.root / "dist" / VERSION
    assert (target / image).read_text() == f"tillsync:{VERSION}\n"
    assert image not in (target / "SHA256SUMS").read_text(encoding="utf-8")
    checked = subprocess.run(["sha256sum", "--strict", "-c", f"{image}.sha256"], cwd=target, capture_output=True, check=False, timeout=60)
    assert checked.returncode == 0

    (programs / "docker").write_text('#!/bin/sh\ntest "$1" = info || { echo "no base image" >&2; exit 1; }\n')
    failed = clone.run("make", "release", "DRY_RUN=1", variables=path)
    assert failed.stderr.splitlines()[0] == "docker build failed (no base image): correct that, or leave the image out with NO_IMAGE=1."
    assert not target.exists()


def test_build_steps_of_the_container_archive_work_without_a_builder(released: Path, tmp_path: Path) -> None:
    """Runs the RUN lines of the build stage, with the interpreter below this environment in place of the base image's."""
    with tarfile.open(released / f"tillsync-container-{VERSION}.tar.gz") as archive:
        names = archive.getnames()
    assert not any("/tests" in name or "/wp-bridge" in name for name in names)
    subprocess.run(["tar", "-xf", str(released / f"tillsync-container-{VERSION}.tar.gz"), "-C", str(tmp_path)], check=True, timeout=60)
    context, installed = tmp_path / f"tillsync-container-{VERSION}", tmp_path / "opt"
    stage = (
        (context / "deploy/Containerfile").read_text(encoding="utf-8").replace("\\\n", " ").partition("FROM ")[2].partition("\nFROM ")[0]
    )
    steps = re.findall(r"(?m)^RUN (.+)$", stage)
    assert steps
    assert "COPY . .\n" in stage
    base = Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "PIP_NO_COMPILE": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    environment |= {name: value for name, value in os.environ.items() if name.upper().endswith("_PROXY") or name.startswith("PIP_")}
    for step in steps:
        command = step.replace("/opt/tillsync", str(installed)).replace("python -m venv", f"{base} -m venv")
        run = subprocess.run(["sh", "-ec", command], cwd=context, env=environment, capture_output=True, text=True, check=False, timeout=280)
        assert run.returncode == 0, run.stderr
    version_run = subprocess.run([installed / "bin/tillsync", "--version"], capture_output=True, text=True, check=False, timeout=60)
    assert (version_run.returncode, version_run.stdout) == (0, f"tillsync {VERSION}\n"), version_run.stderr
    helped = subprocess.run([installed / "bin/tillsync", "serve", "--help"], capture_output=True, text=True, check=False, timeout=60)
    assert helped.returncode == 0, helped.stderr
