"""The environment of PostgreSQL's programs."""

from __future__ import annotations

import os
from typing import Final

_KEPT: Final = ("PATH", "LD_LIBRARY_PATH", "LANG", "TZ", "TMPDIR")


def program_environment() -> dict[str, str]:
    """What PostgreSQL's programs need of ours, and nothing else: the service's own holds its key and tokens, and whoever may read the
    environment of PostgreSQL's processes would read them; PG… variables of a shell would change what is started."""
    return {name: value for name, value in os.environ.items() if name in _KEPT or name.startswith("LC_")}
