"""Writes dist/tillsync-bridge.zip, the WordPress plugin that a merchant uploads. The same files give the same bytes."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PLUGIN, NAME = ROOT / "wp-bridge", "tillsync-bridge"
EPOCH = (1980, 1, 1, 0, 0, 0)


def main(target: Path = ROOT / "dist" / f"{NAME}.zip") -> None:
    target.parent.mkdir(exist_ok=True)
    found = (path.relative_to(PLUGIN) for path in PLUGIN.rglob("*") if path.is_file())
    files = sorted(path for path in found if not any(part.startswith(".") for part in path.parts))
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in files:
            entry = zipfile.ZipInfo(f"{NAME}/{path.as_posix()}", EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, (PLUGIN / path).read_bytes())
    sys.stdout.write(f"{target.relative_to(ROOT) if target.is_relative_to(ROOT) else target}: {len(files)} files\n")


if __name__ == "__main__":
    main(*[Path(argument) for argument in sys.argv[1:]])
