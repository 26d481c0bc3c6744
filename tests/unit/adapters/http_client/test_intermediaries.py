"""Pages that answer in place of a till or a shop. Each raises one error class with a remedy, for one entry or the whole side."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal

import pytest
import pytest_asyncio
from fakes.permit import FakePermit
from support.shop_client import ShopWorld, write
from support.till_client import TillWorld, till_world
from tillsync_sandbox import SandboxShop, SandboxTill
from tillsync_sandbox.pages import Page
from tillsync_server.domain.customer import TillCustomerType
from tillsync_server.domain.enums import Side
from tillsync_server.domain.errors import (
    Blocked,
    CredentialsRefused,
    Misaddressed,
    Refused,
    ServerFailure,
    Throttled,
    Unreadable,
    UpstreamError,
)
from tillsync_server.domain.ids import EposCustomerId, EposCustomerTypeId
from tillsync_server.ports.shop import ShopClient, WriteStatus
from tillsync_server.ports.till import TillClient

GOLD = TillCustomerType(epos_customer_type_id=EposCustomerTypeId(4002), name="Gold", discount=Decimal("12.50"), description="Gold card")

BOT_CHECK = r"a bot check stands before the shop \({}; HTTP {}.*except /wp-json/ from it, or allow this service's address"
FIREWALL = r"a firewall before the shop refuses the request \({}; HTTP {}.*allow this service's requests to /wp-json/ in {}"
REFUSED = r"a firewall before the shop refuses the request \(HTTP {}.*have its host allow this service's requests"
HOST = r"the host answers in place of the shop \({}HTTP {}.*ask the host why it has switched the site off"
LOGIN = "except /wp-json/ from the plugin or the password that asks for a login"

BEFORE_THE_SHOP: dict[Page, tuple[type[UpstreamError], str]] = {
    Page.SITEGROUND_202: (Blocked, BOT_CHECK.format("SiteGround", 202)),
    Page.CLOUDFLARE_CHALLENGE_403: (Blocked, BOT_CHECK.format("Cloudflare", 403)),
    Page.CLOUDFLARE_CHALLENGE_503: (Blocked, BOT_CHECK.format("Cloudflare", 503)),
    Page.CLOUDFLARE_BLOCK_403: (Blocked, FIREWALL.format("Cloudflare", 403, "Cloudflare")),
    Page.CLOUDFLARE_1020_403: (Blocked, FIREWALL.format("Cloudflare", 403, "Cloudflare")),
    Page.CLOUDFLARE_521: (ServerFailure, r"Cloudflare does not reach the shop's server \(HTTP 521.*ask the shop's host"),
    Page.CLOUDFLARE_524: (ServerFailure, r"Cloudflare does not reach the shop's server \(HTTP 524"),
    Page.IMUNIFY_200: (Blocked, BOT_CHECK.format("Imunify360", "200: Access denied")),
    Page.IMUNIFY_403: (Blocked, BOT_CHECK.format("Imunify360", "403: Access denied")),
    Page.IMUNIFY_PAGE_200: (Blocked, r"a bot check stands before the shop \(HTTP 200"),
    Page.ACCESS_DENIED_200: (Blocked, REFUSED.format("200: access denied")),
    Page.ERROR_ONLY_200: (Blocked, REFUSED.format("200: access denied")),
    Page.SUCURI_403: (Blocked, FIREWALL.format("Sucuri", 403, "Sucuri")),
    Page.WORDFENCE_403: (Blocked, FIREWALL.format("Wordfence", 403, "Wordfence")),
    Page.WORDFENCE_503: (Blocked, FIREWALL.format("Wordfence", 503, "Wordfence")),
    Page.MOD_SECURITY_406: (Blocked, FIREWALL.format("ModSecurity", 406, "ModSecurity")),
    Page.IMPERVA_200: (Blocked, BOT_CHECK.format("Imperva", 200)),
    Page.MAINTENANCE_503: (ServerFailure, "maintenance or overloaded.*wait until it is done"),
    Page.SUSPENDED_200: (Blocked, HOST.format("", 200)),
    Page.LOGIN_FORM_200: (Blocked, f"a login page answers in place of the shop.*{LOGIN}"),
    Page.LOGIN_REDIRECT_302: (Blocked, f"HTTP 302, a redirect to /wp-login.*{LOGIN}"),
    Page.AZURE_STOPPED_403: (Blocked, HOST.format("Azure; ", 403)),
    Page.AZURE_DISABLED_403: (Blocked, HOST.format("Azure; ", 403)),
    Page.IIS_UNAUTHORIZED_401: (Blocked, HOST.format("IIS; ", 401)),
    Page.IIS_DIRECTORY_403: (Blocked, HOST.format("IIS; ", 403)),
    Page.IIS_GATEWAY_502: (ServerFailure, "site failed before its REST API could answer.*HTTP 502"),
    Page.PLAIN_PAGE_403: (Blocked, REFUSED.format(403)),
    Page.PLAIN_TEXT_400: (Blocked, REFUSED.format(400)),
}

API = r"answers instead of Epos Now's API \(HTTP {}.*not about the API key"
BEFORE_THE_TILL: dict[Page, tuple[type[UpstreamError], str]] = {
    Page.SITEGROUND_202: (Blocked, r"a bot check \(SiteGround\) " + API.format(202)),
    Page.CLOUDFLARE_CHALLENGE_403: (Blocked, r"a bot check \(Cloudflare\) " + API.format(403)),
    Page.CLOUDFLARE_CHALLENGE_503: (Blocked, r"a bot check \(Cloudflare\) " + API.format(503)),
    Page.CLOUDFLARE_BLOCK_403: (Blocked, r"a firewall \(Cloudflare\) " + API.format(403)),
    Page.CLOUDFLARE_1020_403: (Blocked, r"a firewall \(Cloudflare\) " + API.format(403)),
    Page.CLOUDFLARE_521: (ServerFailure, r"a proxy answers instead of Epos Now's API \(Cloudflare\): HTTP 521"),
    Page.CLOUDFLARE_524: (ServerFailure, r"a proxy answers instead of Epos Now's API \(Cloudflare\): HTTP 524"),
    Page.IMUNIFY_200: (Blocked, r"a bot check \(Imunify360\) " + API.format(200)),
    Page.IMUNIFY_403: (Blocked, r"a bot check \(Imunify360\) " + API.format(403)),
    Page.IMUNIFY_PAGE_200: (Blocked, r"a bot check " + API.format(200)),
    Page.ACCESS_DENIED_200: (Blocked, r"a refusal without data " + API.format("200: access denied")),
    Page.ERROR_ONLY_200: (Blocked, r"a refusal without data " + API.format("200: access denied")),
    Page.SUCURI_403: (Blocked, r"a firewall \(Sucuri\) " + API.format(403)),
    Page.WORDFENCE_403: (Blocked, r"a firewall \(Wordfence\) " + API.format(403)),
    Page.WORDFENCE_503: (Blocked, r"a firewall \(Wordfence\) " + API.format(503)),
    Page.MOD_SECURITY_406: (Blocked, r"a firewall \(ModSecurity\) " + API.format(406)),
    Page.IMPERVA_200: (Blocked, r"a bot check \(Imperva\) " + API.format(200)),
    Page.MAINTENANCE_503: (ServerFailure, "a maintenance page answers instead of Epos Now's API: HTTP 503"),
    Page.SUSPENDED_200: (Blocked, r"a page of its host " + API.format(200)),
    Page.LOGIN_FORM_200: (Blocked, r"a login page " + API.format(200)),
    Page.LOGIN_REDIRECT_302: (Misaddressed, r"redirects \(HTTP 302\)"),
    Page.AZURE_STOPPED_403: (Blocked, r"a page of its host \(Azure\) " + API.format(403)),
    Page.AZURE_DISABLED_403: (Blocked, r"a page of its host \(Azure\) " + API.format(403)),
    Page.IIS_UNAUTHORIZED_401: (Blocked, r"a page of its host \(IIS\) " + API.format(401)),
    Page.IIS_DIRECTORY_403: (Blocked, r"a page of its host \(IIS\) " + API.format(403)),
    Page.IIS_GATEWAY_502: (ServerFailure, r"a page of its host answers instead of Epos Now's API \(IIS\): HTTP 502"),
    Page.PLAIN_PAGE_403: (Blocked, r"a web page " + API.format(403)),
    Page.PLAIN_TEXT_400: (Refused, "Epos Now refused: HTTP 400: Bad Request"),
}


@pytest.fixture(params=["bridge", "keys"])
def client(request: pytest.FixtureRequest, world: ShopWorld, shop: SandboxShop) -> ShopClient:
    return world.with_bridge(shop) if request.param == "bridge" else world.with_keys(shop)


def test_every_page_has_an_expectation_on_both_sides() -> None:
    assert set(BEFORE_THE_SHOP) == set(BEFORE_THE_TILL) == set(Page)


# the shop


@pytest.mark.parametrize("page", list(Page))
async def test_page_before_the_shop_has_an_error_class_and_a_remedy(shop: SandboxShop, client: ShopClient, page: Page) -> None:
    error, text = BEFORE_THE_SHOP[page]
    script = shop.faults.script(path="*", times=None, **page.fault)
    for ask in (lambda: client.write_customers([write(1), write(2)], FakePermit()), client.probe, client.check_access):
        with pytest.raises(error, match=text) as caught:
            await ask()
        assert type(caught.value) is error
        assert caught.value.side is Side.SHOP
        assert len(caught.value.text) <= 500
        assert "<" not in caught.value.text
    script.cancel()
    assert [each.status for each in await client.write_customers([write(1)], FakePermit())] == [WriteStatus.UPDATED]


@pytest.mark.parametrize("page", [page for page in Page if BEFORE_THE_SHOP[page][0] is Blocked])
async def test_blocked_empty_write_blocks_the_whole_shop(shop: SandboxShop, client: ShopClient, page: Page) -> None:
    shop.faults.script(path="*", times=None, **page.fault)
    before = shop.log.total
    with pytest.raises(Blocked) as caught:
        await client.write_customers([write(1), write(2)], FakePermit())
    assert caught.value.is_of_whole_side
    # the write and the empty write; after a redirect the other REST addresses are tried too
    assert shop.log.total - before == 2 or page is Page.LOGIN_REDIRECT_302


@pytest.mark.parametrize("page", [page for page in Page if BEFORE_THE_SHOP[page][0] is Blocked])
async def test_page_for_one_content_fails_only_that_write(shop: SandboxShop, client: ShopClient, page: Page) -> None:
    """The error is Refused if the write had no effect, and Unreadable, which is retried, if it may have had one."""
    shop.faults.script(contains="union select", times=None, **page.fault)
    with pytest.raises((Refused, Unreadable), match="refuses the content of this request, others pass") as caught:
        await client.write_customers([write(1, last_name="union select")], FakePermit())
    assert isinstance(caught.value, Refused) is (300 <= page.fault["status"] < 500)
    assert not caught.value.is_of_whole_side
    assert [each.status for each in await client.write_customers([write(2)], FakePermit())] == [WriteStatus.UPDATED]


async def test_plain_text_400_for_one_type_fails_only_that_type(shop: SandboxShop, world: ShopWorld) -> None:
    shop.faults.script(path="*/customer-types/4002", times=None, **Page.PLAIN_TEXT_400.fault)
    bridge = world.with_bridge(shop)
    with pytest.raises(Refused, match="refuses the content of this request, others pass"):
        await bridge.put_customer_type(GOLD, 10, FakePermit())
    assert [each.status for each in await bridge.write_customers([write(1)], FakePermit())] == [WriteStatus.UPDATED]


async def test_page_404_for_one_customer_fails_only_that_customer(shop: SandboxShop, world: ShopWorld) -> None:
    """Only single writes have a customer id in their address."""
    shop.switches.update({"key_owner": "shop_manager"})
    keys = world.with_keys(shop)
    shop.faults.script(path="*/customers/2", times=None, status=404, body="<html><title>Not found</title></html>", content_type="text/html")
    results = await keys.write_customers([write(1), write(2), write(3)], FakePermit())
    assert [each.status for each in results] == [WriteStatus.UPDATED, WriteStatus.ERROR, WriteStatus.UPDATED]
    assert isinstance(results[1].error, Unreadable)
    assert "does not serve this customer, others it does" in results[1].error.text


NOISE = "<b>Notice</b>: Undefined index in <b>/srv/wp-content/plugins/loyal/loyal.php</b> on line 42<br />\n" * 900
"""More than is looked through for the data behind it."""


async def test_notices_around_every_answer_fail_the_whole_side(shop: SandboxShop, client: ShopClient) -> None:
    script = shop.faults.script(path="*", times=None, printed_before=NOISE)
    with pytest.raises(Unreadable) as caught:
        await client.write_customers([write(1), write(2)], FakePermit())
    assert caught.value.is_of_whole_side
    with pytest.raises(Unreadable):
        await client.probe()
    script.cancel()
    (result,) = await client.write_customers([write(1)], FakePermit())
    assert result.status in (WriteStatus.UPDATED, WriteStatus.UNCHANGED)  # the first write was stored, but its answer was unreadable


async def test_notices_around_one_answer_fail_only_that_entry(shop: SandboxShop, client: ShopClient) -> None:
    shop.faults.script(contains="Byron-Notice", times=None, printed_before=NOISE)
    with pytest.raises(Unreadable) as caught:
        await client.write_customers([write(1, last_name="Byron-Notice")], FakePermit())
    assert not caught.value.is_of_whole_side


# the till


@pytest_asyncio.fixture
async def till() -> AsyncIterator[SandboxTill]:
    async with SandboxTill() as running:
        running.add_customer(customer_id=90001, forename="Ada", surname="Byron", email="ada@example.test")
        yield running


@pytest_asyncio.fixture
async def tills() -> AsyncIterator[TillWorld]:
    async with till_world(read_attempts=1) as made:
        yield made


def client_of(tills: TillWorld, till: SandboxTill) -> TillClient:
    return tills.client(till.origin, key=till.switches.api_key, secret=till.switches.api_secret)


@pytest.mark.parametrize("page", list(Page))
async def test_page_before_the_till_has_an_error_class_other_than_wrong_key(till: SandboxTill, tills: TillWorld, page: Page) -> None:
    error, text = BEFORE_THE_TILL[page]
    client = client_of(tills, till)
    script = till.faults.script(path="*", times=None, **page.fault)
    for ask in (lambda: client.read_customer(EposCustomerId(90001)), lambda: client.list_customers(1), client.probe):
        with pytest.raises(error, match=text) as caught:
            await ask()
        assert type(caught.value) is error
        assert caught.value.side is Side.TILL
        assert len(caught.value.text) <= 500
        assert "check API key" not in caught.value.text
    script.cancel()
    assert (await client.read_customer(EposCustomerId(90001))).forename == "Ada"


async def test_object_without_an_id_is_not_an_unreadable_row(till: SandboxTill, tills: TillWorld) -> None:
    """The whole answer is in doubt, so the till is probed."""
    till.faults.script(path="*", times=None, status=200, body='{"maintenance": true}', content_type="application/json")
    client = client_of(tills, till)
    for ask in (lambda: client.read_customer(EposCustomerId(90001)), lambda: client.read_customer_type(EposCustomerTypeId(4001))):
        with pytest.raises(Unreadable, match="is missing") as caught:
            await ask()
        assert caught.value.field is None
    with pytest.raises(Unreadable, match="not an array"):
        await client.list_customers(1)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("This feature is limited to the Basic plan", CredentialsRefused),
        ("The API is limited to the Basic plan", CredentialsRefused),
        ("Access is limited", CredentialsRefused),
        ("You have reached your maximum API limit", Throttled),
        ("API Limit Exceeded", Throttled),
        ("API calls quota exceeded! maximum admitted 500 per Hour: request limit", Throttled),
    ],
)
async def test_limited_plan_is_not_a_request_limit(till: SandboxTill, tills: TillWorld, text: str, error: type[UpstreamError]) -> None:
    till.faults.script(path="*", status=403, body=text)
    with pytest.raises(error, match=text.rstrip("!")[:20]) as caught:
        await client_of(tills, till).read_customer(EposCustomerId(90001))
    if error is CredentialsRefused:
        assert "what the API device and its plan may do" in caught.value.text
