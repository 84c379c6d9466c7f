"""Where a service is, how it is reached, and what a broken call means to a user."""

from __future__ import annotations

import ipaddress
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import grpc

from readlabel.messages import (
    InputError,
    Problem,
    ReadlabelError,
    RunStateError,
    ServiceError,
    ServiceMismatchError,
    ServiceRefusedError,
    ServiceUnavailableError,
)
from readlabel.wire import TOKEN_CHARACTERS, is_sendable, parse_status

DEADLINES: Mapping[str, float] = MappingProxyType(
    {
        "GetServerInfo": 10,
        "CreateTrainingRun": 30,
        "GetTrainingRun": 10,
        "ListTrainingRuns": 30,
        "CancelTrainingRun": 10,
        "ResumeTrainingRun": 10,
        "DeleteTrainingRun": 30,
        "FindMissingBlobs": 30,
        "GetWriteStatus": 10,
    }
)
"""Seconds that each unary call may take, as the .proto files document them."""

WATCH_SILENCE_SECONDS = 45
BLOB_SILENCE_SECONDS = 60
_OF_STATE = frozenset({"RUN_ENDED", "RUN_NOT_ENDED", "NOT_RESUMABLE"})
_OPTIONS = (
    # A service that was just started, or comes back, is found at once and not after a long back-off.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 500),
    ("grpc.max_reconnect_backoff_ms", 5000),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.max_receive_message_length", 64 << 20),
    ("grpc.max_metadata_size", 32 << 10),
)


@dataclass(frozen=True)
class Endpoint:
    """A service's address and what it takes to be let in.

    TLS is used for every address beyond this machine, and on it when `tls_ca` or `tls_client_cert` is given.

    Attributes:
        address: ``host:port``, ``[v6]:port`` or ``unix:/path``.
        token_file: its first token is sent with each call.
        tls_ca: certificate authorities to trust instead of the system's (PEM).
        insecure: no TLS even beyond this machine.
        tls_client_cert: this caller's certificate chain and private key in one PEM file.
    """

    address: str
    token_file: Path | None = None
    tls_ca: Path | None = None
    insecure: bool = False
    tls_client_cert: Path | None = None

    @property
    def tls(self) -> bool:
        """Whether calls are encrypted."""
        told = self.tls_ca is not None or self.tls_client_cert is not None
        return told or not (self.insecure or self.address.startswith("unix:") or self.loopback)

    @property
    def loopback(self) -> bool:
        """Whether the address is this machine's own."""
        host = self.address.rpartition(":")[0].strip("[]")
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return host == "localhost"

    def channel(self) -> grpc.Channel:
        """Open a channel.

        Raises:
            InputError: a PEM file cannot be read, or the address is malformed.
        """
        host, _, port = self.address.rpartition(":")
        sound = host and "/" not in host and port.isascii() and port.isdigit() and 0 < int(port) < 1 << 16
        if not sound and not self.address.startswith("unix:"):
            raise InputError(f"service address {self.address!r}: HOST:PORT is expected, or unix:/path/of/socket")
        if not self.tls:
            return grpc.insecure_channel(self.address, options=_OPTIONS)
        try:
            roots = self.tls_ca.read_bytes() if self.tls_ca else None
            own = self.tls_client_cert.read_bytes() if self.tls_client_cert else None
        except OSError as error:
            raise InputError(f"{error.filename}: the TLS file cannot be read: {error.strerror}") from error
        return grpc.secure_channel(self.address, grpc.ssl_channel_credentials(roots, own, own), options=_OPTIONS)

    def metadata(self) -> tuple[tuple[str, str], ...]:
        """What is sent with each call.

        Raises:
            InputError: the token file cannot be read or is empty.
        """
        if self.token_file is None:
            return ()
        try:
            lines = [line.strip() for line in self.token_file.read_text(encoding="utf-8-sig").splitlines()]
        except OSError as error:
            raise InputError(f"{self.token_file}: the token file cannot be read: {error.strerror or error}") from error
        except UnicodeDecodeError as error:
            raise InputError(f"{self.token_file}: the token file cannot be read: it is no text") from error
        line = next((line for line in lines if line and not line.startswith("#")), None)
        if line is None:
            raise InputError(f"{self.token_file}: the token file is empty")
        token = line.split()[0]
        if not is_sendable(token):  # gRPC would refuse it with a traceback that shows it
            raise InputError(f"{self.token_file}: the token holds a character that cannot be sent; {TOKEN_CHARACTERS}")
        return (("authorization", f"Bearer {token}"),)

    def options(self) -> str:
        """The words of a command line that lead here again."""
        given = {
            "--service": self.address,
            "--token-file": self.token_file,
            "--tls-ca": self.tls_ca,
            "--tls-client-cert": self.tls_client_cert,
        }
        words = [word for name, value in given.items() if value is not None for word in (name, str(value))]
        return shlex.join([*words, *(["--insecure"] if self.insecure else [])])

    def tried(self) -> str:
        """What was tried, for an error's text."""
        how = "with TLS" if self.tls else "without TLS"
        if self.tls_ca is not None:
            how += f" (trusting {self.tls_ca})"
        token = "no token" if self.token_file is None else f"the token of {self.token_file}"
        return f"{self.address}, {how}, {token}"


def explain(call: grpc.RpcError, endpoint: Endpoint) -> ReadlabelError:
    """What a user should be told of a broken call."""
    code = call.code() if isinstance(call, grpc.Call) else grpc.StatusCode.UNKNOWN
    status = parse_status(call)
    if status.reason == "ENGINE_MISMATCH":
        return ServiceMismatchError(f"the service at {endpoint.address} has another engine: {status.message}")
    if code is grpc.StatusCode.UNIMPLEMENTED:
        return ServiceMismatchError(
            f"what answers at {endpoint.address} is no readlabel training service of this version (it lacks a call of "
            f"readlabel.v1: {status.message})"
        )
    if code is grpc.StatusCode.UNAVAILABLE and status.reason != "SHUTTING_DOWN":
        return ServiceUnavailableError(
            f"no training service answers; tried {endpoint.tried()}. {_obstacle(status.message, endpoint)}"
        )
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return ServiceUnavailableError(f"the training service did not answer in time; tried {endpoint.tried()}")
    if status.problems:
        more = status.violations - len(status.problems)
        tail = [Problem("", f"and {more} more")] if more > 0 else []
        return InputError([*status.problems, *tail])
    if code in (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED):
        return ServiceRefusedError(
            f"the service at {endpoint.address} lets nobody in like this: {status.message or code.name}; tried "
            f"{endpoint.tried()}",
            status.reason or code.name,
        )
    if status.reason in _OF_STATE:
        return RunStateError(status.message, status.reason)
    return ServiceError(
        f"the service at {endpoint.address} refused: {status.message or code.name}", status.reason or code.name
    )


def _obstacle(message: str, endpoint: Endpoint) -> str:
    """What stands in the way of a connection and what to do about it, as far as gRPC's words tell it; else these."""
    if "WRONG_VERSION_NUMBER" in message:
        without = "leave --tls-ca out" if endpoint.loopback else "give --insecure and no --tls-ca"
        return f"It speaks no TLS: {without}, or start it with --tls-cert and --tls-key"
    if "CERTIFICATE_VERIFY_FAILED" in message and endpoint.tls_ca is None:
        return "No CA that this system trusts signed its certificate, or it has expired: give the CA with --tls-ca"
    if "CERTIFICATE_VERIFY_FAILED" in message:
        return f"Its certificate has expired, or another CA than {endpoint.tls_ca} signed it: give that with --tls-ca"
    if "is not in peer certificate" in message:
        return "Its certificate is for another name: call it by one that the certificate holds"
    if "Socket closed" in message and endpoint.tls:
        return "It closed the connection: it may demand a certificate of its callers (--tls-client-cert)"
    if "Socket closed" in message:
        return "It closed the connection: does it speak TLS? Then give --tls-ca, and no --insecure"
    if "Connection refused" in message:
        return "Nothing listens there: is it running, and is the port right?"
    if "DNS resolution failed" in message:
        return "No host of this name is known"
    return message or "There is no connection"
