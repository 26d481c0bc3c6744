"""The environment of PostgreSQL's programs."""

from __future__ import annotations

import os
from typing import Final

_PASSED_VARIABLES: Final = ("PATH", "LD_LIBRARY_PATH", "LANG", "TZ", "TMPDIR")


def program_environment() -> dict[str, str]:
    """Returns the variables that PostgreSQL's programs need. The service's environment holds its key and tokens, which any reader of
    PostgreSQL's environment could read. PG… variables of a shell would change what is started."""
    return {name: value for name, value in os.environ.items() if name in _PASSED_VARIABLES or name.startswith("LC_")}
