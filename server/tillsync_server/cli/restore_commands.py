"""The command ``tillsync after-restore``. Exit codes as in ``commands``, and 1 if a shop could not be asked."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer
from tillsync_cli.output import console, parse_time, table
from tillsync_cli.session import REFUSED, USAGE, fail, show_progress

from tillsync_server.cli.running import read_settings, run_here

if TYPE_CHECKING:
    from tillsync_server.application.use_cases.after_restore import AccountReport
    from tillsync_server.composition.after_restore import RestoreReport
    from tillsync_server.domain.tokens import Token

_BY_HAND = """By hand:
- Persons who were erased since the backup are in the database again. Repeat `tillsync privacy erase`.
- Tokens that were revoked since are valid again: see the list above. `tillsync after-restore --revoke-token ID` revokes one.
- Systems that send orders without the plugin must ask again for their orders since the backup.
- In shops that could not be asked, press "Match the orders of the last days" when the service runs."""


def after_restore(
    since: Annotated[
        str | None,
        typer.Option(help="Time of the backup, such as 2026-11-25T02:00Z. After `tillsync restore` it is known.", show_default=False),
    ] = None,
    account: Annotated[
        list[str] | None, typer.Option(help="Only this account, also if it is completed. Repeatable.", show_default=False)
    ] = None,
    revoke_token: Annotated[list[str] | None, typer.Option(help="Revoke the token with this id. Repeatable.", show_default=False)] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Ask the shops and show the result, but change nothing.")] = False,
    finish: Annotated[bool, typer.Option("--finish", help="Let the service start also if a shop could not be asked.")] = False,
    skip: Annotated[bool, typer.Option("--skip", help="Ask no shop and change nothing: only let the service start.")] = False,
) -> None:
    """Ask every shop what happened since the backup that the database was restored from. Run it before the service starts.

    It takes over answers of orders and links that the database lacks, lets the shops send orders without an answer again, and queues all
    linked customers to be read. It lists tokens and settings for you to check. It may be repeated, and exits with 1 if a shop could not be
    asked.
    """
    settings = read_settings()
    if skip:
        if since or account or revoke_token or dry_run or finish:
            raise fail("--skip: give no other option with it", code=USAGE)
        _skip()
        return
    try:
        moment = parse_time(since, "--since")
    except ValueError as error:
        raise fail(str(error), code=USAGE) from error
    if moment is not None and moment > datetime.now(UTC):
        raise fail("--since: is in the future; name the time of the backup", code=USAGE)

    async def work() -> RestoreReport:
        from tillsync_server.composition.after_restore import RestoreRun
        from tillsync_server.composition.after_restore import after_restore as run
        from tillsync_server.domain.ids import AccountId

        wanted = RestoreRun(
            since=moment,
            accounts=tuple(AccountId(each) for each in account or ()),
            revoked_tokens=tuple(revoke_token or ()),
            dry_run=dry_run,
            finish=finish,
        )
        return await run(settings, wanted, show_progress)

    report = run_here(work)
    _print_report(report, dry_run=dry_run)
    if not report.all_asked:
        raise typer.Exit(REFUSED)


def _skip() -> None:
    settings = read_settings()

    async def work() -> bool:
        from tillsync_server.composition.after_restore import skip_restore

        return await skip_restore(settings)

    _print("the restore is ended: the service may start" if run_here(work) else "no restore is pending: the service may start")


def _print_report(report: RestoreReport, *, dry_run: bool) -> None:
    _print(f"since {report.since.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" + (" (dry run: nothing is changed)" if dry_run else ""))
    shown = table("account", "shop", "answers kept", "asked again", "links restored", "unlinked", "customers queued", "types queued")
    for each in report.accounts:
        numbers = (each.orders.kept, each.orders.asked_again, each.links.restored, len(each.links.unlinked))
        shown.add_row(each.account_id, each.asked.value, *map(str, (*numbers, each.queued.customers, each.queued.types)))
    console.print(shown)
    for each in report.accounts:
        for line in _lines(each):
            _print(f"{each.account_id}: {line}")
    for token in report.tokens:
        _print(f"valid {_described(token)}")
    _print(_BY_HAND)
    if report.is_ended:
        _print("the restore is ended: the service may start")
    elif not dry_run and not report.all_asked:
        _print("the service does not start yet: run the command again when these shops answer, or with --finish")


def _lines(report: AccountReport) -> list[str]:
    lines = [f"not asked: {report.reason}"] if report.reason else []
    if report.has_unknown_token:
        lines.append(
            "the shop's token is not valid in the database: connect the shop again "
            f"(`tillsync token create site --account {report.account_id} --connect`)"
        )
    lines += [f"setting {each}" for each in report.other_settings]
    lines += [f"order {each}: a request to match it again is lost; repeat it in the shop" for each in report.orders.lost_requests]
    lines += [f"shop customer {each}: unlinked, because the shop's values were removed; link by hand" for each in report.links.unlinked]
    for each in report.links.conflicts:
        shown = f"shop customer {each.woo_customer_id}: the shop shows till customer {each.epos_customer_id}"
        lines.append(f"{shown}, and the database links one of the two to another customer; decide by hand")
    lines += [f"valid {_described(token)}" for token in report.tokens]
    return lines


def _described(token: Token) -> str:
    used = "never used" if token.last_used_time is None else f"last used {token.last_used_time:%Y-%m-%d %H:%M} UTC"
    name = f" {token.name!r}" if token.name else ""
    return f"{token.role.name.lower()} token {token.token_id}{name}, created {token.create_time:%Y-%m-%d %H:%M} UTC, {used}"


def _print(line: str) -> None:
    console.print(line, soft_wrap=True, markup=False, highlight=False)
