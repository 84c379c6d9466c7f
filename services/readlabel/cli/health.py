"""`readlabel health`: whether a training service serves."""

from __future__ import annotations

from typing import Annotated

import typer

from readlabel.cli._service import Insecure, Service, TlsCa, TlsClientCert, TokenFile, endpoint_of
from readlabel.client import TrainingClient, serves
from readlabel.messages import InputError, ServiceUnavailableError


def main(
    service: Service = None,
    token_file: TokenFile = None,
    tls_ca: TlsCa = None,
    tls_client_cert: TlsClientCert = None,
    insecure: Insecure = False,
    training: Annotated[
        bool, typer.Option("--training", help="Ask also, with the token, whether it would train for this caller.")
    ] = False,
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait for a service that is starting.")] = 0,
) -> None:
    """Ask a training service whether it serves: status 0 when it does, 69 when not. No token is needed.

    With --training, status 77 when it lets nobody in with this token or the token may only read, and 76 when it is of
    another version.

    \b
    Example:
      readlabel health --service gpuhost:50051 --tls-ca ca.pem
    """
    endpoint = endpoint_of(service, token_file, tls_ca, tls_client_cert, insecure)
    if endpoint is None:
        raise InputError("give the service's address: --service HOST:PORT, or READLABEL_SERVICE in the environment")
    if not serves(endpoint, wait):
        raise ServiceUnavailableError(f"the training service at {endpoint.address} is stopping: it takes no new work")
    if training:
        with TrainingClient(endpoint) as client:
            client.check_version()
            client.check_scope()
    print(f"{endpoint.address} serves")
