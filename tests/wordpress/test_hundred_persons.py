"""A hundred made-up persons through till, service and WordPress. Nobody sees another person's points, the till has nobody twice, and
all expected points arrive.

Each person has different points (100 for the first, 101 for the second, …), so that another person's points are detected.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from support.postgres import TestDatabase
from support.waiting import until
from tillsync.v1 import account_pb2
from tillsync_sandbox.till.switches import EmailMatch
from tillsync_server.domain.emails import addresses_in, normalise_email
from wordpress.harness.bridge import BridgedShop, bridged_shop
from wordpress.harness.shop import Shop

MATCHED, CREATED, LINKED = "OUTCOME_MATCHED_EMAIL", "OUTCOME_CUSTOMER_CREATED", "OUTCOME_MATCHED_LINK"
DUPLICATE, NOT_MATCHED = "OUTCOME_DUPLICATE_EMAIL", "OUTCOME_CUSTOMER_NOT_MATCHED"

INVISIBLE = (
    " {}",
    "{} ",
    "\t{}",
    "{}\u200b",
    "\ufeff{}",
    "{}\u00a0",
    "\u200e{}",
    "{}\u200f",
    "\u2060{}",
    "\u3000{}",
    "{}\u2009",
    "\u202a{}\u202c",
)
RESEMBLING = ("mailto:{}", "{};other@example.test", "Ada <{}>", "{}.", "<{}>")
PHONES = ("01234 567890 ext 12", "07700 900123 (mum)", "tel:+441234567890", "n/a", "\u202a07700 900123\u202c", "", "0", "ring first")
AMOUNTS = ("0.30000000000000004", "19.989999999999998", "10.000000000000002", "1.005", "5.55e-17", "-0.0")
SIGNED = ("ada+{}@example.test", "o'neil{}@example.test", "a_b{}@example.test", "x{}" + "y" * 33 + "@example.test", "b=c{}@example.test")


@dataclass(frozen=True)
class Person:
    kind: str
    number: int
    email: str
    """Email of the account in the shop."""
    till: tuple[Mapping[str, Any], ...] = ()
    """The person's first rows at the till."""
    is_confirmed: bool = True
    first: str = MATCHED
    """Outcome of the first order."""
    first_points: str | None = "own"
    """Points shown after the first order: the person's own ("own"), a number, or none."""
    points: str | None = "own"
    """Points shown at the end."""
    second: str | None = None
    """Outcome of the second order, or None without one."""

    @property
    def name(self) -> str:
        return f"{self.kind} {self.number}"

    def own(self, shown: str | None) -> str | None:
        return str(100 + self.number) if shown == "own" else shown


@dataclass
class Cast:
    persons: list[Person] = field(default_factory=list)

    def add(self, kind: str, count: int, make: Callable[[Person, int], Person]) -> None:
        for position in range(count):
            number = len(self.persons)
            plain = Person(kind, number, f"{kind}.{number}@example.test")
            self.persons.append(make(plain, position))


def at_till(person: Person, *rows: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    """Returns rows of the till. They have the person's email and points by default."""
    return tuple({"email": person.email, "points": 100 + person.number, **row} for row in rows or ({},))


def simple(person: Person, _: int) -> Person:
    return replace(person, till=at_till(person))


def in_the_book(position: int) -> str:
    return f"x{position}@b\u00fccher.example.test"


def the_cast() -> list[Person]:
    cast = Cast()
    cast.add("plain", 14, simple)
    cast.add("invisible", 12, lambda p, i: replace(p, till=at_till(p, {"email": INVISIBLE[i].format(p.email)})))
    cast.add(
        "resembling",
        5,
        lambda p, i: replace(
            p, till=at_till(p, {"email": RESEMBLING[i].format(p.email)}), first=NOT_MATCHED, first_points=None, points=None
        ),
    )
    cast.add("domain", 2, lambda p, i: replace(p, email=normalise_email(in_the_book(i)), till=at_till(p, {"email": in_the_book(i)})))
    cast.add("sign", 5, lambda p, i: simple(replace(p, email=SIGNED[i].format(p.number)), i))
    cast.add("phone", 8, lambda p, i: replace(p, till=at_till(p, {"phone": PHONES[i], "forename": "Ada <b>", "surname": "100%ab"})))
    cast.add("amount", 6, lambda p, i: replace(p, till=at_till(p, {"balance": AMOUNTS[i]})))
    cast.add("stranger", 4, lambda p, i: replace(simple(p, i), second=NOT_MATCHED, points=None))
    cast.add("neighbour", 4, lambda p, i: replace(simple(p, i), second=MATCHED, points=f"9{p.number}"))
    cast.add("restored", 4, lambda p, i: replace(simple(p, i), second=LINKED))
    cast.add("again", 6, lambda p, i: replace(simple(p, i), second=MATCHED))
    cast.add("renamed", 6, lambda p, i: replace(simple(p, i), second=LINKED))
    cast.add("claimed", 4, lambda p, i: replace(simple(p, i), is_confirmed=False, first_points=None, points=None))
    cast.add("confirmed", 4, lambda p, i: replace(simple(p, i), is_confirmed=False, first_points=None))
    cast.add("forgotten", 4, lambda p, i: replace(simple(p, i), second=CREATED, points="0"))
    cast.add("cleaned", 4, lambda p, i: replace(p, till=at_till(p, {}, {"points": 7}), first=DUPLICATE, first_points=None))
    cast.add("corrected", 2, lambda p, i: replace(p, till=at_till(p, {"email": f"mailto:{p.email}"}), first=NOT_MATCHED, first_points=None))
    cast.add("new", 6, lambda p, i: replace(p, first=CREATED, first_points="0", points="0"))
    return cast.persons


ADD_USERS = """
    $ids = array();
    foreach ( $emails as $number => $email ) {
        $id = wp_insert_user( array( 'user_login' => "person$number", 'user_email' => $email, 'user_pass' => 'x', 'role' => 'customer',
            'user_registered' => '2025-03-01 10:00:00' ) );
        if ( is_wp_error( $id ) ) { throw new RuntimeException( "$email: " . $id->get_error_message() ); }
        $ids[] = $id;
    }
    return $ids;
"""
CONFIRM = """
    $confirmations = Tillsync\\Bridge\\Plugin::services()->get( Tillsync\\Bridge\\Confirmation\\Confirmations::class );
    foreach ( $ids as $id ) { $confirmations->confirm( get_userdata( $id ), 'admin' ); }
"""
ADD_ORDERS = """
    $orders = array();
    foreach ( $ids as $id ) {
        $order = new WC_Order();
        $order->set_customer_id( $id );
        $order->set_billing_email( get_userdata( $id )->user_email );
        $order->set_billing_first_name( 'Ada' );
        $order->set_date_created( time() - $age );
        $order->save();
        $order->update_status( 'processing' );
        $orders[] = $order->get_id();
    }
    return $orders;
"""
ANSWERS = """
    return array_map( fn( $id ) => json_decode( wc_get_order( $id )->get_meta( '_tillsync_answer' ), true )['outcome'] ?? '', $orders );
"""
SHOWN = """
    $table = Tillsync\\Bridge\\Plugin::services()->get( Tillsync\\Bridge\\Customers\\CustomerTable::class );
    return array_map( fn( $id ) => null === $table->find( $id ) ? null : $table->find( $id )->points, $ids );
"""
CHANGE = """
    global $wpdb;
    require_once ABSPATH . 'wp-admin/includes/user.php';
    $people = array();
    foreach ( $changes as $number => $change ) {
        list( $id, $kind, $email ) = $change;
        $row = $wpdb->get_row( "SELECT * FROM {$wpdb->users} WHERE ID = $id", ARRAY_A );
        switch ( $kind ) {
            case 'stranger':
            case 'neighbour':
                $wpdb->query( "DELETE FROM {$wpdb->users} WHERE ID = $id" );
                $wpdb->query( "DELETE FROM {$wpdb->usermeta} WHERE user_id = $id" );
                $other = array( 'user_email' => $email, 'user_login' => "other$number", 'user_registered' => gmdate( 'Y-m-d H:i:s' ) );
                $wpdb->insert( $wpdb->users, $other + $row );
                clean_user_cache( $id );
                ( new WP_User( $id ) )->set_role( 'customer' );
                break;
            case 'restored':
                wp_delete_user( $id );
                $wpdb->insert( $wpdb->users, $row );
                clean_user_cache( $id );
                ( new WP_User( $id ) )->set_role( 'customer' );
                break;
            case 'again':
                wp_delete_user( $id );
                $again = array( 'user_login' => "again$number", 'user_email' => $row['user_email'] );
                $id    = wp_insert_user( $again + array( 'user_pass' => 'x', 'role' => 'customer' ) );
                break;
            case 'renamed':
                add_filter( 'send_email_change_email', '__return_false' );
                wp_update_user( array( 'ID' => $id, 'user_email' => "changed$number@example.test" ) );
                break;
        }
        $people[] = $id;
    }
    return $people;
"""


@dataclass
class Play:
    bridged: BridgedShop
    persons: list[Person]
    users: list[int] = field(default_factory=list)
    customers: list[list[int]] = field(default_factory=list)
    """Ids of till customers, by person."""

    @property
    def site(self) -> Shop:
        return self.bridged.site

    async def enter(self) -> None:
        self.customers = [[self.bridged.till.add_customer(**row) for row in person.till] for person in self.persons]
        self.users = await self.site.php(ADD_USERS, emails=[person.email for person in self.persons])
        await self.confirm([user for user, person in zip(self.users, self.persons, strict=True) if person.is_confirmed])

    async def confirm(self, users: list[int]) -> None:
        await self.site.php(CONFIRM, ids=users)

    def of(self, *kinds: str) -> list[int]:
        return [person.number for person in self.persons if person.kind in kinds]

    async def order(self, numbers: list[int], wanted: Mapping[str, str], *, days: int = 0) -> None:
        """Adds one order each, ``days`` ago, and waits for their outcomes."""
        orders = await self.site.php(ADD_ORDERS, ids=[self.users[number] for number in numbers], age=days * 86400)
        await self.see(wanted, lambda: self.outcomes(numbers, orders))

    async def outcomes(self, numbers: list[int], orders: list[int]) -> dict[str, str]:
        found = await self.site.php(ANSWERS, orders=orders)
        return {self.persons[number].name: outcome for number, outcome in zip(numbers, found, strict=True)}

    async def shown(self) -> dict[str, str | None]:
        found = await self.site.php(SHOWN, ids=self.users)
        return {person.name: points for person, points in zip(self.persons, found, strict=True)}

    async def see(self, wanted: Mapping[str, Any], look: Callable[[], Any]) -> None:
        """Waits until all persons are as wanted. A failure names those who are not."""
        seen: dict[str, Any] = {}

        async def as_wanted() -> bool:
            await self.bridged.drain()
            seen.update(await look())
            return seen == wanted

        await until(as_wanted, lambda: str({name: (seen.get(name), wanted[name]) for name in wanted if seen.get(name) != wanted[name]}))

    async def change(self) -> None:
        """Changes users, ids and the till between the orders."""
        changed = self.of("stranger", "neighbour", "restored", "again", "renamed")
        emails = {number: f"other.{number}@example.test" for number in changed}
        for number in self.of("neighbour"):
            self.bridged.till.add_customer(email=emails[number], points=int(f"9{number}"))
        changes = [[self.users[number], self.persons[number].kind, emails[number]] for number in changed]
        for number, user in zip(changed, await self.site.php(CHANGE, changes=changes), strict=True):
            self.users[number] = user
        await self.confirm([self.users[number] for number in self.of("stranger", "neighbour", "restored", "again", "confirmed")])
        for number in self.of("forgotten", "cleaned"):
            gone = self.customers[number].pop()
            self.bridged.till.delete_customer(gone)
            await self.bridged.service.client.sync.sync_customer(self.bridged.account_id, gone)
        for number in self.of("corrected"):
            [customer] = self.customers[number]
            self.bridged.till.change_customer(customer, email=self.persons[number].email)
            await self.bridged.service.client.sync.sync_customer(self.bridged.account_id, customer)


@pytest.mark.shops("mariadb")
async def test_no_person_of_a_hundred_is_taken_for_another(wp_site: Shop, database: TestDatabase) -> None:
    persons = the_cast()
    assert len(persons) == 100
    account = account_pb2.Account(
        customer_sync_enabled=True,
        sync_phone=True,
        trusted_accounts=account_pb2.TRUSTED_ACCOUNTS_CONFIRMED_ONLY,
        epos=account_pb2.EposSettings(requests_per_minute=100_000),
    )
    async with bridged_shop(wp_site, database.dsn, account=account) as bridged:
        bridged.till.switches.email_match = EmailMatch.CONTAINS
        play = Play(bridged, persons)
        await play.enter()
        await play.order([person.number for person in persons], {person.name: person.first for person in persons}, days=3)
        await play.see({person.name: person.own(person.first_points) for person in persons}, play.shown)
        await play.change()
        again = [person for person in persons if person.second is not None]
        await play.order([person.number for person in again], {person.name: person.second or "" for person in again})
        await play.see({person.name: person.own(person.points) for person in persons}, play.shown)
        # the till has nobody twice, in any spelling
        standing = Counter(address for row in bridged.till.store.customers.values() for address in addresses_in(row.email_address or ""))
        assert {address: count for address, count in standing.items() if count > 1 and address not in ("", "other@example.test")} == {}
        created = len(play.of("new")) + len(play.of("forgotten"))
        kept = sum(len(rows) for rows in play.customers)
        assert len(bridged.till.store.customers) == 1 + kept + len(play.of("neighbour")) + created
