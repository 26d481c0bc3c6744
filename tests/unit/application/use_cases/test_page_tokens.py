from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tillsync_server.application.use_cases.page_tokens import PageTokens, coerced_page_size
from tillsync_server.domain.errors import InvalidArgument
from tillsync_server.domain.ids import new_entry_id


def test_token_returns_its_position() -> None:
    tokens = PageTokens("page_token", "shop-a", 1, frozenset({2, 1}), None)
    entry_id = new_entry_id()
    assert tokens.read_entry(tokens.make(str(entry_id))) == entry_id
    assert tokens.read_int(tokens.make(90001)) == 90001
    assert tokens.read_text(tokens.make("shop-b")) == "shop-b"
    assert tokens.read("") is None
    assert tokens.read_int("") is None
    assert tokens.read_text("") is None
    assert tokens.read_entry("") is None


@pytest.mark.parametrize(
    "other", [("shop-b", 1, frozenset({1, 2}), None), ("shop-a", 1, frozenset({1}), None), ("shop-a", 1, frozenset({1, 2}), "x")]
)
def test_token_of_another_request_is_refused_with_its_field(other: tuple[object, ...]) -> None:
    token = PageTokens("page_token", "shop-a", 1, frozenset({2, 1}), None).make(7)
    with pytest.raises(InvalidArgument) as refused:
        PageTokens("page_token", *other).read_int(token)
    assert [violation.field for violation in refused.value.violations] == ["page_token"]
    assert "another request" in refused.value.message


def test_page_token_is_refused_as_continuation_token() -> None:
    token = PageTokens("page_token", "shop-a").make(7)
    with pytest.raises(InvalidArgument, match="continuation_token"):
        PageTokens("continuation_token", "shop-a").read_int(token)


@given(st.text(max_size=60) | st.binary(max_size=40).map(lambda content: base64.urlsafe_b64encode(content).decode()))
def test_any_other_text_is_an_invalid_argument(text: str) -> None:
    tokens = PageTokens("page_token", "shop-a")
    for read in (tokens.read_entry, tokens.read_int, tokens.read_text):
        if text:
            with pytest.raises(InvalidArgument):
                read(text)


def test_a_position_of_the_wrong_kind_is_refused() -> None:
    tokens = PageTokens("page_token", "shop-a")
    for read, position in ((tokens.read_int, ("x",)), (tokens.read_entry, ("x",)), (tokens.read_text, (1, 2)), (tokens.read_int, (True,))):
        with pytest.raises(InvalidArgument):
            read(tokens.make(*position))
    with pytest.raises(InvalidArgument):
        tokens.read_int("A" * 5000)


@pytest.mark.parametrize("text", ["a\x00b", "a\ud800", "\udfff"])
def test_position_that_postgresql_cannot_store_is_refused(text: str) -> None:
    tokens = PageTokens("page_token", "shop-a")
    for read, position in ((tokens.read_text, (text,)), (tokens.read, (1, text))):
        with pytest.raises(InvalidArgument, match="page_token"):
            read(tokens.make(*position))


def test_page_sizes_are_coerced() -> None:
    assert [coerced_page_size(size) for size in (0, 1, 500, 501, 2**31 - 1)] == [50, 1, 500, 500, 500]
    with pytest.raises(InvalidArgument, match="page_size"):
        coerced_page_size(-1)
