#!/usr/bin/env python3
"""Generates ``clients/python/tillsync/v1`` from ``protos/``, and places the imported protos that protoc and buf need.

    python scripts/generate_protos.py                          writes the generated code
    python scripts/generate_protos.py --check                  compares only; exits with 1 and names the stale files
    python scripts/generate_protos.py --imports                only places the imports, so that buf works in a fresh clone
    python scripts/generate_protos.py --breaking-against REF   runs ``buf breaking`` against a commit, branch or tag
    python scripts/generate_protos.py --breaking               the same against the previous release, or else the previous commit

``protos/`` imports google/api, google/rpc and buf/validate. buf would fetch them from its registry. This script takes them from installed
wheels: googleapis-common-protos has the google protos, and protovalidate has the descriptor of buf/validate/validate.proto, from which the
script writes the source. Every mode first places them in the git-ignored folder ``.tillsync/googleapis``. buf.yaml names that folder as a
second module, without lint and without the check for breaking changes. Then ``buf lint``, ``buf format``, ``buf build`` and
``buf curl --schema .`` work as usual. ``buf breaking --against '.git#branch=main'`` does not, because no commit has the folder. The last
two modes replace it.

No wheel has Python code of buf/validate. So the script removes that import from the descriptors and keeps the options in them, where
protovalidate and the server read them (``adapters/grpc/field_rules.py``).

Generators: grpcio-tools makes messages and stubs (group ``protoc`` of pyproject.toml), mypy-protobuf makes their types (group ``dev``). The
``.pyi`` of a message has the proto comments as docstrings. The stubs are typed for ``grpc`` and ``grpc.aio``.
"""

from __future__ import annotations

import argparse
import filecmp
import importlib
import importlib.resources
import io
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
from collections.abc import Iterable
from pathlib import Path

from archives import extract_files
from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorProto, FileDescriptorSet
from proto_source import proto_source
from releases import ReleasesError
from releases import read as read_releases

ROOT = Path(__file__).resolve().parent.parent
PROTOS = ROOT / "protos"
OUTPUT = ROOT / "clients" / "python"
PACKAGE = Path("tillsync") / "v1"
IMPORTS = Path(".tillsync") / "googleapis"

# The transitive imports of protos/, and error_details.proto, which `buf curl --schema .` needs to print error details.
IMPORTED_PROTOS = (
    "google/api/field_behavior.proto",
    "google/rpc/error_details.proto",
    "google/rpc/status.proto",
)
VALIDATE = "buf/validate/validate.proto"
PROTOC = Path(sys.prefix) / "protoc"
"""``make`` installs grpcio-tools here (``requirements/protoc.txt``)."""
# Handwritten files beside the generated ones.
HANDWRITTEN = frozenset({"__init__.py"})


class GenerationError(Exception):
    """A tool is missing, or it rejected the protos."""


def place_imports(root: Path) -> None:
    """Writes the imported protos under ``root``. Unchanged files are not written, so that concurrent runs do not disturb each other."""
    sources = {VALIDATE: _validate_source()}
    for name in IMPORTED_PROTOS:
        package, _, file_name = name.rpartition("/")
        sources[name] = importlib.resources.files(package.replace("/", ".")).joinpath(file_name).read_bytes()
    for name, source in sources.items():
        target = root / IMPORTS / name
        if not target.exists() or target.read_bytes() != source:
            target.parent.mkdir(parents=True, exist_ok=True)
            draft = target.with_suffix(".draft")
            draft.write_bytes(source)
            draft.replace(target)


def _validate_source() -> bytes:
    try:
        module = importlib.import_module("protovalidate._gen.buf.validate.validate_pb")
    except ImportError as error:
        raise GenerationError(f"protovalidate is not installed beside {sys.executable}: run make") from error
    descriptor: bytes = module.desc().proto.to_binary()
    return proto_source(FileDescriptorProto.FromString(descriptor)).encode()


def tool(name: str) -> str:
    """Returns the path of a tool in this interpreter's environment, which may not be in PATH. Raises GenerationError."""
    path = Path(sysconfig.get_path("scripts")) / name
    if not path.exists():
        raise GenerationError(f"{name} is not installed beside {sys.executable}: run make")
    return str(path)


def contract() -> FileDescriptorSet:
    """Returns the compiled files of ``protos/`` and their imports, with source comments."""
    files = sorted(path.relative_to(PROTOS).as_posix() for path in PROTOS.rglob("*.proto"))
    with tempfile.TemporaryDirectory() as scratch:
        compiled = Path(scratch) / "protos.binpb"
        _protoc(
            *(f"--proto_path={PROTOS}", f"--proto_path={ROOT / IMPORTS}"),
            *("--include_imports", "--include_source_info", f"--descriptor_set_out={compiled}"),
            *files,
        )
        return FileDescriptorSet.FromString(compiled.read_bytes())


def generate(output: Path) -> None:
    """Writes the generated package ``tillsync/v1`` under ``output``. The same protos give the same bytes. Raises GenerationError."""
    files = sorted(path.relative_to(PROTOS).as_posix() for path in PROTOS.rglob("*.proto"))
    services = [name for name in files if name.endswith("_service.proto")]
    with tempfile.TemporaryDirectory() as scratch:
        compiled = Path(scratch) / "protos.binpb"
        compiled.write_bytes(_without_validate(contract()).SerializeToString())
        _protoc(
            f"--descriptor_set_in={compiled}",
            f"--plugin=protoc-gen-mypy={tool('protoc-gen-mypy')}",
            f"--python_out={output}",
            f"--mypy_out=quiet:{output}",
            *files,
        )
        # A file without a service would give an empty module.
        _protoc(
            f"--descriptor_set_in={compiled}",
            f"--plugin=protoc-gen-mypy_grpc={tool('protoc-gen-mypy_grpc')}",
            f"--grpc_python_out={output}",
            f"--mypy_grpc_out=quiet:{output}",
            *services,
        )


def _without_validate(compiled: FileDescriptorSet) -> FileDescriptorSet:
    """Returns the files without buf/validate and without imports of it. Its options stay in the files as bytes."""
    kept = FileDescriptorSet()
    for file in compiled.file:
        if file.name != VALIDATE:
            imports = [name for name in file.dependency if name != VALIDATE]
            del file.dependency[:]
            file.dependency.extend(imports)
            _drop_json_names(file.message_type)
            kept.file.append(file)
    return kept


def _drop_json_names(messages: Iterable[DescriptorProto]) -> None:
    """Removes the JSON names. Every reader derives them from the field names, and they double the size of the code."""
    for message in messages:
        for field in message.field:
            field.ClearField("json_name")
        _drop_json_names(message.nested_type)


def _protoc(*arguments: str) -> None:
    if not (PROTOC / "grpc_tools").is_dir():
        raise GenerationError(f"grpcio-tools is not installed in {PROTOC}: run make")
    # With -m the compiler also finds the google/protobuf protos that grpcio-tools carries.
    command, environment = [sys.executable, "-m", "grpc_tools.protoc"], {**os.environ, "PYTHONPATH": str(PROTOC)}
    run = subprocess.run([*command, *arguments], env=environment, capture_output=True, text=True, check=False)
    if run.returncode != 0:
        raise GenerationError(f"protoc failed: {run.stderr.strip()}")


def generated_files(output: Path) -> set[str]:
    """Returns the names of the generated files in the package under ``output``."""
    package = output / PACKAGE
    return {path.name for path in package.glob("*.py*") if path.is_file() and path.name not in HANDWRITTEN}


def stale_files(fresh: Path, present: Path) -> list[str]:
    """Returns a line for each file of ``present`` that differs from ``fresh``, is missing, or has no proto any more."""
    fresh_names, present_names = generated_files(fresh), generated_files(present)
    changed = filecmp.cmpfiles(fresh / PACKAGE, present / PACKAGE, sorted(fresh_names & present_names), shallow=False)
    lines = [(name, "missing") for name in fresh_names - present_names]
    lines += [(name, "out of date") for name in (*changed[1], *changed[2])]
    lines += [(name, "has no proto any more") for name in present_names - fresh_names]
    base = (present / PACKAGE).relative_to(ROOT).as_posix()
    return [f"{base}/{name}: {why}" for name, why in sorted(lines)]


def write() -> int:
    with tempfile.TemporaryDirectory() as scratch:
        fresh = Path(scratch)
        generate(fresh)
        # Changed files are replaced atomically, because other processes may read them. Unchanged files keep their times.
        for name in generated_files(OUTPUT) - generated_files(fresh):
            (OUTPUT / PACKAGE / name).unlink()
        (OUTPUT / PACKAGE).mkdir(parents=True, exist_ok=True)
        for name in sorted(generated_files(fresh)):
            source, target = fresh / PACKAGE / name, OUTPUT / PACKAGE / name
            if target.exists() and filecmp.cmp(source, target, shallow=False):
                continue
            draft = target.with_name(f"{name}.draft")
            shutil.copyfile(source, draft)
            draft.replace(target)
    return 0


def check() -> int:
    with tempfile.TemporaryDirectory() as scratch:
        generate(Path(scratch))
        stale = stale_files(Path(scratch), OUTPUT)
    for line in stale:
        print(line, file=sys.stderr)  # noqa: T201
    if stale:
        print("run: python scripts/generate_protos.py", file=sys.stderr)  # noqa: T201
    return 1 if stale else 0


def breaking_against(ref: str) -> int:
    """Runs ``buf breaking`` against the protos of ``ref`` with the present imports. Returns buf's exit code. Raises GenerationError."""
    archive = subprocess.run(["git", "archive", ref, "protos", "buf.yaml"], cwd=ROOT, capture_output=True, check=False)
    if archive.returncode != 0:
        raise GenerationError(f"no protos at {ref}: {archive.stderr.decode().strip()}")
    with tempfile.TemporaryDirectory() as scratch:
        with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as tar:
            extract_files(tar, Path(scratch))
        place_imports(Path(scratch))
        return subprocess.run([tool("buf"), "breaking", "--against", scratch], cwd=ROOT, check=False).returncode


def release_before() -> str | None:
    """Returns the commit of the newest release in ``releases.txt``. If the file names none: the newest tag ``v…`` of an earlier commit, or
    the previous commit. None: no earlier commit exists. Raises GenerationError for a wrong ``releases.txt``."""

    def git(*arguments: str) -> str:
        run = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
        return run.stdout.strip() if run.returncode == 0 else ""

    try:
        released = read_releases(ROOT)
    except ReleasesError as error:
        raise GenerationError(str(error)) from error
    if released:
        newest = released[-1]
        if found := git("rev-parse", "--verify", "--quiet", f"{newest.commit}^{{commit}}"):
            return found
        print(f"breaking changes: this clone lacks release {newest.version} ({newest.commit}): git fetch --unshallow", file=sys.stderr)  # noqa: T201
    before = git("rev-parse", "--verify", "--quiet", "HEAD~1")
    return (git("describe", "--tags", "--abbrev=0", "--match", "v[0-9]*", before) or before) if before else None


def breaking() -> int:
    ref = release_before()
    if ref is None:
        print("breaking changes: not looked for, as this clone has no earlier commit", file=sys.stderr)  # noqa: T201
        return 0
    return breaking_against(ref)


def main() -> int:
    parser = argparse.ArgumentParser(description="Generate the Python messages and stubs of the contract.")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--check", action="store_true", help="compare only; exit 1 and name the stale files")
    mode.add_argument("--imports", action="store_true", help="only place the imports that buf needs")
    mode.add_argument("--breaking-against", metavar="REF", help="buf breaking against a commit, branch or tag")
    mode.add_argument("--breaking", action="store_true", help="buf breaking against the release or commit before")
    arguments = parser.parse_args()
    try:
        place_imports(ROOT)
        if arguments.imports:
            return 0
        if arguments.breaking:
            return breaking()
        if arguments.breaking_against:
            return breaking_against(arguments.breaking_against)
        return check() if arguments.check else write()
    except GenerationError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 2


if __name__ == "__main__":
    sys.exit(main())
