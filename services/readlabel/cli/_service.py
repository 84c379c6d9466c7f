"""The options by which every command finds its training service."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from readlabel.client import Endpoint, TrainingClient
from readlabel.messages import InputError

Service = Annotated[
    str | None, typer.Option(envvar="READLABEL_SERVICE", help="HOST:PORT or unix:/path of a training service.")
]
TokenFile = Annotated[Path | None, typer.Option(envvar="READLABEL_TOKEN_FILE", help="File with the service's token.")]
TlsCa = Annotated[
    Path | None, typer.Option(envvar="READLABEL_TLS_CA", help="CA that signed the service's certificate (PEM).")
]
TlsClientCert = Annotated[
    Path | None,
    typer.Option(
        envvar="READLABEL_TLS_CLIENT_CERT",
        help="This caller's certificate and private key (one PEM file), for a service that demands one.",
    ),
]
Insecure = Annotated[
    bool, typer.Option("--insecure", help="Call another machine without TLS: the token can be read on the way.")
]


def endpoint_of(
    service: str | None, token_file: Path | None, tls_ca: Path | None, tls_client_cert: Path | None, insecure: bool
) -> Endpoint | None:
    """The endpoint that the options name; None without an address."""
    return Endpoint(service, token_file, tls_ca, insecure, tls_client_cert) if service else None


def client_of(
    service: str | None, token_file: Path | None, tls_ca: Path | None, tls_client_cert: Path | None, insecure: bool
) -> TrainingClient:
    """A client of the service that the options name, after making sure that it is there.

    Raises:
        InputError: no address was given.
        ServiceUnavailableError: no service answers.
    """
    endpoint = endpoint_of(service, token_file, tls_ca, tls_client_cert, insecure)
    if endpoint is None:
        raise InputError("give the service's address: --service HOST:PORT, or READLABEL_SERVICE in the environment")
    client = TrainingClient(endpoint, patience=30)
    client.server_info()
    return client
