"""Between proto and pydantic: messages, errors and chunks cross here, and proto types stop here.

`translate` turns any message of one kind into its twin of the other by name, `resources` holds the service's own
twins, `errors` carries readlabel's errors as google.rpc.Status, `chunks` cuts and checks bytes, `bearer` says what a
token is made of.
"""

from readlabel.wire.bearer import TOKEN_CHARACTERS, is_sendable
from readlabel.wire.chunks import MAX_CHUNK_BYTES, check_chunk, cut, make_chunk
from readlabel.wire.errors import DOMAIN, RpcError, parse_status, status_of
from readlabel.wire.resources import (
    ARTIFACT_NAME,
    MAX_TAGS,
    Artifact,
    Device,
    Heartbeat,
    Note,
    RunEvent,
    RunPage,
    ServerInfo,
    StateChange,
    TrainingRun,
    parse_run_name,
    run_name,
)
from readlabel.wire.translate import enum_name, from_proto, to_proto, unknown_fields

__all__ = [
    "ARTIFACT_NAME",
    "DOMAIN",
    "MAX_CHUNK_BYTES",
    "MAX_TAGS",
    "TOKEN_CHARACTERS",
    "Artifact",
    "Device",
    "Heartbeat",
    "Note",
    "RpcError",
    "RunEvent",
    "RunPage",
    "ServerInfo",
    "StateChange",
    "TrainingRun",
    "check_chunk",
    "cut",
    "enum_name",
    "from_proto",
    "is_sendable",
    "make_chunk",
    "parse_run_name",
    "parse_status",
    "run_name",
    "status_of",
    "to_proto",
    "unknown_fields",
]
