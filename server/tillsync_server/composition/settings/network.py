"""Who reaches the service, and whom the service reaches."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, SecretStr, model_validator
from pydantic_settings import NoDecode

from tillsync_server.adapters.http_client import AllowedHosts
from tillsync_server.composition.listen_address import ListenAddress
from tillsync_server.composition.settings.setting import EnvironmentSettings, setting

MIN_ADMIN_TOKEN_LENGTH = 24


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


class NetworkSettings(EnvironmentSettings):
    grpc_listen: Listen = setting(ListenAddress("127.0.0.1", 50051), "TILLSYNC_GRPC_LISTEN", "Where gRPC listens, host:port.")
    http_listen: Listen = setting(
        ListenAddress("127.0.0.1", 8080), "TILLSYNC_HTTP_LISTEN", "Where HTTP listens (Connect JSON, webhooks, probes), host:port."
    )
    operations_listen: Listen = setting(
        ListenAddress("127.0.0.1", 8081),
        "TILLSYNC_OPERATIONS_LISTEN",
        "Where the process listens for its operators (probes, metrics), host:port; of `tillsync worker` too. Plain text on loopback; "
        "beyond it TLS with the certificate. Keep it away from shops and from the internet.",
    )
    tls_cert_file: Path | None = setting(
        None,
        "TILLSYNC_TLS_CERT_FILE",
        "PEM certificate chain; with it gRPC and HTTP speak TLS only. A changed file is served within 11 s, without a restart.",
        shown="no TLS",
    )
    tls_key_file: Path | None = setting(None, "TILLSYNC_TLS_KEY_FILE", "PEM private key of the certificate.", shown="no TLS")
    allow_plaintext: bool = setting(
        False,
        "TILLSYNC_ALLOW_PLAINTEXT",
        "Listen beyond loopback without TLS. Danger: tokens travel readable. For a proxy that ends TLS in front of it.",
    )
    public_url: WebAddress = setting(
        "", "TILLSYNC_PUBLIC_URL", "The HTTP side as shops reach it; goes into connect strings.", shown="none: no connect strings"
    )
    admin_token: AdminToken = setting(
        None,
        "TILLSYNC_ADMIN_TOKEN",
        "The admin token (24 characters or more). A changed one replaces the one given before.",
        shown="made once, in the file admin-token (0600) of the data directory",
    )
    public_reflection: bool = setting(
        False, "TILLSYNC_PUBLIC_REFLECTION", "Answer gRPC reflection without a token. The contract is public; the data is not touched."
    )
    allowed_hosts: HostList = setting(
        "",
        "TILLSYNC_ALLOWED_HOSTS",
        "Hosts, host:port pairs and CIDRs, comma separated, that tills and shops may have although their address is private. "
        "Loopback is allowed as well while the service listens on loopback only and TILLSYNC_PUBLIC_URL is not set or loopback too; to "
        "a separate `tillsync worker`, which cannot know where the service listens, only if it is named here.",
        shown="none",
    )

    drain_delay: float = setting(
        0.0,
        "TILLSYNC_DRAIN_DELAY",
        "After SIGTERM both ports serve on for so long while health says NOT_SERVING and /readyz 503, so that load balancers send "
        "nothing more when they close. 0 without a load balancer. A second signal ends it.",
        unit="s",
        ge=0,
        le=300,
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if (self.tls_cert_file is None) != (self.tls_key_file is None):
            raise ValueError("TILLSYNC_TLS_CERT_FILE and TILLSYNC_TLS_KEY_FILE: give both or none")
        return self

    @property
    def has_tls(self) -> bool:
        return self.tls_cert_file is not None

    @property
    def listens_on_loopback_only(self) -> bool:
        return self.grpc_listen.is_loopback and self.http_listen.is_loopback

    def hosts(self, *, serves: bool) -> AllowedHosts:
        """Loopback may be asked only where nobody but this host can make us ask: not behind a proxy that others reach, and not by a
        process that does not serve, whose listen addresses say nothing of those of the one that does."""
        public_host = urlsplit(self.public_url).hostname or "127.0.0.1"
        is_private = serves and self.listens_on_loopback_only and ListenAddress(public_host, 0).is_loopback
        return AllowedHosts.parse(self.allowed_hosts, allow_loopback=is_private)

    def network_problems(self) -> list[str]:
        found = []
        if not self.has_tls and not self.allow_plaintext and not self.listens_on_loopback_only:
            found.append(
                "TILLSYNC_GRPC_LISTEN or TILLSYNC_HTTP_LISTEN reaches beyond loopback without TLS: set TILLSYNC_TLS_CERT_FILE and "
                "TILLSYNC_TLS_KEY_FILE, or TILLSYNC_ALLOW_PLAINTEXT=true behind a proxy that ends TLS"
            )
        found += self.operations_problems()
        listens = {"TILLSYNC_GRPC_LISTEN": self.grpc_listen, "TILLSYNC_HTTP_LISTEN": self.http_listen}
        found += [
            f"{variable} and TILLSYNC_OPERATIONS_LISTEN are both {listen}: give one of them another port"
            for variable, listen in listens.items()
            if listen == self.operations_listen and listen.port
        ]
        files = (("TILLSYNC_TLS_CERT_FILE", self.tls_cert_file), ("TILLSYNC_TLS_KEY_FILE", self.tls_key_file))
        found += [f"{variable}: {path} cannot be read" for variable, path in files if path is not None and not os.access(path, os.R_OK)]
        return found

    def operations_problems(self) -> list[str]:
        """Of a worker as well."""
        if self.has_tls or self.allow_plaintext or self.operations_listen.is_loopback:
            return []
        return [
            "TILLSYNC_OPERATIONS_LISTEN reaches beyond loopback without TLS: set TILLSYNC_TLS_CERT_FILE and TILLSYNC_TLS_KEY_FILE, or "
            "TILLSYNC_ALLOW_PLAINTEXT=true on a network that only operators reach"
        ]
