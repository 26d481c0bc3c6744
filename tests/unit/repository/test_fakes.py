"""Each port has one fake. A fake names its ports, has their methods and runs a contract suite. No other test double has them."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
from collections import Counter
from typing import Any, Protocol

import fakes
import pytest
from support.directories import REPOSITORY
from tillsync_server import ports

TESTS = REPOSITORY / "tests"


def protocols() -> dict[str, type[Any]]:
    """The protocols of the ports, by ``module.Name``."""
    found: dict[str, type[Any]] = {}
    for module in pkgutil.iter_modules(ports.__path__):
        for name, value in vars(importlib.import_module(f"{ports.__name__}.{module.name}")).items():
            if inspect.isclass(value) and Protocol in value.__bases__ and value.__module__.endswith(f".{module.name}"):
                found[f"{module.name}.{name}"] = value
    return found


def methods_of(protocol: type[Any]) -> set[str]:
    own = {name for each in protocol.__mro__ if each.__module__.startswith(ports.__name__) for name in vars(each)}
    return {name for name in own if not name.startswith("_") or name == "__call__"}


def fake_classes() -> list[type[Any]]:
    """The fakes of ports. The clocks are none, because they stand for ``Callable[[], float]``."""
    names = [module.name for module in pkgutil.iter_modules(fakes.__path__) if module.name != "clock"]
    modules = [importlib.import_module(f"{fakes.__name__}.{name}") for name in names]
    return [
        value
        for module in modules
        for name, value in vars(module).items()
        if inspect.isclass(value) and name.startswith("Fake") and value.__module__ == module.__name__
    ]


def ports_of(fake: type[Any]) -> list[str]:
    """Ports in the docstring: ``Implements ports.till.TillClient``, ``Implements ports.links.LinkReader, OrderLinker and LinkWriter``."""
    first_line = (fake.__doc__ or "").partition("\n")[0]
    named = re.search(r"Implements ports\.(\w+)\.([^.:]+)", first_line)
    return [] if named is None else [f"{named[1]}.{name}" for name in re.findall(r"\b[A-Z]\w+", named[2])]


FAKES, PROTOCOLS = fake_classes(), protocols()


def test_fakes_and_ports_are_found() -> None:
    assert len(FAKES) > 15
    assert len(PROTOCOLS) > 30


@pytest.mark.parametrize("fake", FAKES, ids=lambda fake: fake.__name__)
def test_fake_names_its_ports_and_has_their_methods(fake: type[Any]) -> None:
    named = ports_of(fake)
    assert named, "its docstring begins with: Implements ports.…"
    for port in named:
        protocol = PROTOCOLS[port]
        for name in methods_of(protocol):
            wanted, had = getattr(protocol, name), getattr(fake, name, None)
            assert had is not None, (port, name)
            assert isinstance(wanted, property) or list(inspect.signature(had).parameters) == list(inspect.signature(wanted).parameters), (
                port,
                name,
            )


def test_no_port_has_two_fakes() -> None:
    named = Counter(port for fake in FAKES for port in ports_of(fake))
    assert [port for port, count in named.items() if count > 1] == []


def suites() -> dict[str, list[ast.ClassDef]]:
    """The test classes in ``tests/contracts``, by the name of their contract."""
    classes = [node for file in (TESTS / "contracts").glob("test_*.py") for node in ast.parse(file.read_text()).body]
    by_name = {node.name: node for node in classes if isinstance(node, ast.ClassDef)}
    found: dict[str, list[ast.ClassDef]] = {}

    def contracts(node: ast.ClassDef) -> set[str]:
        bases = {base.id for base in node.bases if isinstance(base, ast.Name) and base.id in by_name}
        return {base for base in bases if base.endswith("Contract")} | {each for base in bases for each in contracts(by_name[base])}

    for node in by_name.values():
        for contract in contracts(node) if node.name.startswith("Test") else ():
            found.setdefault(contract, []).append(node)
    return found


def test_every_contract_runs_on_a_fake_and_a_real_implementation() -> None:
    for contract, classes in suites().items():
        names = {node.name for node in classes}
        assert any(name.startswith("TestFake") for name in names), (contract, names)
        assert any(not name.startswith("TestFake") for name in names), (contract, names)


@pytest.mark.parametrize("fake", FAKES, ids=lambda fake: fake.__name__)
def test_every_fake_runs_a_contract_suite(fake: type[Any]) -> None:
    modules = [file.read_text() for file in (TESTS / "contracts").glob("*.py")]
    assert any(re.search(rf"\b{fake.__name__}\(", text) for text in modules)


def doubles() -> list[tuple[str, ast.ClassDef, str]]:
    """The test classes outside ``tests/fakes``, each with its place and its source."""
    found = []
    for file in sorted(TESTS.rglob("*.py")):
        if "fakes" in file.relative_to(TESTS).parts:
            continue
        text = file.read_text()
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ClassDef):
                found.append((f"{file.relative_to(TESTS)}:{node.lineno} {node.name}", node, ast.get_source_segment(text, node) or ""))
    return found


def parameters_of(method: ast.FunctionDef | ast.AsyncFunctionDef) -> list[str]:
    return [each.arg for each in (*method.args.posonlyargs, *method.args.args, *method.args.kwonlyargs)]


def test_no_other_class_has_the_methods_of_a_port_that_has_a_fake() -> None:
    """A wrapper around the fake is allowed. A stub of a part of a port is not found here."""
    second = []
    for where, node, source in doubles():
        methods = {each.name: parameters_of(each) for each in node.body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)}
        for fake in FAKES:
            for port in ports_of(fake):
                wanted = {name: getattr(PROTOCOLS[port], name) for name in methods_of(PROTOCOLS[port])}
                has_all = all(
                    name in methods if isinstance(each, property) else methods.get(name) == list(inspect.signature(each).parameters)
                    for name, each in wanted.items()
                )
                if has_all and fake.__name__ not in source:
                    second.append(f"{where}: use {fake.__name__}")
    assert second == []
