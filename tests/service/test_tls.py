"""TLS that cannot come about: every call says what stands in the way, and what to do about it."""

from __future__ import annotations

import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import empty_pb2

from readlabel.client import Endpoint, serves
from readlabel.client.connection import explain
from readlabel.messages import InputError, ServiceUnavailableError
from readlabel.v1 import blob_service_pb2, training_service_pb2

TOKEN = "a-token-of-sufficient-length"
METHODS = [
    method
    for file in (training_service_pb2.DESCRIPTOR, blob_service_pb2.DESCRIPTOR)
    for service in file.services_by_name.values()
    for method in service.methods
]


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two CAs, and NAME.crt and NAME.key, and both in NAME.pem, for several servers and callers."""
    folder = tmp_path_factory.mktemp("pki")

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    def sign(name: str, ca: str, alternative: str, days: str) -> None:
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", "csr")
        (folder / "names").write_text(f"subjectAltName={alternative}\n")
        by = ["-CA", f"{ca}.pem", "-CAkey", f"{ca}.key", "-CAcreateserial", "-extfile", "names", "-days", days]
        openssl("x509", "-req", "-in", "csr", *by, "-out", f"{name}.crt")
        both = [(folder / f"{name}.{kind}").read_text() for kind in ("crt", "key")]
        (folder / f"{name}.pem").write_text("".join(both))

    for ca in ("ca", "other"):
        new = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={ca}"]
        openssl(*new, "-keyout", f"{ca}.key", "-out", f"{ca}.pem")
    sign("here", "ca", "IP:127.0.0.1", "2")
    sign("elsewhere", "ca", "DNS:elsewhere.example", "2")
    sign("expired", "ca", "IP:127.0.0.1", "-1")
    sign("renewed", "ca", "IP:127.0.0.1", "2")
    sign("caller", "ca", "DNS:caller.example", "2")
    sign("stranger", "other", "DNS:caller.example", "2")
    return folder


@pytest.fixture
def start_with_tls(start_service: Callable[..., Any], pki: Path, tmp_path: Path) -> Callable[..., Any]:
    """Starts a service with the certificate of a name, or without, that may demand certificates of its callers."""
    token = tmp_path / "token"
    token.write_text(TOKEN + "\n")

    def start(name: str | None, demands: bool = False) -> Any:
        options: list[object] = ["--listen", "127.0.0.1:0", "--token-file", token]
        if name is not None:
            options += ["--tls-cert", pki / f"{name}.crt", "--tls-key", pki / f"{name}.key"]
        return start_service(*options, *(["--tls-client-ca", pki / "ca.pem"] if demands else []))

    return start


@pytest.mark.parametrize(
    ("server", "demands", "trusts", "shows", "message"),
    [
        ("here", False, None, None, "does it speak TLS? Then give --tls-ca"),
        (None, False, "ca", None, "It speaks no TLS: leave --tls-ca out"),
        ("here", False, "other", None, "other.pem signed it: give that with --tls-ca"),
        ("expired", False, "ca", None, "Its certificate has expired, or"),
        ("elsewhere", False, "ca", None, "call it by one that the certificate holds"),
        ("here", True, "ca", None, "it may demand a certificate of its callers (--tls-client-cert)"),
        ("here", True, "ca", "stranger", "it may demand a certificate of its callers (--tls-client-cert)"),
    ],
)
def test_each_obstacle_is_told_by_every_call(
    start_with_tls: Callable[..., Any],
    pki: Path,
    tmp_path: Path,
    server: str | None,
    demands: bool,
    trusts: str | None,
    shows: str | None,
    message: str,
) -> None:
    endpoint = Endpoint(
        start_with_tls(server, demands).address,
        tmp_path / "token",
        pki / f"{trusts}.pem" if trusts else None,
        tls_client_cert=pki / f"{shows}.pem" if shows else None,
    )
    for method in METHODS:
        path = f"/{method.containing_service.full_name}/{method.name}"
        kind = "_".join("stream" if many else "unary" for many in (method.client_streaming, method.server_streaming))
        with endpoint.channel() as channel:
            call = getattr(channel, kind)(path, empty_pb2.Empty.SerializeToString, empty_pb2.Empty.FromString)
            request = iter([empty_pb2.Empty()]) if method.client_streaming else empty_pb2.Empty()
            with pytest.raises(grpc.RpcError) as caught:
                answer = call(request, timeout=10, metadata=endpoint.metadata())
                list(answer if method.server_streaming else [answer])
        told = explain(caught.value, endpoint)
        assert isinstance(told, ServiceUnavailableError), method.name
        assert message in str(told), method.name
        assert TOKEN not in str(told)
        assert "failed to connect" not in str(told), "gRPC's own line is of no use to a person"


def test_a_service_that_demands_certificates_lets_in_who_shows_one(
    start_with_tls: Callable[..., Any], processes: Any, pki: Path, tmp_path: Path
) -> None:
    service = start_with_tls("here", demands=True)
    who = ["--token-file", tmp_path / "token", "--tls-ca", pki / "ca.pem", "--tls-client-cert", pki / "caller.pem"]
    ended = processes.run("runs", "list", "--service", service.address, *who)
    assert ended.returncode == 0, ended.stderr
    with pytest.raises(InputError, match=r"none\.pem: the TLS file cannot be read"):
        service.client(tls_client_cert=pki / "none.pem")


def shown_by(service: Any) -> str:
    """The certificate that a new connection is shown."""
    host, _, port = service.address.rpartition(":")
    return ssl.get_server_certificate((host, int(port)), timeout=30)


def test_a_renewed_certificate_is_shown_without_a_restart_and_a_broken_one_is_not(
    start_service: Callable[..., Any], pki: Path, tmp_path: Path
) -> None:
    used = tmp_path / "used"
    used.mkdir()
    (tmp_path / "token").write_text(TOKEN + "\n")

    def install(certificate: str, key: str) -> None:
        for source, name in ((f"{key}.key", "key.pem"), (f"{certificate}.crt", "cert.pem")):
            (used / "next").write_bytes((pki / source).read_bytes())
            (used / "next").rename(used / name)

    install("here", "here")
    options = ["--listen", "127.0.0.1:0", "--token-file", tmp_path / "token"]
    service = start_service(*options, "--tls-cert", used / "cert.pem", "--tls-key", used / "key.pem")
    first = shown_by(service)
    endpoint = {"token_file": tmp_path / "token", "tls_ca": pki / "ca.pem"}
    with service.client(**endpoint) as before:
        before.check_version()
        install("renewed", "renewed")
        second = shown_by(service)
        install("here", "renewed")
        assert [shown_by(service) for _ in range(3)] == [second] * 3
        (used / "cert.pem").unlink()
        assert shown_by(service) == second
        before.check_version()
    with service.client(**endpoint) as after:
        after.check_version()
    install("here", "here")
    assert shown_by(service) == first
    assert service.terminate() == 0
    assert second != first
    errors = service.errors()
    assert errors.count("are no certificate and its key") == 1
    assert errors.count("cert.pem: the TLS file cannot be read") == 1
    assert errors.count("the certificate that was read before stays in use") == 2
    assert "Traceback" not in errors


@pytest.mark.parametrize("option", ["--tls-cert", "--tls-key", "--tls-client-ca"])
def test_a_file_that_is_no_certificate_is_named_at_the_start(
    processes: Any, pki: Path, tmp_path: Path, option: str
) -> None:
    (tmp_path / "token").write_text(TOKEN + "\n")
    (tmp_path / "broken.pem").write_text("-----BEGIN NOTHING-----\n")
    files = {"--tls-cert": pki / "here.crt", "--tls-key": pki / "here.key", "--tls-client-ca": pki / "ca.pem"}
    files[option] = tmp_path / "broken.pem"
    words = [word for pair in files.items() for word in pair]
    ended = processes.run(
        *("serve", "--listen", "127.0.0.1:0", "--token-file", tmp_path / "token", "--data-dir", tmp_path / "d"), *words
    )
    assert ended.returncode == 2
    assert "broken.pem" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not (tmp_path / "d").exists()


def test_certificates_of_callers_are_not_asked_for_in_vain(processes: Any, pki: Path, tmp_path: Path) -> None:
    """Without TLS nobody shows one, and everybody with a token would be let in."""
    (tmp_path / "token").write_text(TOKEN + "\n")
    options = ["--listen", "127.0.0.1:0", "--token-file", tmp_path / "token", "--data-dir", tmp_path / "d"]
    ended = processes.run("serve", *options, "--tls-client-ca", pki / "ca.pem")
    assert ended.returncode == 2
    assert "--tls-client-ca needs --tls-cert and --tls-key" in ended.stderr
    assert not (tmp_path / "d").exists()


def test_a_caller_beyond_this_machine_who_gives_no_ca_is_told_to_give_it(start_with_tls: Callable[..., Any]) -> None:
    port = start_with_tls("here").address.rpartition(":")[2]
    # Every address but loopback's is called with TLS: 0.0.0.0 reaches this machine and is none of them.
    endpoint = Endpoint(f"0.0.0.0:{port}")
    with pytest.raises(ServiceUnavailableError) as caught:
        serves(endpoint)
    assert str(caught.value).endswith("or it has expired: give the CA with --tls-ca")
    assert "with TLS, no token. No CA that this system trusts" in str(caught.value)


def test_where_nothing_listens_is_said_in_words() -> None:
    with pytest.raises(ServiceUnavailableError, match=r"127\.0\.0\.1:1, without TLS, no token\. Nothing listens there"):
        serves(Endpoint("127.0.0.1:1"))
