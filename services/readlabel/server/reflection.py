"""Reflection, by which a client without our .proto files learns what there is to call."""

from __future__ import annotations

from collections.abc import Sequence

import grpc.aio
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from grpc_reflection.v1alpha._async import ReflectionServicer
from grpc_reflection.v1alpha.reflection import SERVICE_NAME


class _Reflection(ReflectionServicer):  # type: ignore[misc]
    """The stock one, which also finds the file of a method by its name: protobuf's own pool does not, and ghz asks."""

    def _file_containing_symbol(self, name: str) -> reflection_pb2.ServerReflectionResponse:
        answer = super()._file_containing_symbol(name)
        service, _, _ = name.rpartition(".")
        if answer.HasField("error_response") and service in self._service_names:
            return super()._file_containing_symbol(service)
        return answer


def add_reflection(services: Sequence[str], server: grpc.aio.Server) -> None:
    """Let callers ask for the descriptors of these services, and of reflection itself."""
    servicer = _Reflection((*services, SERVICE_NAME))
    reflection_pb2_grpc.add_ServerReflectionServicer_to_server(servicer, server)
