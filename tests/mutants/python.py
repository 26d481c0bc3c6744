"""Applies changes to Python. The marked code is the outermost node that begins on the first line of code after the marker.

The node is a statement, an `elif`, `case` or `except`, or one element, argument or operand on a line of its own.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

from mutants.mutant import Change, DoesNotApply, Part


def mutated(text: str, marker: str, change: Change) -> str:
    """Returns ``text`` with the change. ``marker`` is the comment without its indentation. Raises DoesNotApply."""
    tree = ast.parse(text)
    node = _marked(tree, text, marker)
    old: ast.AST = node
    match change.part:
        case Part.WHOLE:
            pass
        case Part.CONDITION:
            old = _condition(node)
        case Part.VALUE:
            old = _value(node)
        case Part.CAUGHT:
            old = _field(node, "type")
        case Part.ENTRY:
            old = _statements(node)[0]
    _Swap(old, _new(change, old, node)).visit(tree)
    return ast.unparse(ast.fix_missing_locations(tree))


def _marked(tree: ast.AST, text: str, marker: str) -> ast.AST:
    lines = text.splitlines()
    at = next(number for number, line in enumerate(lines) if line.strip() == marker)
    after = next((number for number in range(at, len(lines)) if lines[number].strip() and not lines[number].lstrip().startswith("#")), at)
    if _indentation(lines[after]) != _indentation(lines[at]):
        raise DoesNotApply("the marker is not at the same depth as the code after it")
    for node in ast.walk(tree):  # breadth first, so the outermost node comes first
        if _first_line(node) == after + 1:
            return node
    raise DoesNotApply("nothing begins on the line after the marker")


def _indentation(line: str) -> int:
    return len(line) - len(line.lstrip())


def _first_line(node: ast.AST) -> int | None:
    if isinstance(node, ast.match_case):  # a match_case has no position of its own
        return node.pattern.lineno
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return decorators[0].lineno if decorators else getattr(node, "lineno", None)


def _field(node: ast.AST, name: str) -> ast.expr:
    found = getattr(node, name, None)
    if not isinstance(found, ast.expr):
        raise DoesNotApply(f"what follows the marker has no {name}: it is a {type(node).__name__}")
    return found


def _value(node: ast.AST) -> ast.expr:
    found = _field(node, "value")
    return _field(found, "value") if isinstance(found, ast.Yield) else found


def _condition(node: ast.AST) -> ast.expr:
    if isinstance(node, ast.match_case):
        return _field(node, "guard")
    return _field(node if hasattr(node, "test") else _value(node), "test")


def _statements(node: ast.AST) -> list[ast.stmt]:
    body: list[ast.stmt] | None = getattr(node, "body", None)
    if not isinstance(body, list):
        raise DoesNotApply(f"what follows the marker has no body: it is a {type(node).__name__}")
    return body


def _new(change: Change, old: ast.AST, node: ast.AST) -> list[ast.AST]:
    if change.code is None:
        return [ast.Pass()] if isinstance(old, ast.stmt) else []
    code: list[ast.AST]
    if isinstance(old, ast.stmt):
        code = [*ast.parse(change.code).body]
    else:  # a starred expression is valid only inside a list
        listed = ast.parse(f"[{change.code}]", mode="eval").body
        assert isinstance(listed, ast.List)
        code = [*listed.elts]
    filled = [_Placeholders(old, node).visit(each) for each in code]
    return [*filled, old] if change.part is Part.ENTRY else filled


class _Placeholders(ast.NodeTransformer):
    """Replaces the placeholders in a change.

    IT is the replaced part. LEFT is the left side of a marked comparison. ITERATED is the iterable of a marked `for`. BOUND is the name
    that a marked `with` or assignment binds, and NAME_BOUND is that name as a string.
    """

    def __init__(self, old: ast.AST, node: ast.AST) -> None:
        self._old, self._node = old, node

    def visit_Expr(self, expression: ast.Expr) -> ast.AST:
        if isinstance(expression.value, ast.Name) and expression.value.id == "IT":
            return self._old
        return self.generic_visit(expression)

    def visit_Name(self, name: ast.Name) -> ast.AST:
        match name.id:
            case "IT":
                return self._old
            case "LEFT":
                return _field(self._node, "left")
            case "ITERATED":
                return _field(self._node, "iter")
            case "BOUND":
                return ast.Name(_bound(self._node), ast.Load())
            case "NAME_BOUND":
                return ast.Constant(_bound(self._node))
            case _:
                return name


def _bound(node: ast.AST) -> str:
    names: Iterator[ast.AST | None] = iter(())
    if isinstance(node, ast.With | ast.AsyncWith):
        names = (item.optional_vars for item in node.items)
    elif isinstance(node, ast.Assign):
        names = iter(node.targets)
    found = [name.id for name in names if isinstance(name, ast.Name)]
    if len(found) != 1:
        raise DoesNotApply(f"what follows the marker binds {len(found)} names")
    return found[0]


class _Swap(ast.NodeTransformer):
    def __init__(self, old: ast.AST, new: list[ast.AST]) -> None:
        self._old, self._new = old, new

    def visit(self, node: ast.AST) -> Any:
        if node is not self._old:
            return super().visit(node)
        return self._new if isinstance(node, ast.stmt) or not self._new else self._new[0]
