#!/usr/bin/env python3
"""Generate ``clients/python/tillsync/v1`` from ``protos/``, and place the google protos that both protoc and buf need.

    python scripts/generate_protos.py                          write the generated code
    python scripts/generate_protos.py --check                  compare only; exit 1 and name the stale files
    python scripts/generate_protos.py --imports                only place the imports, so that buf works in a fresh clone
    python scripts/generate_protos.py --breaking-against REF   ``buf breaking`` against a commit, branch or tag
    python scripts/generate_protos.py --breaking               the same against the release before, or the commit before where there is none

``protos/`` imports google/api, google/rpc and buf/validate. buf would fetch these from its registry; offline they come from installed
wheels instead: googleapis-common-protos has the google protos, protovalidate has the descriptor of buf/validate/validate.proto, of which
its source is written. They are placed in the git-ignored folder ``.tillsync/googleapis``, which buf.yaml names as a second module that is
neither linted nor checked for breaking changes. Every mode places them first. After that ``buf lint``, ``buf format``, ``buf build`` and
``buf curl --schema .`` work as usual. ``buf breaking --against '.git#branch=main'`` alone cannot: the folder is in no commit. Hence the
last mode.

The generated code imports no buf/validate, of which no wheel has Python code: the import is taken out of the descriptors, and the options
stay in them. protovalidate reads them there, and so does the server (``adapters/grpc/field_rules.py``).

Generators (the dev extra pins them): grpcio-tools for messages and stubs, mypy-protobuf for their types. Messages get a ``.pyi`` with
the proto comments as docstrings; stubs are typed for ``grpc`` and ``grpc.aio``.
"""

from __future__ import annotations

import argparse
import filecmp
import importlib
import importlib.resources
import io
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

ROOT = Path(__file__).resolve().parent.parent
PROTOS = ROOT / "protos"
OUTPUT = ROOT / "clients" / "python"
PACKAGE = Path("tillsync") / "v1"
IMPORTS = Path(".tillsync") / "googleapis"

# The closure of what protos/ imports, and error_details.proto, with which `buf curl --schema .` prints the details of errors.
IMPORTED_PROTOS = (
    "google/api/field_behavior.proto",
    "google/rpc/error_details.proto",
    "google/rpc/status.proto",
)
VALIDATE = "buf/validate/validate.proto"
# By hand, beside the generated files.
HANDWRITTEN = frozenset({"__init__.py"})


class GenerationError(Exception):
    """A tool is missing or refused the protos."""


def place_imports(root: Path) -> None:
    """Put the imported protos under ``root``. An unchanged file is left alone, so that concurrent runs do not disturb each other."""
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
    """The path of a tool of this interpreter's environment, which need not be on PATH."""
    path = Path(sysconfig.get_path("scripts")) / name
    if not path.exists():
        raise GenerationError(f"{name} is not installed beside {sys.executable}: run make")
    return str(path)


def contract() -> FileDescriptorSet:
    """The compiled files of ``protos/`` and their imports, with source comments."""
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
    """Write the generated package ``tillsync/v1`` under ``output``. The same protos give the same bytes."""
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
        # Files without a service would only give empty modules here.
        _protoc(
            f"--descriptor_set_in={compiled}",
            f"--plugin=protoc-gen-mypy_grpc={tool('protoc-gen-mypy_grpc')}",
            f"--grpc_python_out={output}",
            f"--mypy_grpc_out=quiet:{output}",
            *services,
        )


def _without_validate(compiled: FileDescriptorSet) -> FileDescriptorSet:
    """The same files without buf/validate and its imports. Its options stay, as bytes."""
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
    """They are what each reader makes of the names by itself, and double the size of the code."""
    for message in messages:
        for field in message.field:
            field.ClearField("json_name")
        _drop_json_names(message.nested_type)


def _protoc(*arguments: str) -> None:
    # -m adds the google/protobuf protos that grpcio-tools carries.
    run = subprocess.run([sys.executable, "-m", "grpc_tools.protoc", *arguments], capture_output=True, text=True, check=False)
    if run.returncode != 0:
        raise GenerationError(f"protoc failed: {run.stderr.strip()}")


def generated_files(output: Path) -> set[str]:
    """Names of the generated files in the package under ``output``."""
    package = output / PACKAGE
    return {path.name for path in package.glob("*.py*") if path.is_file() and path.name not in HANDWRITTEN}


def stale_files(fresh: Path, present: Path) -> list[str]:
    """One line for each file of ``present`` that differs from ``fresh``, is missing, or has no proto any more."""
    wanted, there = generated_files(fresh), generated_files(present)
    changed = filecmp.cmpfiles(fresh / PACKAGE, present / PACKAGE, sorted(wanted & there), shallow=False)
    lines = [(name, "missing") for name in wanted - there]
    lines += [(name, "out of date") for name in (*changed[1], *changed[2])]
    lines += [(name, "has no proto any more") for name in there - wanted]
    base = (present / PACKAGE).relative_to(ROOT).as_posix()
    return [f"{base}/{name}: {why}" for name, why in sorted(lines)]


def write() -> int:
    with tempfile.TemporaryDirectory() as scratch:
        fresh = Path(scratch)
        generate(fresh)
        # Files that stay the same keep their times; the others are swapped in whole, for readers in the meantime.
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
    """``buf breaking`` against the protos of ``ref``, which get the same imports as ours."""
    archive = subprocess.run(["git", "archive", ref, "protos", "buf.yaml"], cwd=ROOT, capture_output=True, check=False)
    if archive.returncode != 0:
        raise GenerationError(f"no protos at {ref}: {archive.stderr.decode().strip()}")
    with tempfile.TemporaryDirectory() as scratch:
        with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as tar:
            extract_files(tar, Path(scratch))
        place_imports(Path(scratch))
        return subprocess.run([tool("buf"), "breaking", "--against", scratch], cwd=ROOT, check=False).returncode


def release_before() -> str | None:
    """The newest tag ``v…`` of an earlier commit; the commit before, until there is one. None: this clone has no earlier commit."""

    def git(*arguments: str) -> str:
        run = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
        return run.stdout.strip() if run.returncode == 0 else ""

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
