"""Whether a service serves, asked as anything that watches services asks it: grpc.health.v1, without a token."""

from __future__ import annotations

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from readlabel.client.connection import Endpoint, explain

_DEADLINE_SECONDS = 10
_SERVICE = "readlabel.v1.TrainingService"


def serves(endpoint: Endpoint, patience: float = 0) -> bool:
    """Ask once; a service that is not there yet is waited for.

    Args:
        endpoint: its token is not sent.
        patience: seconds to wait for a connection.

    Raises:
        InputError: the CA file cannot be read, or the address is malformed.
        ServiceUnavailableError: nobody answers there.
    """
    with endpoint.channel() as channel:
        check = health_pb2_grpc.HealthStub(channel).Check
        request = health_pb2.HealthCheckRequest(service=_SERVICE)
        try:
            answer = check(request, timeout=patience or _DEADLINE_SECONDS, wait_for_ready=patience > 0)
        except grpc.RpcError as error:
            raise explain(error, endpoint) from error
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)
