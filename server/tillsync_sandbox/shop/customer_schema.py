"""Schema validation of customers. The REST server validates single requests and the customer list, but no item of a batch."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from tillsync_sandbox.shop.stored import BILLING_FIELDS

_LOCAL = re.compile(r"[a-zA-Z0-9!#$%&'*+/=?^_`{|}~.-]+")
_LABEL = re.compile(r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?")


def is_email(text: str) -> bool:
    """WordPress's ``is_email``: ASCII only, and a domain with a dot."""
    local, at, domain = text.partition("@")
    labels = domain.split(".")
    return (
        bool(at)
        and len(text) >= 6
        and _LOCAL.fullmatch(local) is not None
        and len(labels) >= 2
        and all(_LABEL.fullmatch(label) for label in labels)
    )


def sanitize_email(text: str) -> str:
    """WordPress's ``sanitize_email``: removes invalid characters, and returns "" when no address remains.

    So an invalid email that reaches the controller without validation causes no error. It erases the stored email.
    """
    local, at, domain = text.strip().partition("@")
    local = "".join(_LOCAL.findall(local))
    domain = re.sub(r"\.{2,}", "", domain).strip(" \t\n\r\0\x0b.")
    labels = [re.sub(r"[^a-z0-9-]+", "", label.strip("-"), flags=re.IGNORECASE) for label in domain.split(".")]
    cleaned = f"{local}@{'.'.join(label for label in labels if label)}"
    return cleaned if at and is_email(cleaned) else ""


def sanitize_text(value: object) -> str:
    """``sanitize_text_field``: removes markup, and replaces each run of white space by one space."""
    text = re.sub(r"<[^>]*>", "", _as_text(value))
    return " ".join(text.split())


def _as_text(value: object) -> str:
    match value:
        case None | False:
            return ""
        case True:
            return "1"
        case list() | dict():
            return "Array"
        case _:
            return str(value)


def customer_problems(body: dict[str, Any]) -> dict[str, str]:
    """Returns the schema's problems by parameter, or an empty dict. It ignores read-only and unknown parameters and nulls."""
    body = {name: value for name, value in body.items() if value is not None}
    problems: dict[str, str] = {}
    for name in ("first_name", "last_name", "username", "password"):
        if name in body and not isinstance(body[name], str):
            problems[name] = f"{name} is not of type string."
    if "email" in body:
        email = body["email"]
        if not isinstance(email, str):
            problems["email"] = "email is not of type string."
        elif not is_email(email):
            problems["email"] = "Invalid email address."
    for name, problem in (("billing", _billing_problem), ("meta_data", _meta_problem)):
        if name in body and (text := problem(body[name])):
            problems[name] = text
    return problems


def _billing_problem(billing: object) -> str:
    if not isinstance(billing, dict):
        return "billing is not of type object."
    for name in BILLING_FIELDS:
        if name in billing and not isinstance(billing[name], str):
            return f"billing[{name}] is not of type string."
    if "email" in billing and not is_email(billing["email"]):
        return "Invalid email address."
    return ""


def _meta_problem(meta_data: object) -> str:
    if not isinstance(meta_data, list):
        return "meta_data is not of type array."
    for index, meta in enumerate(meta_data):
        if not isinstance(meta, dict):
            return f"meta_data[{index}] is not of type object."
        if "id" in meta and not _is_integer(meta["id"]):
            return f"meta_data[{index}][id] is not of type integer."
        if "key" in meta and not isinstance(meta["key"], str):
            return f"meta_data[{index}][key] is not of type string."
    return ""


def _is_integer(value: object) -> bool:
    if isinstance(value, bool):
        return False
    return isinstance(value, int) or (isinstance(value, str) and re.fullmatch(r"-?\d+", value, re.ASCII) is not None)


_ROLES = ("all", "administrator", "editor", "author", "contributor", "subscriber", "customer", "shop_manager")


def _number_problem(name: str, value: str, least: int, most: int | None) -> str:
    if re.fullmatch(r"-?\d{1,18}", value, re.ASCII) is None:
        return f"{name} is not of type integer."
    if int(value) < least or (most is not None and int(value) > most):
        between = f"greater than or equal to {least}" if most is None else f"between {least} (inclusive) and {most} (inclusive)"
        return f"{name} must be {between}"
    return ""


_COLLECTION_CHECKS: dict[str, Callable[[str], str]] = {
    "page": lambda value: _number_problem("page", value, 1, None),
    "per_page": lambda value: _number_problem("per_page", value, 1, 100),
    "email": lambda value: "" if is_email(value) else "Invalid email address.",
    "role": lambda value: "" if value in _ROLES else f"role is not one of {', '.join(_ROLES[:-1])}, and {_ROLES[-1]}.",
}


def collection_problems(query: dict[str, str]) -> dict[str, str]:
    """Returns the problems of the customer list's query by parameter."""
    return {name: text for name, check in _COLLECTION_CHECKS.items() if name in query and (text := check(query[name]))}
