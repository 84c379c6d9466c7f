"""The service's TLS certificate: PEM files that are read again when they change, as they do when one is renewed."""

from __future__ import annotations

import logging
import ssl
from pathlib import Path

import grpc

from readlabel.messages import InputError
from readlabel.server.config import Tls

log = logging.getLogger(__name__)


class Certificates:
    """What new connections are shown; those that stand go on with what they began with.

    Attributes:
        credentials: for the server's port. They ask this object, which must live as long as the port is open.

    Raises:
        InputError: a file cannot be read, or holds no certificate or another one's key.
    """

    def __init__(self, tls: Tls) -> None:
        self._tls = tls
        self._files = [path for path in (tls.certificate, tls.key, tls.client_ca) if path is not None]
        self._seen = self._stamps()
        self.credentials = grpc.dynamic_ssl_server_credentials(
            self._read(),
            self._renewed,  # type: ignore[arg-type]  # None is allowed, and means no change
            tls.client_ca is not None,
        )

    def _renewed(self) -> grpc.ServerCertificateConfiguration | None:
        """What the files hold when they have changed, else None; gRPC asks before each handshake."""
        stamps = self._stamps()
        if stamps == self._seen:
            return None
        try:
            renewed = self._read()
        except InputError as error:
            self._seen = stamps
            log.warning("%s; the certificate that was read before stays in use", error)
            return None
        if self._stamps() != stamps:  # they are just being written
            return None
        self._seen = stamps
        log.info("%s: the renewed certificate is in use", self._tls.certificate)
        return renewed

    def _read(self) -> grpc.ServerCertificateConfiguration:
        tls = self._tls
        try:
            pair = (tls.key.read_bytes(), tls.certificate.read_bytes())
            client_ca = tls.client_ca.read_bytes() if tls.client_ca else None
        except OSError as error:
            raise InputError(f"{error.filename}: the TLS file cannot be read: {error.strerror}") from error
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            context.load_cert_chain(tls.certificate, tls.key, password="")  # else it would ask for one
        except (OSError, ValueError) as error:
            raise InputError(
                f"{tls.certificate}, {tls.key}: are no certificate and its key, both PEM and the key without a password"
            ) from error
        try:
            if tls.client_ca is not None:
                context.load_verify_locations(tls.client_ca)
        except OSError as error:
            raise InputError(f"{tls.client_ca}: holds no certificate of a CA (PEM)") from error
        return grpc.ssl_server_certificate_configuration([pair], client_ca)

    def _stamps(self) -> list[tuple[int, int] | None]:
        return [_stamp(path) for path in self._files]


def _stamp(path: Path) -> tuple[int, int] | None:
    """What tells a file from the one that was there before, or None when there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ino
