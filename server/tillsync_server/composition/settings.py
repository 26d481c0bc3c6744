"""Every setting of the server: its environment variable, unit, default and meaning. `tillsync settings` prints this list.

Values come from the environment only. An empty variable counts as not set.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from tillsync_server.adapters.outbound import AllowedHosts
from tillsync_server.application.engine.settings import EngineSettings
from tillsync_server.application.events.sender import EventSettings
from tillsync_server.application.flows.flow_services import FlowSettings
from tillsync_server.application.use_cases.admission import AdmissionSettings
from tillsync_server.composition.listen_address import ListenAddress
from tillsync_server.domain.backoff import RetryPolicy

LEASE_MARGIN_SECONDS = 5.0
"""A request that uses its whole timeout must still end before the lane's lease does."""
EVENT_LEASE_MARGIN_SECONDS = 40.0
"""Beyond one request to the shop: the other forms of its address may have to be tried first."""
SETTLE_MARGIN_SECONDS = 60.0
MIN_ADMIN_TOKEN_LENGTH = 24


class SettingsError(ValueError):
    """Settings that cannot be served with. ``problems``: one line each, naming the variable and the remedy."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


def _default_data_dir() -> Path:
    if os.geteuid() == 0:
        return Path("/var/lib/tillsync")
    base = os.environ.get("XDG_DATA_HOME")
    return (Path(base) if base else Path.home() / ".local" / "share") / "tillsync"


def _no_trailing_slash(value: str) -> str:
    if value and not value.startswith(("https://", "http://")):
        raise ValueError("must be an https:// (or http://) address")
    return value.rstrip("/")


def _known_hosts(value: str) -> str:
    AllowedHosts.parse(value)  # raises, naming the item
    return value


def _long_enough(value: SecretStr | None) -> SecretStr | None:
    if value is not None and len(value.get_secret_value()) < MIN_ADMIN_TOKEN_LENGTH:
        raise ValueError(f"must have at least {MIN_ADMIN_TOKEN_LENGTH} characters; make one with `openssl rand -hex 32`")
    return value


Listen = Annotated[ListenAddress, NoDecode, BeforeValidator(ListenAddress.parse)]
WebAddress = Annotated[str, AfterValidator(_no_trailing_slash)]
AdminToken = Annotated[SecretStr | None, AfterValidator(_long_enough)]
HostList = Annotated[str, AfterValidator(_known_hosts)]


def _setting(default: Any, variable: str, meaning: str, *, unit: str = "", shown: str = "", **limits: Any) -> Any:
    """``shown``: how a default that is computed reads in the list."""
    return Field(
        default=default, validation_alias=variable, description=meaning, json_schema_extra={"unit": unit, "shown": shown}, **limits
    )


class ServiceSettings(BaseSettings):
    """The service's settings, checked as a whole. Build it by :func:`load_settings`, which words what is wrong."""

    model_config = SettingsConfigDict(
        extra="ignore", frozen=True, env_ignore_empty=True, case_sensitive=True, arbitrary_types_allowed=True, hide_input_in_errors=True
    )

    # where the data is
    database_url: SecretStr | None = _setting(
        None,
        "DATABASE_URL",
        "PostgreSQL 15 to 18, postgresql://user:password@host/database; may name several hosts with target_session_attrs=read-write. "
        "Direct connections or session pooling only. Without it the embedded PostgreSQL serves.",
        shown="the embedded PostgreSQL",
    )
    db_schema: str = _setting(
        "tillsync",
        "TILLSYNC_DB_SCHEMA",
        "The one schema everything lives in. One deployment is one cell: another schema is another, separate one.",
        pattern=r"^[a-z_][a-z0-9_]{0,39}$",
    )
    db_pool_size: int = _setting(
        10, "TILLSYNC_DB_POOL_SIZE", "Most database connections of this process (two more LISTEN and watch).", ge=2, le=200
    )
    data_dir: Path = _setting(
        _default_data_dir(),
        "TILLSYNC_DATA_DIR",
        "Directory of the embedded PostgreSQL, of the secret key made for it, and of the first admin token.",
        shown="/var/lib/tillsync as root, else ~/.local/share/tillsync",
    )

    # who can reach it
    grpc_listen: Listen = _setting(ListenAddress("127.0.0.1", 50051), "TILLSYNC_GRPC_LISTEN", "Where gRPC listens, host:port.")
    http_listen: Listen = _setting(
        ListenAddress("127.0.0.1", 8080), "TILLSYNC_HTTP_LISTEN", "Where HTTP listens (Connect JSON, webhooks, probes, metrics), host:port."
    )
    tls_cert_file: Path | None = _setting(
        None, "TILLSYNC_TLS_CERT_FILE", "PEM certificate chain; with it gRPC and HTTP speak TLS only.", shown="no TLS"
    )
    tls_key_file: Path | None = _setting(None, "TILLSYNC_TLS_KEY_FILE", "PEM private key of the certificate.", shown="no TLS")
    allow_plaintext: bool = _setting(
        False,
        "TILLSYNC_ALLOW_PLAINTEXT",
        "Listen beyond loopback without TLS. Danger: tokens travel readable. For a proxy that ends TLS in front of it.",
    )
    public_url: WebAddress = _setting(
        "", "TILLSYNC_PUBLIC_URL", "The HTTP side as shops reach it; goes into connect strings.", shown="none: no connect strings"
    )
    admin_token: AdminToken = _setting(
        None,
        "TILLSYNC_ADMIN_TOKEN",
        "The admin token (24 characters or more). A changed one replaces the one given before.",
        shown="made once, in the file admin-token (0600) of the data directory",
    )
    public_reflection: bool = _setting(
        False, "TILLSYNC_PUBLIC_REFLECTION", "Answer gRPC reflection without a token. The contract is public; the data is not touched."
    )

    # secrets and the way out
    secret_key: SecretStr | None = _setting(
        None,
        "TILLSYNC_SECRET_KEY",
        "Encrypts till and shop credentials at rest. A comma list: the first encrypts, all decrypt. Losing it loses the credentials. "
        "Required with DATABASE_URL.",
        shown="made once, in the file secret-key (0600) of the data directory (embedded PostgreSQL only)",
    )
    allowed_hosts: HostList = _setting(
        "",
        "TILLSYNC_ALLOWED_HOSTS",
        "Hosts, host:port pairs and CIDRs, comma separated, that tills and shops may have although their address is private. "
        "Loopback is allowed as well while the service listens on loopback only and TILLSYNC_PUBLIC_URL is not set or loopback too; to "
        "a separate `tillsync worker`, which cannot know where the service listens, only if it is named here.",
        shown="none",
    )

    # the engine
    lease_seconds: float = _setting(
        30.0,
        "TILLSYNC_LEASE_SECONDS",
        "How long a killed worker's lanes rest. At least the greater upstream timeout + 5.",
        unit="s",
        ge=6,
        le=600,
    )
    max_attempts: int = _setting(8, "TILLSYNC_MAX_ATTEMPTS", "Charged attempts of an entry before it is FAILED.", ge=1, le=50)
    retry_base_seconds: float = _setting(
        30.0,
        "TILLSYNC_RETRY_BASE_SECONDS",
        "First delay between attempts; each next is four times longer, at most 12 h.",
        unit="s",
        gt=0,
        le=3600,
    )
    till_timeout_seconds: float = _setting(
        15.0, "TILLSYNC_TILL_TIMEOUT_SECONDS", "Total time of one request to Epos Now.", unit="s", gt=0, le=120
    )
    till_share: float = _setting(
        0.5,
        "TILLSYNC_TILL_SHARE",
        "Part of a till's requests a minute that the service takes: the limit is one number for all apps of the company. 1 where no other "
        "app asks the till.",
        gt=0,
        le=1,
    )
    shop_timeout_seconds: float = _setting(
        20.0, "TILLSYNC_SHOP_TIMEOUT_SECONDS", "Total time of one request to a shop.", unit="s", gt=0, le=120
    )
    settle_seconds: float | None = _setting(
        None,
        "TILLSYNC_SETTLE_SECONDS",
        "How long after an unanswered create the till may still store it; no other create of that email before. At least lease + till "
        "timeout; lower than the default risks twins.",
        unit="s",
        shown="lease + till timeout + 60",
        gt=0,
        le=86400,
    )
    lane_slots: int = _setting(
        2048, "TILLSYNC_LANE_SLOTS", "Accounts this process works on at once; a quarter is kept for live work.", ge=2, le=10_000
    )
    entry_slots: int = _setting(
        4096, "TILLSYNC_ENTRY_SLOTS", "Entries that run at once in this process; each account has at least one.", ge=16, le=100_000
    )
    probe_slots: int = _setting(
        32, "TILLSYNC_PROBE_SLOTS", "Tills and shops with a problem that this process tries again at once.", ge=1, le=1000
    )
    poll_seconds: float = _setting(
        1.0,
        "TILLSYNC_POLL_SECONDS",
        "The floor under every notification. Sales, order events and requeued work have a floor of five times this, at most 15 s.",
        unit="s",
        gt=0,
        le=60,
    )

    # caps
    max_waiting_entries: int = _setting(
        200_000,
        "TILLSYNC_MAX_WAITING_ENTRIES",
        "Waiting entries of one account before its calls get RESOURCE_EXHAUSTED. 0: no cap; then one account can fill the disk.",
        ge=0,
    )
    entries_per_second: float = _setting(
        5_000.0,
        "TILLSYNC_ENTRIES_PER_SECOND",
        "Entries one account may hand to this process, on average; a batch counts as its entries. 0: no cap.",
        unit="1/s",
        ge=0,
    )
    burst_entries: float = _setting(
        100_000.0, "TILLSYNC_BURST_ENTRIES", "Entries one account may hand over at once after a quiet time.", ge=1
    )
    drain_seconds: float = _setting(
        10.0, "TILLSYNC_DRAIN_SECONDS", "Grace for calls and entries under way when the service stops.", unit="s", ge=0, le=300
    )

    # logs
    log_level: Literal["debug", "info", "warning", "error"] = _setting("info", "TILLSYNC_LOG_LEVEL", "debug, info, warning or error.")
    log_format: Literal["json", "console"] = _setting("json", "TILLSYNC_LOG_FORMAT", "json (one object a line) or console (for people).")

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if (self.tls_cert_file is None) != (self.tls_key_file is None):
            raise ValueError("TILLSYNC_TLS_CERT_FILE and TILLSYNC_TLS_KEY_FILE: give both or none")
        return self

    @property
    def is_embedded(self) -> bool:
        return self.database_url is None

    @property
    def has_tls(self) -> bool:
        return self.tls_cert_file is not None

    @property
    def listens_on_loopback_only(self) -> bool:
        return self.grpc_listen.is_loopback and self.http_listen.is_loopback

    @property
    def effective_settle_seconds(self) -> float:
        if self.settle_seconds is not None:
            return self.settle_seconds
        return self.lease_seconds + self.till_timeout_seconds + SETTLE_MARGIN_SECONDS

    def problems(self, *, serves: bool = True, works: bool = True) -> list[str]:
        """What keeps ``serve`` (``serves``) or a worker (``works``) from starting; one line each."""
        found = []
        slowest = max(self.till_timeout_seconds, self.shop_timeout_seconds)
        if works and self.lease_seconds < slowest + LEASE_MARGIN_SECONDS:
            found.append(
                f"TILLSYNC_LEASE_SECONDS is {self.lease_seconds:g}: with upstream timeouts of {self.till_timeout_seconds:g} s (till) and "
                f"{self.shop_timeout_seconds:g} s (shop) it must be at least {slowest + LEASE_MARGIN_SECONDS:g}, or the timeouts lower"
            )
        shortest_settle = self.lease_seconds + self.till_timeout_seconds
        if works and self.effective_settle_seconds < shortest_settle:
            found.append(
                f"TILLSYNC_SETTLE_SECONDS is {self.effective_settle_seconds:g}: with a lease of {self.lease_seconds:g} s and a till "
                f"timeout of {self.till_timeout_seconds:g} s it must be at least {shortest_settle:g}, or a create still under way is "
                "sent again"
            )
        if not self.is_embedded and self.secret_key is None:
            found.append(
                "TILLSYNC_SECRET_KEY is required with DATABASE_URL (the key must survive this host): make one with "
                "`openssl rand -base64 32`, keep it safe, give the same one to every process"
            )
        if serves and not self.has_tls and not self.allow_plaintext and not self.listens_on_loopback_only:
            found.append(
                "TILLSYNC_GRPC_LISTEN or TILLSYNC_HTTP_LISTEN reaches beyond loopback without TLS: set TILLSYNC_TLS_CERT_FILE and "
                "TILLSYNC_TLS_KEY_FILE, or TILLSYNC_ALLOW_PLAINTEXT=true behind a proxy that ends TLS"
            )
        if serves:
            found += [
                f"{variable}: {path} cannot be read"
                for variable, path in (("TILLSYNC_TLS_CERT_FILE", self.tls_cert_file), ("TILLSYNC_TLS_KEY_FILE", self.tls_key_file))
                if path is not None and not os.access(path, os.R_OK)
            ]
        return found

    def engine(self) -> EngineSettings:
        return EngineSettings(
            lease_seconds=self.lease_seconds,
            lane_slots=self.lane_slots,
            live_reserved_slots=max(self.lane_slots // 4, 1),
            entry_slots=self.entry_slots,
            probe_slots=self.probe_slots,
            poll_floor_seconds=self.poll_seconds,
            stop_grace_seconds=self.drain_seconds,
            retry=RetryPolicy(max_attempts=self.max_attempts, base_seconds=self.retry_base_seconds),
        )

    @property
    def side_work_seconds(self) -> float:  # bounds the delay after a hint that is lost, or that the release before does not send
        return min(5 * self.poll_seconds, 15.0)

    def events(self) -> EventSettings:
        return EventSettings(poll_seconds=self.side_work_seconds, lease_seconds=self.shop_timeout_seconds + EVENT_LEASE_MARGIN_SECONDS)

    def flows(self) -> FlowSettings:
        return FlowSettings(settle_seconds=self.effective_settle_seconds)

    def admission(self) -> AdmissionSettings:
        return AdmissionSettings(
            max_waiting_entries=self.max_waiting_entries,
            entries_per_second=self.entries_per_second,
            burst_entries=self.burst_entries,
        )

    def hosts(self, *, serves: bool) -> AllowedHosts:
        """Loopback may be asked only where nobody but this host can make us ask: not behind a proxy that others reach, and not by a
        process that does not serve, whose listen addresses say nothing of those of the one that does."""
        public_host = urlsplit(self.public_url).hostname or "127.0.0.1"
        is_private = serves and self.listens_on_loopback_only and ListenAddress(public_host, 0).is_loopback
        return AllowedHosts.parse(self.allowed_hosts, allow_loopback=is_private)


@dataclass(frozen=True, slots=True)
class SettingLine:
    """One line of `tillsync settings`. ``value``: the present one, secrets hidden; ``is_set``: whether the environment gives it."""

    variable: str
    value: str
    default: str
    unit: str
    meaning: str
    is_set: bool


class _GivenSettings(ServiceSettings):
    """From a mapping instead of the process's environment."""

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], init_settings: PydanticBaseSettingsSource, *_: Any, **__: Any
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)


def load_settings(environment: Mapping[str, str] | None = None) -> ServiceSettings:
    """From ``environment`` (default: the process's). Raises SettingsError with every problem of a single variable."""
    try:
        if environment is None:
            return ServiceSettings()
        given: dict[str, Any] = {variable: environment[variable] for variable in variables() if environment.get(variable)}
        return _GivenSettings(**given)
    except ValidationError as error:
        raise SettingsError([_wording(detail["loc"], detail["msg"]) for detail in error.errors(include_input=False)]) from None


def variables() -> list[str]:
    return [_variable(info) for info in ServiceSettings.model_fields.values()]


def setting_lines(settings: ServiceSettings, environment: Mapping[str, str] | None = None) -> list[SettingLine]:
    source = os.environ if environment is None else environment
    lines = []
    for name, info in ServiceSettings.model_fields.items():
        extra = info.json_schema_extra
        assert isinstance(extra, dict)
        default = str(extra["shown"]) or _text(info.default)
        value, variable = getattr(settings, name), _variable(info)
        lines.append(
            SettingLine(
                variable=variable,
                value=default if value is None or value == "" else _text(value),
                default=default,
                unit=str(extra["unit"]),
                meaning=info.description or "",
                is_set=bool(source.get(variable)),
            )
        )
    return lines


def _variable(info: FieldInfo) -> str:
    assert isinstance(info.validation_alias, str)
    return info.validation_alias


def _text(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case float():
            return f"{value:g}"
        case SecretStr():
            return "(set)"
        case _:
            return str(value)


def _wording(location: tuple[int | str, ...], message: str) -> str:
    text = message.removeprefix("Value error, ")
    return text if not location or text.startswith(str(location[0])) else f"{location[0]}: {text}"
