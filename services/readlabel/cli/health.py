"""`readlabel health`: whether a training service serves."""

from __future__ import annotations

from typing import Annotated

import typer

from readlabel.cli._service import Insecure, Service, TlsCa, TlsClientCert, endpoint_of
from readlabel.client import serves
from readlabel.messages import InputError, ServiceUnavailableError


def main(
    service: Service = None,
    tls_ca: TlsCa = None,
    tls_client_cert: TlsClientCert = None,
    insecure: Insecure = False,
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait for a service that is starting.")] = 0,
) -> None:
    """Ask a training service whether it serves: status 0 when it does, 69 when not. No token is needed.

    \b
    Example:
      readlabel health --service gpuhost:50051 --tls-ca ca.pem
    """
    endpoint = endpoint_of(service, None, tls_ca, tls_client_cert, insecure)
    if endpoint is None:
        raise InputError("give the service's address: --service HOST:PORT, or READLABEL_SERVICE in the environment")
    if not serves(endpoint, wait):
        raise ServiceUnavailableError(f"the training service at {endpoint.address} is stopping: it takes no new work")
    print(f"{endpoint.address} serves")
