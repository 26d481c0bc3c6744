"""``tillsync bridge``: releases of the WordPress plugin, and its versions in the shops."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import typer
from tillsync.v1 import bridge_service_pb2
from tillsync_client import TillsyncClient

from tillsync_cli.output import console, counted, print_json, table, when
from tillsync_cli.session import DEFAULT_ADDRESS, REFUSED, AddressOption, JsonOption, TokenOption, talk

app = typer.Typer(no_args_is_help=True, help="Releases of the WordPress plugin (the bridge), and its versions in the shops.")
OutdatedOption = Annotated[bool, typer.Option("--outdated", help="Only bridges that are outside the promise of support.")]


@app.command()
def releases(address: AddressOption = DEFAULT_ADDRESS, token: TokenOption = "", json: JsonOption = False) -> None:
    """List the releases that shops are offered, and each file that is not used. Exit code 1 if a file is wrong."""
    answer = talk(address, token, lambda client: client.bridges.list_releases())
    if json:
        print_json(answer)
    elif not answer.has_directory:
        console.print("TILLSYNC_BRIDGE_RELEASES_DIR is not set: no shop is offered an update")
    else:
        shown = table("Version", "Published", "Offered to", "Signature")
        for release in answer.releases:
            checked = "checked" if release.is_signature_checked else "checked by the shops only"
            shown.add_row(release.version, when(release.published_time), _ring(release), checked)
        console.print(shown if answer.releases else "the folder has no usable release")
        for problem in answer.problems:
            console.print(f"not used: {problem.file} {problem.text}", soft_wrap=True)
    if answer.problems:
        raise typer.Exit(REFUSED)


def _ring(release: bridge_service_pb2.BridgeRelease) -> str:
    if release.percent >= 100:
        return "all accounts"
    parts = [counted(len(release.account_ids), "named account", "named accounts")] if release.account_ids else []
    parts += [f"{release.percent} % of all accounts"] if release.percent else []
    return ", ".join(parts) or "no account"


@app.command()
def versions(
    outdated: OutdatedOption = False, address: AddressOption = DEFAULT_ADDRESS, token: TokenOption = "", json: JsonOption = False
) -> None:
    """List the accounts by the version of their bridge, oldest version first."""

    async def work(client: TillsyncClient) -> list[bridge_service_pb2.AccountBridge]:
        found = [bridge async for bridge in client.bridges.list_versions(page_size=500)]
        return [bridge for bridge in found if bridge.is_outdated or not outdated]

    bridges = sorted(talk(address, token, work), key=lambda bridge: (_order(bridge.version), bridge.account_id))
    if json:
        print_json(bridges)
        return
    shown = table("Version", "Account", "Last seen", "Offered", "")
    for bridge in bridges:
        old = "outdated: a newer release is 12 months old" if bridge.is_outdated else ""
        shown.add_row(bridge.version, bridge.account_id, when(bridge.seen_time), bridge.offered_version or "-", old)
    nothing = "no bridge is outdated" if outdated else "no bridge has called this release of the service yet"
    console.print(shown if bridges else nothing)
    if bridges:
        console.print(_summary(bridges))


def _summary(bridges: Iterable[bridge_service_pb2.AccountBridge]) -> str:
    counts: dict[str, int] = {}
    for bridge in bridges:
        counts[bridge.version] = counts.get(bridge.version, 0) + 1
    return ", ".join(f"{version}: {counted(count, 'account', 'accounts')}" for version, count in counts.items())


def _order(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())
