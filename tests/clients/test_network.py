"""The way to AWS: TLS with a CA of one's own, and a proxy that only tunnels."""

import base64
import concurrent.futures
import contextlib
import datetime
import pathlib
import select
import socket
import ssl
import threading
import urllib.parse

import botocore.httpsession
import botocore.utils
import pytest
import trustme

from conftest import eventually, role


@contextlib.contextmanager
def server(serve):
    """Serves each connection on a thread; gives the port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, args=(listener, serve), daemon=True).start()
        try:
            yield listener.getsockname()[1]
        finally:  # Also after a failed test: a thread that waits in accept keeps the port.
            listener.shutdown(socket.SHUT_RDWR)


def accept(listener, serve):
    with contextlib.suppress(OSError):
        while True:
            threading.Thread(target=quietly, args=(serve, listener.accept()[0]), daemon=True).start()


def quietly(serve, stream):
    with stream, contextlib.suppress(OSError, ValueError):  # select() refuses a closed socket with a ValueError.
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
def tunnelling_proxy(asked, logins=None):
    """A proxy that knows CONNECT alone; notes what it was asked for, and by which login."""

    def serve(stream):
        request = b""
        while b"\r\n\r\n" not in request:
            request += stream.recv(4096)
        method, target, _ = request.split(b"\r\n")[0].decode().split()
        asked.append((method, target))
        if logins is not None:
            headers = dict(line.split(": ", 1) for line in request.decode().split("\r\n")[1:] if line)
            logins.append({name.lower(): value for name, value in headers.items()}.get("proxy-authorization"))
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


@pytest.mark.parametrize("entry", ["localhost:{port}", ".localhost", "a.example,*", "LOCALHOST", " localhost , b"])
def test_no_proxy_is_read_as_the_sdks_read_it(aws, machine, ca, entry):
    with tls_front(aws, ca) as url:
        machine.endpoint = url
        no_proxy = entry.format(port=urllib.parse.urlsplit(url).port)
        machine.start(AWS_CA_BUNDLE=str(machine.home / "ca.pem"), HTTPS_PROXY="127.0.0.1:9", NO_PROXY=no_proxy)
        answer = machine.evercred("credential-process", "app")
        assert answer.returncode == 0, answer.stderr


def test_no_proxy_with_another_port_spares_nothing(aws, machine, ca):
    with tls_front(aws, ca) as url:
        machine.endpoint = url
        machine.start(AWS_CA_BUNDLE=str(machine.home / "ca.pem"), HTTPS_PROXY="127.0.0.1:9", NO_PROXY="localhost:9")
        answer = machine.evercred("credential-process", "app")
        assert answer.returncode == 1 and "HTTPS_PROXY" in answer.stderr, answer.stderr
        assert role("App") not in str(aws.tell("calls"))


def table():
    path = pathlib.Path(__file__).parents[1] / "data/no_proxy.txt"
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    return [tuple(field.strip() for field in line.split("|")) for line in lines]


@pytest.mark.parametrize(("entries", "url", "by_botocore", "here"), table())
def test_the_table_of_no_proxy_says_what_botocore_does(monkeypatch, entries, url, by_botocore, here):
    for name in ("no_proxy", "NO_PROXY", "https_proxy", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", entries)
    assert botocore.utils.should_bypass_proxies(url) == (by_botocore == "direct")


def test_the_ca_bundle_of_a_profile_is_trusted_for_its_calls_and_for_no_others(aws, machine, ca):
    with tls_front(aws, ca) as url:
        machine.endpoint = url
        config = machine.home / ".aws/config"
        text = config.read_text()
        assert "[profile app]" in text
        good = text.replace("[profile app]", f"[profile app]\nca_bundle = {machine.home}/ca.pem")
        # The same role by another session name, so that it is another call.
        other = "[profile app]" + text.split("[profile app]")[1].split("\n[")[0] + "\nrole_session_name = other"
        config.write_text(
            good.rstrip()
            + "\n\n" + other.replace("[profile app]", "[profile other]")
            + "\n\n" + other.replace("[profile app]", "[profile broken]").replace("= other", "= broken")
            + f"\nca_bundle = {machine.home}/none.pem\n"
        )
        machine.start()
        broken = machine.evercred("credential-process", "broken")
        assert broken.returncode == 1 and "none.pem" in broken.stderr and "ca_bundle" in broken.stderr, broken.stderr
        other = machine.evercred("credential-process", "other")
        assert other.returncode == 1 and "certificate" in other.stderr, other.stderr
        answer = machine.evercred("credential-process", "app")
        assert answer.returncode == 0, answer.stderr
        plan = machine.evercred("plan", "app", "--json")
        assert f'"ca_bundle": "{machine.home}/ca.pem"' in plan.stdout, plan.stdout


@pytest.mark.parametrize("form", ["session", "inline"])
def test_the_ca_bundle_of_a_profile_counts_for_sign_in_and_roles_of_sso(aws, machine, ca, form):
    for name in ("Admin", "ReadOnly"):
        aws.tell("assign", account_id="111122223333", account_name="Prod", role_name=name)
    with tls_front(aws, ca) as url:
        machine.endpoint = url
        place = "sso_start_url = https://d-9067012345.awsapps.com/start\nsso_region = eu-west-1\n"
        named = f"[sso-session corp]\n{place}" if form == "session" else ""
        session = "sso_account_id = 111122223333\nregion = eu-west-1\n" + ("sso_session = corp\n" if named else place)
        (machine.home / ".aws/config").write_text(
            # The first profile of the session names no certificates.
            f"[profile a]\n{session}sso_role_name = ReadOnly\n"
            f"[profile b]\n{session}sso_role_name = Admin\nca_bundle = {machine.home}/ca.pem\n{named}"
        )
        machine.start()
        with concurrent.futures.ThreadPoolExecutor() as pool:
            login = pool.submit(machine.evercred, "login", "b", "--no-browser")
            eventually("the page waits", lambda: login.done() or aws.tell("approve")["answered"] == 1)
            assert login.result().returncode == 0, login.result().stderr
        answer = machine.evercred("credential-process", "b")
        assert answer.returncode == 0, answer.stderr
        answer = machine.evercred("renew", "a")
        assert answer.returncode == 1 and "certificate" in answer.stderr, answer.stderr
        (machine.home / "ca.pem").rename(machine.home / "moved.pem")
        answer = machine.evercred("renew", "b")
        assert answer.returncode == 1 and "ca.pem" in answer.stderr and "ca_bundle" in answer.stderr, answer.stderr


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


PROXY_LOGINS = [
    "http://user:secret@",
    "user:secret@",
    "//user:secret@",
    "http://user:p%40ss%2Fw%3Ard@",
    "http://user:with+plus@",
    "http://user:100%25@",
    "http://user:a:b:c@",
    "http://user%40corp.example:secret@",
    "http://DOMAIN%5Cuser:secret@",
    "http://user:%20blank%20@",
    "http://user:50%@",
    "http://user:%zz@",
    "http://",
]


@contextlib.contextmanager
def logins_sent(aws, machine, ca, login):
    """Asks through a proxy with a login; gives its URL, that of AWS, and the logins that the proxy was sent."""
    asked, logins = [], []
    with tls_front(aws, ca) as url, tunnelling_proxy(asked, logins) as proxy:
        machine.endpoint = url
        proxy = login + proxy.removeprefix("http://")
        machine.start(AWS_CA_BUNDLE=str(machine.home / "ca.pem"), HTTPS_PROXY=proxy)
        answer = machine.evercred("credential-process", "app")
        assert answer.returncode == 0, answer.stderr
        yield proxy, url, set(logins)


@pytest.mark.parametrize("login", PROXY_LOGINS)
def test_a_proxy_gets_the_login_that_botocore_sends(aws, machine, ca, login):
    with logins_sent(aws, machine, ca, login) as (proxy, url, logins):
        by_botocore = botocore.httpsession.ProxyConfiguration({"https": proxy})
        headers = by_botocore.proxy_headers_for(by_botocore.proxy_url_for(url))
        assert logins == {headers.get("Proxy-Authorization")}
        log = (machine.home / "log").read_text()
        assert "secret" not in log and "p%40ss" not in log


# botocore sends nothing where either half is missing, and fails on letters outside ASCII.
@pytest.mark.parametrize(
    ("login", "sent"),
    [(":secret@", ":secret"), ("user@", "user:"), ("user:@", "user:"), ("us%C3%A9r:p%C3%A4ss@", "usér:päss")],
)
def test_a_proxy_gets_the_logins_that_botocore_can_not_send(aws, machine, ca, login, sent):
    with logins_sent(aws, machine, ca, f"http://{login}") as (_, _, logins):
        assert logins == {"Basic " + base64.b64encode(sent.encode()).decode()}


VARIABLES = [
    {"HTTPS_PROXY": "here"},
    {"https_proxy": "here"},
    {"HTTPS_PROXY": "nowhere", "https_proxy": "here"},
    {"HTTPS_PROXY": "nowhere", "https_proxy": ""},
    {"HTTP_PROXY": "nowhere"},
    {"http_proxy": "nowhere"},
    {"HTTPS_PROXY": "nowhere", "NO_PROXY": "localhost"},
    {"HTTPS_PROXY": "nowhere", "no_proxy": "localhost"},
    {"HTTPS_PROXY": "here", "NO_PROXY": "localhost", "no_proxy": "a.example"},
]


@pytest.mark.parametrize("variables", VARIABLES)
def test_the_proxy_variables_count_as_for_botocore(aws, machine, ca, monkeypatch, variables):
    asked = []
    with tls_front(aws, ca) as url, tunnelling_proxy(asked) as proxy:
        places = {"here": proxy, "nowhere": "http://127.0.0.1:9"}
        variables = {name: places.get(value, value) for name, value in variables.items()}
        for name in ("HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "ALL_PROXY"):
            monkeypatch.delenv(name, raising=False)
            monkeypatch.delenv(name.lower(), raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        expected = botocore.utils.get_environ_proxies(url).get("https") or None
        machine.endpoint = url
        machine.start(AWS_CA_BUNDLE=str(machine.home / "ca.pem"), **variables)
        answer = machine.evercred("credential-process", "app")
        assert answer.returncode == 0, answer.stderr
        assert expected == (proxy if asked else None)


def test_a_ca_bundle_that_changes_is_read_again(aws, machine, ca):
    with tls_front(aws, ca) as url:
        machine.endpoint = url
        bundle = machine.home / "bundle.pem"
        trustme.CA().cert_pem.write_to_path(bundle)
        machine.start(AWS_CA_BUNDLE=str(bundle))
        answer = machine.evercred("credential-process", "app")
        assert answer.returncode == 1 and "certificate" in answer.stderr, answer.stderr
        ca.cert_pem.write_to_path(bundle)
        eventually("the right one is used", lambda: machine.evercred("renew", "app").returncode == 0)
        # The other way round: who may sign no more is not trusted any more.
        other = machine.home / "other.pem"
        trustme.CA().cert_pem.write_to_path(other)
        other.rename(bundle)
        answer = machine.evercred("renew", "app")
        assert answer.returncode == 1 and "certificate" in answer.stderr, answer.stderr
        # Cached credentials stay in use.
        assert machine.evercred("credential-process", "app").returncode == 0


BROKEN_BUNDLES = {
    "missing": None,
    "empty": b"",
    "no-certificate": b"hello\n",
    "half-a-certificate": b"-----BEGIN CERTIFICATE-----\nMIIBszCCAVmgAwIBAgIU\n",
    "key-only": b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
    "der": b"\x30\x82\x01\x02\x00\xff",
    "directory": "directory",
}


@pytest.mark.parametrize("by", ["variable", "profile"])
@pytest.mark.parametrize("name", BROKEN_BUNDLES)
def test_a_bundle_that_can_not_be_used_is_named_by_every_command(aws, machine, ca, name, by):
    with tls_front(aws, ca) as url:
        machine.endpoint = url
        bundle, content = machine.home / "bundle.pem", BROKEN_BUNDLES[name]
        if content == "directory":
            bundle.mkdir()
        elif content is not None:
            bundle.write_bytes(content)
        if by == "profile":
            config = machine.home / ".aws/config"
            config.write_text(config.read_text().replace("region = ", f"ca_bundle = {bundle}\nregion = ", 1).replace("source_profile = base", f"source_profile = base\nca_bundle = {bundle}"))
            machine.start()
        else:
            machine.start(AWS_CA_BUNDLE=str(bundle))
        for command in (["credential-process", "app"], ["renew", "app"], ["env", "app", "--static"]):
            answer = machine.evercred(*command)
            assert answer.returncode == 1 and str(bundle) in answer.stderr, (command, answer.stderr)
            assert ("ca_bundle" if by == "profile" else "AWS_CA_BUNDLE") in answer.stderr, answer.stderr
        assert role("App") not in str(aws.tell("calls"))


@pytest.mark.parametrize("form", ["crlf", "trailing-garbage", "text-before", "key-beside", "two-authorities"])
def test_a_bundle_that_openssl_takes_is_taken(aws, machine, ca, form):
    with tls_front(aws, ca) as url:
        machine.endpoint = url
        pem = (machine.home / "ca.pem").read_bytes()
        other = trustme.CA().cert_pem.bytes()
        bundle = machine.home / "bundle.pem"
        bundle.write_bytes({
            "crlf": pem.replace(b"\n", b"\r\n"),
            "trailing-garbage": pem + b"\n# end \xff\n\x1a",
            "text-before": b"Subject: CN=corp\n" + pem,
            "key-beside": b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n" + pem,
            "two-authorities": other + pem,
        }[form])
        machine.start(AWS_CA_BUNDLE=str(bundle))
        answer = machine.evercred("credential-process", "app")
        assert answer.returncode == 0, answer.stderr
