"""The commands ``tillsync serve``, ``worker``, ``migrate``, ``status``, ``doctor``, ``reencrypt``, ``settings`` and ``sandbox``.

They run on this machine and belong to the package ``tillsync-server``. Exit codes: 0 for success and for a stop by a signal, 1 for a failed
start or a failed command, 2 for wrong settings or a wrong command line.
"""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from tillsync_cli.output import console, print_json
from tillsync_cli.session import REFUSED, USAGE, JsonOption, fail, show_progress

from tillsync_server.cli.running import read_settings, run_here, server_packages, wait_for_signal

if TYPE_CHECKING:
    from tillsync_server.adapters.postgres.maintenance.db_health import QueueSample
    from tillsync_server.composition.doctor import DatabaseReport
    from tillsync_server.composition.service import Service
    from tillsync_server.composition.settings import ServiceSettings


def serve(
    no_worker: Annotated[
        bool, typer.Option("--no-worker", help="Only serve requests. `tillsync worker` processes run the entries.")
    ] = False,
) -> None:
    """Run the service: gRPC, HTTP and the worker in one process.

    Without DATABASE_URL an embedded PostgreSQL keeps the data in TILLSYNC_DATA_DIR. `tillsync settings` lists every setting.
    """
    settings = read_settings()
    run_here(lambda: _serve(settings, serves=True, works=not no_worker))


def worker() -> None:
    """Run only entries, beside `tillsync serve` processes on the same DATABASE_URL. Any number of workers may run, on any host."""
    settings = read_settings()
    if settings.is_embedded:
        raise fail(
            "a worker shares the database of the service: set DATABASE_URL (the embedded PostgreSQL belongs to one process)", code=USAGE
        )
    run_here(lambda: _serve(settings, serves=False, works=True))


def migrate() -> None:
    """Migrate the database to this release's schema. `tillsync serve` migrates the embedded database itself."""
    settings = read_settings()

    async def work() -> list[str]:
        from tillsync_server.composition.storage import migrate_database

        return await migrate_database(settings, progress=show_progress)

    applied = run_here(work)
    console.print(f"applied: {', '.join(applied)}" if applied else "nothing to do: the schema is up to date")


def status(json: JsonOption = False) -> None:
    """Show the state of the queues, and the transaction of another program that makes PostgreSQL keep dead rows."""
    settings = read_settings()

    async def work() -> QueueSample:
        from tillsync_server.composition.maintenance import database_status

        return await database_status(settings)

    sample = run_here(work)
    if json:
        print_json(asdict(sample))
        return
    from tillsync_server.domain.foreign_transactions import HIDDEN

    foreign = sample.oldest_foreign
    console.print(f"entries: about {sample.live_entries} wait or are held", soft_wrap=True)
    console.print(
        f"accounts: {sample.lanes}, of which {sample.leased} are worked on, {sample.ready} are ready "
        f"(the longest for {sample.oldest_ready_seconds:.0f} s), {sample.with_problem} have a problem",
        soft_wrap=True,
    )
    description = "none" if foreign is None else foreign.described()
    console.print(f"oldest foreign transaction: {description}", soft_wrap=True, markup=False)
    if foreign is not None and foreign.is_old:
        console.print(f"warning: {foreign.remedy()}", soft_wrap=True, markup=False, style="yellow")
    if not sample.sees_all_sessions:
        console.print(f"warning: {HIDDEN}", soft_wrap=True, style="yellow")


def doctor() -> None:
    """Examine the database with the settings of the service, and name what an operator must set. It exits with 1 if the service would not
    start.

    On a cluster of Citus it says on which node the cell lies.
    """
    settings = read_settings()

    async def work() -> DatabaseReport:
        from tillsync_server.composition.doctor import examine_database

        return await examine_database(settings)

    report = run_here(work)
    lines = [f"server: {report.server}"]
    if report.node is not None:
        lines.append(f"cell: the schema {settings.db_schema} lies on {report.node}")
    lines += [f"problem: {each}" for each in report.problems]
    lines += [f"advice: {each}" for each in report.advice]
    if not report.problems:
        lines.append("the service can start on this database")
    for line in lines:
        console.print(line, soft_wrap=True, markup=False, highlight=False)
    if report.problems:
        raise typer.Exit(REFUSED)


def reencrypt() -> None:
    """Re-encrypt stored credentials with the first key of TILLSYNC_SECRET_KEY. The old keys can then be removed from the list.

    With an embedded database, stop `tillsync serve` first.
    """
    settings = read_settings()

    async def work() -> int:
        from tillsync_server.composition.maintenance import reencrypt_credentials

        return await reencrypt_credentials(settings)

    console.print(f"accounts rewritten: {run_here(work)}")


def show_settings(json: JsonOption = False) -> None:
    """Show every setting with its variable, present value, default and meaning."""
    settings = read_settings()
    with server_packages():
        from tillsync_server.composition.settings import setting_lines
    lines = setting_lines(settings)
    if json:
        print_json(
            {
                line.variable: {
                    "value": line.value,
                    "default": line.default,
                    "unit": line.unit,
                    "meaning": line.meaning,
                    "set": line.is_set,
                }
                for line in lines
            }
        )
        return
    table = Table(show_lines=True, pad_edge=False)
    table.add_column("variable", no_wrap=True)  # unbroken, so that it can be copied
    table.add_column("value", overflow="fold", ratio=2)
    table.add_column("meaning", overflow="fold", ratio=3)
    for line in lines:
        unit = f" {line.unit}" if line.unit and not line.value.endswith(line.unit) else ""
        default = "" if line.value == line.default else f"\n(default {line.default}{unit})"
        table.add_row(line.variable, f"{line.value}{unit}{default}", line.meaning, style="bold" if line.is_set else "")
    console.print(table)
    for problem in settings.problems():
        console.print(f"problem: {problem}", style="red")


def sandbox(
    till: Annotated[str, typer.Option(help="Address of the Epos Now emulator; port 0 selects a free port.")] = "127.0.0.1:8091",
    shop: Annotated[str, typer.Option(help="Address of the shop emulator; port 0 selects a free port.")] = "127.0.0.1:8092",
    till_customers: Annotated[int, typer.Option(min=0, help="Made-up till customers.")] = 60,
    shop_customers: Annotated[
        int, typer.Option(min=0, help="Made-up shop customers: first those of the till, then people that the till does not know.")
    ] = 40,
    twins: Annotated[int, typer.Option(min=0, help="Shop customers that the till has twice.")] = 2,
    seed: Annotated[int, typer.Option(help="Seed of the made-up people. The same seed makes the same people.")] = 0,
) -> None:
    """Run an Epos Now emulator and a small shop emulator on loopback, filled with made-up people, until Ctrl-C."""

    async def work() -> None:
        from tillsync_sandbox.runner import SeedOptions, run_sandbox

        options = SeedOptions(till_customers=till_customers, shop_customers=shop_customers, twins=twins, seed=seed)
        try:
            async with run_sandbox(till, shop, options) as running:
                for line in running.lines:
                    console.print(line, soft_wrap=True)
                await wait_for_signal()
        except ValueError as error:
            raise fail(str(error), code=USAGE) from error
        except OSError as error:
            raise fail(f"cannot listen: {error.strerror or error}") from error

    run_here(work)


async def _serve(settings: ServiceSettings, *, serves: bool, works: bool) -> None:
    from tillsync_server.composition.gc_tuning import tune_gc
    from tillsync_server.composition.open_files import raise_open_files
    from tillsync_server.composition.service import Service, run_until_signalled

    raise_open_files()
    service = Service(settings, serves=serves, works=works)
    tune_gc()
    await run_until_signalled(service, _print_started)


def _print_started(service: Service) -> None:
    settings = service.settings
    scheme = "https" if settings.has_tls else "http"
    if service.grpc_port:
        console.print(f"gRPC  {settings.grpc_listen.host}:{service.grpc_port}{' (TLS)' if settings.has_tls else ''}", soft_wrap=True)
    if service.http_port:
        console.print(f"HTTP  {scheme}://{settings.http_listen.host}:{service.http_port}", soft_wrap=True)
    operations = settings.operations_listen
    console.print(
        f"operations  {'http' if operations.is_loopback else scheme}://{operations.host}:{service.operations_port}", soft_wrap=True
    )
    if service.admin_token_file is not None:
        console.print(f"admin token: in {service.admin_token_file} (use it as --token @{service.admin_token_file})", soft_wrap=True)
    sys.stdout.flush()
