"""Applies changes to PHP. The marked code is the statement after the marker, up to its ``;`` or the end of its blocks."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mutants.mutant import Change, DoesNotApply, Part

_TOKEN = re.compile(
    r"""//[^\n]*|\#(?!\[)[^\n]*|/\*.*?\*/|'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|<<<|\?->|\?\?=?|[=!<>.+*/-]*=>?=?|[()\[\]{};?]|\w+|\s+|.""",
    re.DOTALL,
)
_BLOCKS = {"if", "foreach", "for", "while", "switch", "try"}
_CONTINUES = {"else", "elseif", "catch", "finally"}
Token = tuple[int, str, int]
"""Its position, its text, and the number of brackets around it."""


def mutated(text: str, marker: str, change: Change) -> str:
    """Returns ``text`` with the change. ``marker`` is the whole comment with its newline. Raises DoesNotApply."""
    statement = _statement(text, text.index(marker) + len(marker))
    begin, end = _span(statement, change.part)
    code = "" if change.code is None else f" {change.code.replace('IT', text[begin:end].strip())} "
    return f"{text[:begin]}{code}{text[end:]}"


def _tokens(text: str, begin: int) -> Iterator[Token]:
    """Yields the tokens, without spaces and comments."""
    depth = 0
    for token in _TOKEN.finditer(text, begin):
        if token[0] == "<<<":
            raise DoesNotApply("a heredoc is not read")
        depth -= token[0] in ")]}"
        if not token[0].isspace() and not token[0].startswith(("//", "/*", "#")):
            yield token.start(), token[0], depth
        depth += token[0] in "([{"


def _statement(text: str, begin: int) -> list[Token]:
    found: list[Token] = []
    for token in _tokens(text, begin):
        _, word, depth = token
        has_blocks = bool(found) and found[0][1] in _BLOCKS
        if depth < 0 or (found and has_blocks and _ends_a_block(found[-1]) and word not in _CONTINUES):
            break
        found.append(token)
        if word == ";" and depth == 0:
            break
    if not found or found[-1][1] not in ";}":
        raise DoesNotApply("no statement follows the marker")
    return found


def _ends_a_block(token: Token) -> bool:
    return token[1] == "}" and token[2] == 0


def _span(statement: list[Token], part: Part) -> tuple[int, int]:
    last = statement[-1]
    match part:
        case Part.WHOLE:
            return statement[0][0], last[0] + 1
        case Part.CONDITION if statement[0][1] in {"if", "while"}:
            opened = statement[1][0] + 1
            return opened, next(at for at, word, depth in statement[2:] if word == ")" and depth == 0)
        case Part.CONDITION:
            marks = [at for at, word, depth in statement if word == "?" and depth == 0]
            if len(marks) != 1:
                raise DoesNotApply("the statement that follows the marker has no condition")
            return _span(statement, Part.VALUE)[0], marks[0]
        case Part.VALUE:
            for at, word, depth in statement:
                if depth == 0 and word in {"return", "="}:
                    return at + len(word), last[0]
            raise DoesNotApply("the statement that follows the marker returns and assigns nothing")
        case _:
            raise DoesNotApply(f"PHP has no {part.name} here")
