"""Splits the text of an SQL revision into its statements.

A server that forwards commands to other nodes takes one statement at a time. PostgreSQL itself takes either form.
"""

from __future__ import annotations

import re

_PARTS = re.compile(
    r"""
    --[^\n]*                                    # a comment
    | /\*.*?\*/                                 # a marker of an invariant
    | '(?:[^']|'')*'                            # a text
    | "[^"]*"                                   # a quoted name
    | \$(?P<tag>\w*)\$.*?\$(?P=tag)\$           # a function's body
    | \bBEGIN\ ATOMIC\b.*?^END\b                # a function's body in standard SQL
    | (?P<end>;)
    """,
    re.DOTALL | re.VERBOSE | re.MULTILINE,
)
_ONLY_COMMENTS = re.compile(r"(?:\s|--[^\n]*(?:\n|$)|/\*.*?\*/)*", re.DOTALL)


def statements_of(sql: str) -> list[str]:
    """The statements of ``sql`` in their order, each with the comments before it and without its semicolon."""
    found, begin = [], 0
    for match in _PARTS.finditer(sql):
        if match["end"]:
            found.append(sql[begin : match.start()].strip())
            begin = match.end()
    return [each for each in [*found, sql[begin:].strip()] if not _ONLY_COMMENTS.fullmatch(each)]
