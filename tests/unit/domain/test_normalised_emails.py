"""Properties of the normalised form of emails: which spellings are equal, and which mailboxes stay different."""

from __future__ import annotations

import unicodedata

import idna
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tillsync_server.domain.emails import EMAIL_FORM, addresses_in, normalise_email, visible_email, without_capitals

ODD = "aAkKé\u0301\u200b\u200c\u200d\ufeff\u212a\u037e\u00a0\u3000ßſﬃ.@ -xn。"
TEXTS = st.text(st.one_of(st.characters(), st.sampled_from(ODD)), max_size=12)
INVISIBLE = st.text(st.sampled_from("\u200b\u200e\u200f\u202a\u202e\u2060\u2066\ufeff\u00ad\x07"), max_size=3)
BLANKS = st.text(st.sampled_from(" \t\r\n\u00a0\u1680\u2003\u2028\u202f\u3000\x85"), max_size=3)
LETTERS = st.characters(categories=("L", "N"), min_codepoint=0x21)
LOCALS = st.text(st.one_of(LETTERS, st.sampled_from("abAB.+-_'ßſﬃÉé\u212aİı")), min_size=1, max_size=8)
LABELS = st.text(st.sampled_from("abcxyz019bücherßñç日本éö"), min_size=1, max_size=8)


def test_changed_email_form_has_a_new_version() -> None:
    """Stored keys contain the form. Raise EMAIL_FORM and keep the old form in ``email_form_before`` before you change the samples."""
    samples = ("Straße@Straße.test", "\ufeffKate@\u212aate.test ", "an\u0303a@i❤.test", "No At")
    assert (EMAIL_FORM, [normalise_email(each) for each in samples]) == (
        2,
        ["straße@xn--strae-oqa.test", "kate@kate.test", "aña@xn--i-7iq.test", "no at"],
    )


@given(TEXTS)
@example("é\u200c\u00a0@x")
@example("é\u200c\u200ca@x")
@example("e\u200c\u0301@x.test")
def test_normalisation_is_idempotent(text: str) -> None:
    for email in (text, f"{text}@example.test", f"ada@{text}"):
        once = normalise_email(email)
        assert normalise_email(once) == once
        assert normalise_email(visible_email(email)) == once
        assert once in addresses_in(email)


@given(LOCALS, st.data())
def test_ascii_capitals_do_not_change_the_normalised_email(local: str, data: st.DataObject) -> None:
    email = f"{local}@example.test"
    flips = data.draw(st.lists(st.booleans(), min_size=len(email), max_size=len(email)))
    other = "".join(each.swapcase() if flip and each.isascii() else each for each, flip in zip(email, flips, strict=True))
    assert normalise_email(other) == normalise_email(email)


@given(BLANKS, INVISIBLE, LOCALS, INVISIBLE, INVISIBLE, BLANKS)
def test_invisible_characters_do_not_change_the_normalised_email(
    before: str, first: str, local: str, mid: str, last: str, behind: str
) -> None:
    assert normalise_email(f"{before}{first}{local}{mid}@example{last}.test{behind}") == normalise_email(f"{local}@example.test")


@given(LOCALS)
def test_composed_and_decomposed_accents_normalise_to_the_same_email(local: str) -> None:
    if any(each in local for each in "\u212a\u037e\u1fef"):
        return  # the decomposed letters are ASCII, which is another mailbox
    wanted = normalise_email(f"{local}@example.test")
    assert normalise_email(f"{unicodedata.normalize('NFD', local)}@example.test") == wanted
    assert normalise_email(f"{unicodedata.normalize('NFC', local)}@example.test") == wanted


@given(LOCALS, LOCALS)
def test_mailboxes_that_differ_outside_ascii_stay_different(one: str, other: str) -> None:
    def outside(local: str) -> list[str]:
        return [each for each in unicodedata.normalize("NFC", local) if not each.isascii()]

    if outside(one) != outside(other):
        assert normalise_email(f"{one}@example.test") != normalise_email(f"{other}@example.test")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("straße", "strasse"),
        ("\u212aate", "kate"),
        ("oﬃce", "office"),
        ("ſam", "sam"),
        ("ﬁn", "fin"),
        ("ıda", "ida"),
        ("a.b", "ab"),
        ("a+b", "a"),
    ],
)
def test_case_folding_pairs_stay_different_mailboxes(one: str, other: str) -> None:
    assert normalise_email(f"{one}@example.test") != normalise_email(f"{other}@example.test")
    assert without_capitals(normalise_email(f"{one}@example.test")) != without_capitals(normalise_email(f"{other}@example.test"))


@given(LABELS)
def test_unicode_and_punycode_domains_normalise_to_the_same_email(label: str) -> None:
    try:
        ascii_label = idna.encode(label, uts46=True).decode("ascii")
    except idna.IDNAError:
        return
    wanted = normalise_email(f"ada@{label}.test")
    assert wanted == f"ada@{ascii_label}.test"
    for spelling in (ascii_label, ascii_label.upper(), label.upper() if "ß" not in label else label, unicodedata.normalize("NFD", label)):
        assert normalise_email(f"ada@{spelling}.test") == wanted
    assert normalise_email(f"ada@{label}。test") == wanted


@pytest.mark.parametrize(
    "text",
    [
        "mailto:ada@example.test",
        "MAILTO:Ada@Example.test?subject=hi",
        "Ada <ada@example.test>",
        '"Byron, Ada" <ada@example.test>',
        "ada@example.test;bea@example.test",
        "bea@example.test, ada@example.test",
        "ada@example.test.",
        "'ada@example.test'",
        "ada @ example.test",
        "ada@example.test (work)",
        "email:\u00a0a\u200bda@example.test",
    ],
)
def test_an_address_is_found_inside_a_longer_text(text: str) -> None:
    assert "ada@example.test" in addresses_in(text)


@pytest.mark.parametrize(
    "text",
    ["joada@example.test", "x.ada@example.test", "x+ada@example.test", "x-ada@example.test", "éada@example.test", "o'ada@example.test",
     "ada@example.test.uk", "ada@example.tests", "ada@example.test-x.example", "ada@example.testé"],
)  # fmt: skip
def test_longer_address_does_not_contain_the_shorter_one(text: str) -> None:
    assert "ada@example.test" not in addresses_in(text)


def test_without_capitals_folds_only_one_to_one_capitals() -> None:
    assert without_capitals("ÉVA@example.test") == "éva@example.test"
    assert without_capitals("\u212aate@example.test") == "\u212aate@example.test"
    assert without_capitals("ẞ@example.test") == "ẞ@example.test"
