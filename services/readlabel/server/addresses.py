"""Where the service listens, and whether it may: a Unix socket by its folder's mode, TCP by token and TLS."""

from __future__ import annotations

import ipaddress
import os
import socket
import stat
from contextlib import suppress
from pathlib import Path

import grpc

from readlabel.messages import AddressInUseError, InputError
from readlabel.server.certificates import Certificates
from readlabel.server.config import ServerConfig

MAX_SOCKET_PATH = 107


def check_address(config: ServerConfig) -> list[str]:
    """Whether the service may be offered there as it is configured, and its metrics' address is one.

    Returns:
        Warnings, for what `insecure` allows.

    Raises:
        InputError: not without `insecure`, or an address is none.
        AddressInUseError: somebody listens there already; found out before anything is written.
    """
    if config.metrics_listen is not None:
        split_address(config.metrics_listen)
    if config.socket is not None:
        return _check_socket(config.socket, config.insecure)
    host, port = split_address(config.listen or "")
    wants = []
    if config.token_file is None:
        wants.append("a token (--token-file), because every user of this machine reaches its ports")
    if config.tls is None and not is_loopback(host):
        wants.append("TLS (--tls-cert and --tls-key), because the network is not trusted")
    if wants and not config.insecure:
        raise InputError(f"listening on {config.listen} needs {' and '.join(wants)}; --insecure goes without")
    _probe(host, port)
    return [f"INSECURE: {config.listen} lacks {want}" for want in wants]


def bind(server: grpc.aio.Server, config: ServerConfig, certificates: Certificates | None) -> str:
    """Listen.

    Returns:
        The address as a client writes it, with the port that was chosen for port 0.

    Raises:
        AddressInUseError: the port is taken, or not to be had.
    """
    if config.socket is not None:
        target = f"unix:{config.socket}"
    else:
        host, port = split_address(config.listen or "")
        target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        if certificates is None:
            bound = server.add_insecure_port(target)
        else:
            bound = server.add_secure_port(target, certificates.credentials)
    except RuntimeError:
        bound = 0
    if bound == 0:
        raise _taken(str(config.socket or config.listen))
    if config.socket is not None:
        config.socket.chmod(0o600)
        return target
    host, _ = split_address(config.listen or "")
    return f"[{host}]:{bound}" if ":" in host else f"{host}:{bound}"


def split_address(address: str) -> tuple[str, int]:
    """Take ``host:port`` or ``[v6]:port`` apart.

    Raises:
        InputError: it is neither.
    """
    host, colon, port = address.rpartition(":")
    host = host.removeprefix("[").removesuffix("]") if host.startswith("[") else host
    if not colon or not host or not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise InputError(f"address {address!r}: HOST:PORT is expected, such as 127.0.0.1:50051 or [::1]:50051")
    return host, int(port)


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches the host."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _probe(host: str, port: int) -> None:
    """Listen for a moment. gRPC itself says no only when the service's stores are open."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            probe.listen()
    except OSError as error:
        raise _taken(f"{host}:{port}") from error


def _taken(where: str) -> AddressInUseError:
    return AddressInUseError(
        f"{where}: cannot listen there: the address is in use, or not of this host, or not allowed; "
        "another readlabel serve may be running (choose another port with --listen HOST:PORT)"
    )


def _check_socket(path: Path, insecure: bool) -> list[str]:
    if len(os.fsencode(path)) > MAX_SOCKET_PATH:
        raise InputError(f"{path}: the path of a Unix socket has at most {MAX_SOCKET_PATH} bytes; choose a shorter one")
    try:
        folder = path.parent.stat()
    except OSError as error:
        raise InputError(f"{path}: the socket's folder cannot be used: {error.strerror}") from error
    if path.exists():
        with socket.socket(socket.AF_UNIX) as probe, suppress(OSError):
            probe.connect(str(path))
            raise AddressInUseError(f"{path}: another service listens on this socket")
    if folder.st_uid != os.getuid() or stat.S_IMODE(folder.st_mode) & 0o077:
        problem = f"{path.parent} is open to other users: its mode must be 0700 and it must be yours"
        if not insecure:
            raise InputError(f"{problem}; --insecure goes without")
        return [f"INSECURE: {problem}"]
    return []
