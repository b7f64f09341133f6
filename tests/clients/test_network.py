"""The way to AWS: TLS with a CA of one's own, and a proxy that only tunnels."""

import contextlib
import datetime
import select
import socket
import ssl
import threading
import urllib.parse

import pytest
import trustme

from conftest import role


@contextlib.contextmanager
def server(serve):
    """Serves each connection on a thread; gives the port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, args=(listener, serve), daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


def accept(listener, serve):
    with contextlib.suppress(OSError):
        while True:
            threading.Thread(target=quietly, args=(serve, listener.accept()[0]), daemon=True).start()


def quietly(serve, stream):
    with stream, contextlib.suppress(OSError):
        serve(stream)


def relay(one, other):
    ends = {one: other, other: one}
    while True:
        pending = [end for end in ends if isinstance(end, ssl.SSLSocket) and end.pending()]
        for end in pending or select.select(list(ends), [], [], 30)[0]:
            data = end.recv(65536)
            if not data:
                return
            ends[end].sendall(data)


@pytest.fixture
def ca(tmp_path):
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    return authority


@contextlib.contextmanager
def tls_front(aws, authority, **given):
    """TLS in front of the stand-in; gives its URL."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", **given).configure_cert(context)
    behind = urllib.parse.urlsplit(aws.url)

    def serve(stream):
        with context.wrap_socket(stream, server_side=True) as client:
            with socket.create_connection((behind.hostname, behind.port)) as upstream:
                relay(client, upstream)

    with server(serve) as port:
        yield f"https://localhost:{port}"


@contextlib.contextmanager
def tunnelling_proxy(asked):
    """A proxy that knows CONNECT alone; notes what it was asked for."""

    def serve(stream):
        request = b""
        while b"\r\n\r\n" not in request:
            request += stream.recv(4096)
        method, target, _ = request.split(b"\r\n")[0].decode().split()
        asked.append((method, target))
        host, port = target.rsplit(":", 1)
        with socket.create_connection((host, int(port))) as upstream:
            stream.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            relay(stream, upstream)

    with server(serve) as port:
        yield f"http://127.0.0.1:{port}"


def test_a_ca_bundle_of_ones_own_is_trusted_and_a_proxy_tunnels(aws, machine, ca):
    asked = []
    with tls_front(aws, ca) as url, tunnelling_proxy(asked) as proxy:
        machine.endpoint = url
        machine.start(AWS_CA_BUNDLE=str(machine.home / "ca.pem"), HTTPS_PROXY=proxy)
        answer = machine.evercred("credential-process", "app")
        assert answer.returncode == 0, answer.stderr
        assert aws.minted("App") == 1
        target = urllib.parse.urlsplit(url).netloc
        assert asked and all(line == ("CONNECT", target) for line in asked)


def test_no_proxy_spares_a_host_the_proxy(aws, machine, ca):
    with tls_front(aws, ca) as url:
        machine.endpoint = url
        # Nobody listens at the discard port.
        machine.start(AWS_CA_BUNDLE=str(machine.home / "ca.pem"), HTTPS_PROXY="http://127.0.0.1:9", NO_PROXY="localhost")
        answer = machine.evercred("credential-process", "app")
        assert answer.returncode == 0, answer.stderr
        assert aws.minted("App") == 1


def test_settings_for_the_daemon_alone_count_like_its_environment(aws, machine, ca):
    with tls_front(aws, ca) as url:
        machine.settings(f'[environment]\nAWS_CA_BUNDLE = "{machine.home}/ca.pem"\nAWS_ENDPOINT_URL_STS = "{url}"\n')
        machine.endpoint = "http://127.0.0.1:9"
        machine.start()
        answer = machine.evercred("credential-process", "app")
        assert answer.returncode == 0, answer.stderr


@pytest.mark.parametrize(
    ("name", "says"),
    [("unknown-issuer", "certificate"), ("expired", "clock")],
)
def test_a_certificate_that_is_not_accepted_is_told_from_other_faults(aws, machine, ca, name, says):
    past = datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc)
    given = {"not_before": past, "not_after": past + datetime.timedelta(days=90)} if name == "expired" else {}
    with tls_front(aws, ca, **given) as url:
        machine.endpoint = url
        machine.start(**({"AWS_CA_BUNDLE": str(machine.home / "ca.pem")} if name == "expired" else {}))
        answer = machine.evercred("credential-process", "app")
        assert answer.returncode == 1
        assert "localhost" in answer.stderr and says in answer.stderr, answer.stderr
        assert role("App") not in str(aws.tell("calls"))
