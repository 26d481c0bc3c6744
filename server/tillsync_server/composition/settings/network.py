"""Settings of the listeners, and of the hosts that the service may reach."""

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
    grpc_listen: Listen = setting(ListenAddress("127.0.0.1", 50051), "TILLSYNC_GRPC_LISTEN", "Address on which gRPC listens, host:port.")
    http_listen: Listen = setting(
        ListenAddress("127.0.0.1", 8080),
        "TILLSYNC_HTTP_LISTEN",
        "Address on which HTTP listens (Connect JSON, webhooks, probes), host:port.",
    )
    operations_listen: Listen = setting(
        ListenAddress("127.0.0.1", 8081),
        "TILLSYNC_OPERATIONS_LISTEN",
        "Address on which the process listens for its operators (probes, metrics), host:port; `tillsync worker` listens there too. Plain "
        "text on loopback; beyond it TLS with the certificate. Keep it away from shops and from the internet.",
    )
    tls_cert_file: Path | None = setting(
        None,
        "TILLSYNC_TLS_CERT_FILE",
        "PEM certificate chain. With it gRPC and HTTP speak TLS only. A changed file is served within 11 s, without a restart.",
        shown="no TLS",
    )
    tls_key_file: Path | None = setting(None, "TILLSYNC_TLS_KEY_FILE", "PEM private key of the certificate.", shown="no TLS")
    allow_plaintext: bool = setting(
        False,
        "TILLSYNC_ALLOW_PLAINTEXT",
        "Listen beyond loopback without TLS. Danger: tokens travel readable. Meant for a proxy that ends TLS in front of the service.",
    )
    public_url: WebAddress = setting(
        "",
        "TILLSYNC_PUBLIC_URL",
        "Address at which shops reach the HTTP side. It goes into connect strings.",
        shown="none: no connect strings",
    )
    bridge_releases_dir: Path | None = setting(
        None,
        "TILLSYNC_BRIDGE_RELEASES_DIR",
        "Folder with signed releases of the WordPress plugin and rings.toml, from which shops update it. Each process reads its own.",
        shown="none: no updates",
    )
    admin_token: AdminToken = setting(
        None,
        "TILLSYNC_ADMIN_TOKEN",
        "The admin token (24 characters or more). A changed token replaces the one that was set before.",
        shown="made once, in the file admin-token (0600) of the data directory",
    )
    public_reflection: bool = setting(
        False, "TILLSYNC_PUBLIC_REFLECTION", "Answer gRPC reflection without a token. It shows the public contract, and no data."
    )
    allowed_hosts: HostList = setting(
        "",
        "TILLSYNC_ALLOWED_HOSTS",
        "Private addresses that tills and shops may have: hosts, host:port pairs and CIDRs, comma separated. Loopback is allowed too while "
        "the service listens on loopback only and TILLSYNC_PUBLIC_URL is not set or is loopback. A separate `tillsync worker` cannot know "
        "where the service listens, so it reaches loopback only if it is named here.",
        shown="none",
    )

    drain_delay: float = setting(
        0.0,
        "TILLSYNC_DRAIN_DELAY",
        "Time after SIGTERM in which both ports still serve while health says NOT_SERVING and /readyz 503, so that load balancers send "
        "nothing more when the ports close. 0 without a load balancer. A second signal ends it.",
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
        """Returns the hosts that the process may reach. Loopback is among them only if callers on this host alone can cause such requests.
        That is not so behind a proxy that other hosts reach. A process that does not serve cannot tell, because its listen settings may not
        be those of the serving one."""
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
        """Returns the problems of the operations listener, which a worker has too."""
        if self.has_tls or self.allow_plaintext or self.operations_listen.is_loopback:
            return []
        return [
            "TILLSYNC_OPERATIONS_LISTEN reaches beyond loopback without TLS: set TILLSYNC_TLS_CERT_FILE and TILLSYNC_TLS_KEY_FILE, or "
            "TILLSYNC_ALLOW_PLAINTEXT=true on a network that only operators reach"
        ]
