"""The people of both sides when the story begins. All are made up, and their addresses are under example.test."""

from __future__ import annotations

from dataclasses import dataclass

from tillsync_sandbox import SandboxShop, SandboxTill

LONG_EMAIL = "a.very.long.address.that.no.till.can.store.whole@mail.example.test"


@dataclass(frozen=True, slots=True)
class SampleData:
    """Ids of customers: ``…_till`` at the till, ``…_shop`` in the shop."""

    walk_in: int
    """The default till customer of guest orders."""
    ada_till: int
    ada_shop: int
    grace_till: int
    """At the till only."""
    mary_till: int
    mary_shop: int
    hedy_till: int
    """At the till. Her first web order comes in the story."""
    hedy_shop: int
    joan_shop: int
    """In the shop only."""
    alan_tills: tuple[int, int]
    """Two till customers with the same email."""
    alan_shop: int
    long_shop: int


def fill_the_sandbox(till: SandboxTill, shop: SandboxShop) -> SampleData:
    return SampleData(
        walk_in=till.add_customer(forename="Web shop", surname="Sales", email=None),
        ada_till=till.add_customer(forename="Ada", surname="Byron", email="ada@example.test", points=120, balance="3.50"),
        ada_shop=shop.add_customer(email="ada@example.test", first_name="Ada", last_name="Byron"),
        grace_till=till.add_customer(forename="Grace", surname="Murray", email="grace@example.test", points=15),
        mary_till=till.add_customer(forename="Mary", surname="Fairfax", email="mary@example.test", points=40),
        mary_shop=shop.add_customer(email="mary@example.test", first_name="Mary", last_name="Fairfax"),
        hedy_till=till.add_customer(forename="Hedy", surname="Kiesler", email="Hedy@Example.test", points=77),
        hedy_shop=shop.add_customer(email="hedy@example.test", first_name="Hedy", last_name="Kiesler"),
        joan_shop=shop.add_customer(email="joan@example.test", first_name="Joan", last_name="Elisabeth"),
        alan_tills=(
            till.add_customer(forename="Alan", surname="Mathison", email="alan@example.test", points=500, card_number="L-0001"),
            till.add_customer(forename="A.", surname="Mathison", email="alan@example.test", points=0),
        ),
        alan_shop=shop.add_customer(email="alan@example.test", first_name="Alan", last_name="Mathison"),
        long_shop=shop.add_customer(email=LONG_EMAIL, first_name="Katherine", last_name="Goble"),
    )
