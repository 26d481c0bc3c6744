"""Applies changes to SQL. The marked code is between two comments: ``/* invariant: NAME */ … /* /invariant: NAME */``."""

from __future__ import annotations

import re

from mutants.mutant import Change, DoesNotApply, Part

_PARAMETER = re.compile(r"\$\d+(::\w+(\[\])?)?")


def mutated(text: str, name: str, change: Change) -> str:
    """Returns ``text`` with the change. Raises DoesNotApply."""
    if change.part is not Part.WHOLE:
        raise DoesNotApply("of SQL only the whole region can change")
    begins, ends = ([*re.finditer(rf"/\*\s*{kind}:\s*{name}\s*\*/", text)] for kind in ("invariant", "/invariant"))
    if len(begins) != 1 or len(ends) != 1 or begins[0].end() > ends[0].start():
        raise DoesNotApply(f"the region must end with /* /invariant: {name} */, once")
    region = text[begins[0].end() : ends[0].start()]
    new = _without(region) if change.code is None else change.code.replace("IT", region.strip())
    return f"{text[: begins[0].end()]} {new} {text[ends[0].start() :]}"


def _without(region: str) -> str:
    """Returns the region without its conjunct. It keeps the parameters, because PostgreSQL refuses a statement with an unused parameter."""
    parameters = list(_PARAMETER.finditer(region))
    if not parameters:
        return ""
    if not re.match(r"\s*AND\b", region) or not all(parameter[1] for parameter in parameters):
        raise DoesNotApply("a region with parameters can be dropped only if it begins with AND and says their types")
    return f"AND num_nulls({', '.join(parameter[0] for parameter in parameters)}) >= 0"
