"""``tillsync account``: one shop joined to one Epos Now account."""

from __future__ import annotations

import contextlib
import re
from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.text import Text
from tillsync.v1 import account_pb2, account_service_pb2, vocabulary_pb2
from tillsync_client import PermissionDeniedError, TillsyncClient

from tillsync_cli.choices import ApiVersion, GuestPolicy, MatchEmail, TrustedAccounts, TypeField, enum_name
from tillsync_cli.output import code_name, console, counted, entries_counted, print_json, table, when, word
from tillsync_cli.problems import problems_of
from tillsync_cli.session import DEFAULT_ADDRESS, REFUSED, AddressOption, JsonOption, TokenOption, fail, secret_value, talk

app = typer.Typer(no_args_is_help=True, help="Create, show, change and check accounts.")

AccountArgument = Annotated[str, typer.Argument(metavar="ACCOUNT", help="The account's id: a-z, 0-9 and inner hyphens.")]
_SECRET = "@FILE reads it from a file, - asks for it."


def _option(help_text: str, panel: str, metavar: str | None = None) -> Any:
    return typer.Option(help=help_text, show_default=False, rich_help_panel=panel, metavar=metavar)


def _choice(help_text: str, panel: str, choices: type[StrEnum], default: StrEnum) -> Any:
    """Lists the choices in the help text. As a metavar they are so wide that names of options are cut at 80 columns."""
    return _option(f"{help_text}: {', '.join(choices)}. Default {default}.", panel, "<word>")


Name = Annotated[str | None, _option("Display name of the account, for example the shop's name.", "Settings")]
Sync = Annotated[bool | None, typer.Option("--sync/--no-sync", help="Sync customers. Default on.", rich_help_panel="Settings")]
DefaultCustomer = Annotated[int | None, _option("Id of the till customer that guest orders go to. 0 means none.", "Settings")]
Match = Annotated[MatchEmail | None, _choice("Which email of an order is compared", "Settings", MatchEmail, MatchEmail.ACCOUNT)]
Guests = Annotated[GuestPolicy | None, _choice("What happens to guest orders", "Settings", GuestPolicy, GuestPolicy.DEFAULT_CUSTOMER)]
AutoLink = Annotated[
    bool | None,
    typer.Option("--auto-link/--no-auto-link", help="Link customers by the emails of orders. Default yes.", rich_help_panel="Settings"),
]
Names = Annotated[
    bool | None, typer.Option("--sync-names/--no-sync-names", help="Write names to the shop too. Default no.", rich_help_panel="Settings")
]
Phone = Annotated[
    bool | None,
    typer.Option("--sync-phone/--no-sync-phone", help="Write the phone to the shop too. Default no.", rich_help_panel="Settings"),
]
Trusted = Annotated[
    TrustedAccounts | None,
    _choice(
        "Shop accounts that are linked without a confirmed email. A person who registers with another person's email then sees that "
        "person's points. registered-before means the accounts that exist when this is set. Choices",
        "Settings",
        TrustedAccounts,
        TrustedAccounts.CONFIRMED_ONLY,
    ),
]
Till = Annotated[str | None, _option("Slug of the Epos Now company. Default: the account's id.", "Till")]
SharedTill = Annotated[
    bool | None,
    typer.Option("--shared-till/--no-shared-till", help="Let another account use the same till id.", rich_help_panel="Till"),
]
TillUrl = Annotated[str | None, _option("Origin of the till's API. Default: Epos Now's own.", "Till")]
TillKey = Annotated[str | None, _option(f"API key of the Epos Now API device. {_SECRET}", "Till")]
TillSecret = Annotated[str | None, _option(f"API secret of the Epos Now API device. {_SECRET}", "Till")]
CustomerApi = Annotated[ApiVersion | None, _choice("API version of customers", "Till", ApiVersion, ApiVersion.V2)]
TypeApi = Annotated[ApiVersion | None, _choice("API version of customer types", "Till", ApiVersion, ApiVersion.V2)]
V4TypeField = Annotated[TypeField | None, _choice("Field of a V4 customer that names its type", "Till", TypeField, TypeField.AUTO)]
PerMinute = Annotated[int | None, _option("Requests a minute that the till accepts from all apps together. Default 300.", "Till")]
WebhookKey = Annotated[str | None, _option(f"User of the till's webhooks. {_SECRET}", "Till")]
WebhookSecret = Annotated[str | None, _option(f"Password of the till's webhooks. {_SECRET}", "Till")]
ShopUrl = Annotated[str | None, _option("Home address of the shop.", "Shop")]
ShopKey = Annotated[str | None, _option(f"WooCommerce consumer key. {_SECRET}", "Shop")]
ShopSecret = Annotated[str | None, _option(f"WooCommerce consumer secret. {_SECRET}", "Shop")]
BridgeSecret = Annotated[str | None, _option(f"Shared secret of the bridge plugin. {_SECRET}", "Shop")]


@app.command()
def create(
    account: AccountArgument,
    name: Name = None,
    sync: Sync = None,
    default_customer: DefaultCustomer = None,
    match_email: Match = None,
    guest_policy: Guests = None,
    auto_link: AutoLink = None,
    sync_names: Names = None,
    sync_phone: Phone = None,
    trusted_accounts: Trusted = None,
    till_id: Till = None,
    shared_till: SharedTill = None,
    till_url: TillUrl = None,
    till_key: TillKey = None,
    till_secret: TillSecret = None,
    customer_api: CustomerApi = None,
    type_api: TypeApi = None,
    v4_type_field: V4TypeField = None,
    requests_per_minute: PerMinute = None,
    webhook_key: WebhookKey = None,
    webhook_secret: WebhookSecret = None,
    shop_url: ShopUrl = None,
    shop_key: ShopKey = None,
    shop_secret: ShopSecret = None,
    bridge_secret: BridgeSecret = None,
    address: AddressOption = DEFAULT_ADDRESS,
    token: TokenOption = "",
    json: JsonOption = False,
) -> None:
    """Create an account. The command calls neither till nor shop; `account check` tests both."""
    given, _ = _settings(locals())
    made = talk(address, token, lambda client: client.accounts.create_account(account, given), as_typed=_as_typed)
    _print_account(made, json=json)
    if trusted_accounts is None and not json:
        console.print(
            "Shop accounts are linked once their email is confirmed. To trust those that exist today: "
            f"tillsync account set {account} --trusted-accounts registered-before",
            soft_wrap=True,
        )


@app.command("set")
def set_fields(
    account: AccountArgument,
    name: Name = None,
    sync: Sync = None,
    default_customer: DefaultCustomer = None,
    match_email: Match = None,
    guest_policy: Guests = None,
    auto_link: AutoLink = None,
    sync_names: Names = None,
    sync_phone: Phone = None,
    trusted_accounts: Trusted = None,
    till_id: Till = None,
    shared_till: SharedTill = None,
    till_url: TillUrl = None,
    till_key: TillKey = None,
    till_secret: TillSecret = None,
    customer_api: CustomerApi = None,
    type_api: TypeApi = None,
    v4_type_field: V4TypeField = None,
    requests_per_minute: PerMinute = None,
    webhook_key: WebhookKey = None,
    webhook_secret: WebhookSecret = None,
    shop_url: ShopUrl = None,
    shop_key: ShopKey = None,
    shop_secret: ShopSecret = None,
    bridge_secret: BridgeSecret = None,
    address: AddressOption = DEFAULT_ADDRESS,
    token: TokenOption = "",
    json: JsonOption = False,
) -> None:
    """Change only the given settings. An empty secret removes the stored one. Prints the work that the change causes."""
    given, paths = _settings(locals())
    if not paths:
        raise fail("give at least one setting to change", code=2)

    async def work(client: TillsyncClient) -> account_service_pb2.UpdateAccountResponse:
        return await client.accounts.update_account(account, given, paths)

    changed = talk(address, token, work, as_typed=_as_typed)
    if json:
        print_json(changed)
        return
    _print_account(changed.account, json=False)
    effect = changed.effect
    console.print(
        f"enqueued: {counted(effect.queued_customer_count, 'customer', 'customers')}, "
        f"{counted(effect.queued_customer_type_count, 'customer type', 'customer types')}, "
        f"{entries_counted(effect.requeued_entry_count)} requeued"
    )
    for note in effect.notes:
        console.print(note)


@app.command("list")
def list_accounts(address: AddressOption = DEFAULT_ADDRESS, token: TokenOption = "", json: JsonOption = False) -> None:
    """List all accounts."""

    async def work(client: TillsyncClient) -> list[account_pb2.Account]:
        return [account async for account in client.accounts.list_accounts()]

    accounts = talk(address, token, work)
    if json:
        print_json(accounts)
        return
    shown = table("Account", "Name", "Sync", "Till", "Shop", "Problem or warning", title="Accounts")
    for account in accounts:
        shown.add_row(
            account.account_id,
            account.name,
            "on" if account.customer_sync_enabled else "off",
            account.till_id,
            account.shop.base_url or "-",
            "\n".join(_problem_lines(account)),
        )
    console.print(shown if accounts else "no accounts: create one with tillsync account create")


@app.command()
def show(account: AccountArgument, address: AddressOption = DEFAULT_ADDRESS, token: TokenOption = "", json: JsonOption = False) -> None:
    """Show one account. Secrets are never shown, only whether they are set."""
    _print_account(talk(address, token, lambda client: client.accounts.get_account(account)), json=json)


@app.command()
def check(account: AccountArgument, address: AddressOption = DEFAULT_ADDRESS, token: TokenOption = "", json: JsonOption = False) -> None:
    """Test both sides step by step. Exit code 1 when something is wrong."""

    async def work(client: TillsyncClient) -> tuple[account_service_pb2.CheckAccountResponse, account_pb2.Account | None]:
        found = await client.accounts.check_account(account)
        with contextlib.suppress(PermissionDeniedError):  # A site's token may check the account, but may not read all settings.
            return found, await client.accounts.get_account(account)
        return found, None

    found, settings = talk(address, token, work)
    if json:
        print_json(found)
    else:
        shown = table("Side", "Step", "", "Found and what to do", title=f"Check of {account}")
        for step in found.steps:
            side = word(code_name(vocabulary_pb2.Side, step.side), "SIDE").replace("unspecified", "settings")
            shown.add_row(
                *(side, step.name, Text("ok", "green") if step.ok else Text("wrong", "bold red")),
                _with_remedy(step.text, step.remedy),
            )
        for warning in found.warnings:
            side = word(code_name(vocabulary_pb2.Side, warning.side), "SIDE").replace("unspecified", "settings")
            shown.add_row(side, warning.name, Text("warning", "yellow"), _with_remedy(warning.text, warning.remedy))
        console.print(shown)
        console.print("everything works" if found.ok else "something is wrong: see above", style="bold")
        if settings is not None:
            console.print("Epos Now's webhooks go, below the service's public address, to", *_webhook_addresses(settings), sep="\n  ")
    if not found.ok:
        raise typer.Exit(REFUSED)


def _with_remedy(text: str, remedy: str) -> str:
    """The settings of a response by their option names, because the service names them as in the contract."""
    return f"{_dotted_as_typed(text)}\n→ {_as_typed(remedy)}" if remedy else _dotted_as_typed(text)


_PLAIN = {
    "name": "name",
    "sync": "customer_sync_enabled",
    "default_customer": "default_epos_customer_id",
    "auto_link": "auto_link",
    "sync_names": "sync_names",
    "sync_phone": "sync_phone",
    "till_id": "till_id",
    "shared_till": "shared_till",
    "till_url": "epos.base_url",
    "requests_per_minute": "epos.requests_per_minute",
    "shop_url": "shop.base_url",
}
_SECRETS = {
    "till_key": "epos.api_key",
    "till_secret": "epos.api_secret",
    "webhook_key": "epos.webhook_key",
    "webhook_secret": "epos.webhook_secret",
    "shop_key": "shop.consumer_key",
    "shop_secret": "shop.consumer_secret",
    "bridge_secret": "shop.bridge_secret",
}
_CHOICES = {
    "match_email": ("match_email", "MATCH_EMAIL", account_pb2.MatchEmail),
    "trusted_accounts": ("trusted_accounts", "TRUSTED_ACCOUNTS", account_pb2.TrustedAccounts),
    "guest_policy": ("guest_policy", "GUEST_POLICY", account_pb2.GuestPolicy),
    "customer_api": ("epos.customer_api_version", "TILL_API_VERSION", account_pb2.TillApiVersion),
    "type_api": ("epos.customer_type_api_version", "TILL_API_VERSION", account_pb2.TillApiVersion),
    "v4_type_field": ("epos.v4_type_field", "TILL_TYPE_FIELD", account_pb2.TillTypeField),
}
_OPTIONS = {
    path: f"--{option.replace('_', '-')}"
    for option, path in (_PLAIN | _SECRETS | {option: path for option, (path, _, _) in _CHOICES.items()}).items()
}
_PATHS = re.compile(rf"\baccount\.name\b|\b(?:account\.)?({'|'.join(map(re.escape, _OPTIONS.keys() - {'name'}))})\b")


def _as_typed(text: str) -> str:
    """Replaces the contract's paths (``account.epos.base_url``, ``shared_till``) by options of this command line (``--till-url``)."""
    return _PATHS.sub(lambda found: _OPTIONS[found[1] or "name"], text).replace("UpdateAccount", "`tillsync account set`")


def _dotted_as_typed(text: str) -> str:
    """The paths that cannot be an ordinary word of the sentence."""
    return _PATHS.sub(lambda found: _OPTIONS[found[1]] if found[1] and "." in found[1] else found[0], text)


def _settings(options: dict[str, Any]) -> tuple[account_pb2.Account, list[str]]:
    """The account message of the given options, and the paths that they set."""
    values: dict[str, Any] = {path: options[option] for option, path in _PLAIN.items() if options[option] is not None}
    for option, path in _SECRETS.items():
        if options[option] is not None:
            values[path] = secret_value(options[option], f"--{option.replace('_', '-')}")
    for option, (path, prefix, kind) in _CHOICES.items():
        if options[option] is not None:
            values[path] = kind.Value(enum_name(prefix, options[option]))
    account = account_pb2.Account()
    for path, value in values.items():
        target, _, field = path.rpartition(".")
        setattr(getattr(account, target) if target else account, field, value)
    return account, list(values)


def _print_account(account: account_pb2.Account, *, json: bool) -> None:
    if json:
        print_json(account)
        return
    epos, shop = account.epos, account.shop
    shown = table("Setting", "Value", title=f"Account {account.account_id}")
    for setting, value in (
        ("name", account.name),
        ("customer sync", _on(account.customer_sync_enabled)),
        ("default till customer", str(account.default_epos_customer_id or "-")),
        ("matched email", word(code_name(account_pb2.MatchEmail, account.match_email), "MATCH_EMAIL")),
        ("guest orders", word(code_name(account_pb2.GuestPolicy, account.guest_policy), "GUEST_POLICY")),
        ("automatic links", _on(account.auto_link)),
        ("sync of names", _on(account.sync_names)),
        ("sync of phone", _on(account.sync_phone)),
        ("trusted shop accounts", _trusted(account)),
        ("till", f"{account.till_id}{' (shared)' if account.shared_till else ''} at {epos.base_url}"),
        ("till credentials", _set(epos.has_api_key and epos.has_api_secret)),
        ("till requests a minute", str(epos.requests_per_minute)),
        ("webhook credentials", _set(epos.has_webhook_key and epos.has_webhook_secret)),
        ("webhook addresses", "\n".join(_webhook_addresses(account))),
        ("shop", shop.base_url or "-"),
        ("shop credentials", "bridge" if shop.has_bridge_secret else _set(shop.has_consumer_key and shop.has_consumer_secret)),
        ("changed", when(account.update_time)),
        ("problem", "\n".join(problem.text for problem in problems_of(account)) or "none"),
        *(("warning", _with_remedy(warning.text, warning.remedy)) for warning in account.warnings),
    ):
        shown.add_row(setting, value)
    console.print(shown)


def _webhook_addresses(account: account_pb2.Account) -> tuple[str, str]:
    """The two webhook addresses at the service's public address. Each serves all accounts of the till."""
    return (
        f"/webhooks/eposnow/till/{account.till_id} (of the till: credentials of any of its accounts)",
        f"/webhooks/eposnow/{account.account_id} (of this account: its own credentials)",
    )


def _problem_lines(account: account_pb2.Account) -> list[str]:
    return [*(problem.text for problem in problems_of(account)), *(warning.text for warning in account.warnings)]


def _trusted(account: account_pb2.Account) -> str:
    setting = word(code_name(account_pb2.TrustedAccounts, account.trusted_accounts), "TRUSTED_ACCOUNTS")
    return f"{setting} {when(account.trusted_before_time)}" if account.HasField("trusted_before_time") else setting


def _on(value: bool) -> str:
    return "on" if value else "off"


def _set(value: bool) -> str:
    return "set" if value else "not set"
