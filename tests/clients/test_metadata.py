"""Credentials of the place where the daemon runs: instance metadata and the container endpoint, on loopback."""

import datetime
import http.server
import json
import threading

import pytest

from conftest import role


class Place(http.server.BaseHTTPRequestHandler):
    """Both services, as they answer; what was asked is in `asked`."""

    def answer(self, text, status=200):
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.send_header("x-aws-ec2-metadata-token-ttl-seconds", "21600")
        self.end_headers()
        self.wfile.write(text.encode())

    def do_PUT(self):
        self.answer("a-token")

    def do_GET(self):
        self.server.asked.append((self.path, self.headers.get("x-aws-ec2-metadata-token"), self.headers.get("authorization")))
        key = self.server.key
        expires = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=6)
        document = {
            "Code": "Success",
            "Type": "AWS-HMAC",
            "LastUpdated": "2026-01-01T00:00:00Z",
            "AccessKeyId": key["access_key_id"],
            "SecretAccessKey": key["secret_access_key"],
            "Token": "t",
            "Expiration": expires.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        if self.server.expiration is not None:
            document["Expiration"] = self.server.expiration
        if document["Expiration"] == "left out":
            del document["Expiration"]
        if self.path.rstrip("/").endswith("security-credentials") or self.path.rstrip("/").endswith("security-credentials-extended"):
            self.answer("the-role")
        else:
            self.answer(json.dumps(document))

    def log_message(self, *_):
        pass


@pytest.fixture
def place(aws):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Place)
    server.asked, server.expiration, server.key = [], None, aws.tell("user", name="someone")
    server.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()


def write(machine, source):
    (machine.home / ".aws" / "config").write_text(
        f"[profile here]\nrole_arn = {role('Mid')}\ncredential_source = {source}\nregion = eu-west-1\n"
        f"[profile plain]\ncredential_source = {source}\nregion = eu-west-1\n"
    )


def test_an_instances_role_is_kept_and_no_proxy_is_asked(aws, machine, place):
    write(machine, "Ec2InstanceMetadata")
    machine.start(AWS_EC2_METADATA_DISABLED="false", AWS_EC2_METADATA_SERVICE_ENDPOINT=place.url, HTTP_PROXY="http://127.0.0.1:9", NO_PROXY="127.0.0.1")
    answer = machine.evercred("credential-process", "plain")
    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout)["AccessKeyId"] == place.key["access_key_id"]
    assert all(token == "a-token" for _, token, _ in place.asked)
    before = len(place.asked)
    assert machine.evercred("credential-process", "plain").returncode == 0
    assert len(place.asked) == before
    status = json.loads(machine.evercred("status", "--json", "plain").stdout)["profiles"][0]
    assert (status["kind"], status["state"]) == ("instance-metadata", "fresh")


def test_a_containers_role_is_that_of_the_daemons_own_process(aws, machine, place):
    write(machine, "EcsContainer")
    machine.start(AWS_CONTAINER_CREDENTIALS_FULL_URI=f"{place.url}/creds", AWS_CONTAINER_AUTHORIZATION_TOKEN="let-me-in")
    answer = machine.evercred("credential-process", "plain")
    assert answer.returncode == 0, answer.stderr
    assert place.asked[0] == ("/creds", None, "let-me-in")


LATER = "2126-11-30"
EXPIRATIONS = [
    f"{LATER}T03:52:55Z", f"{LATER}T03:52:55+00:00", f"{LATER}T05:52:55+02:00", f"{LATER}T05:52:55+0200", f"{LATER}T03:52:55+00",
    f"{LATER}t03:52:55z", f"{LATER}T03:52:55.123Z", f"{LATER}T03:52:55.123456789Z", f"{LATER}T03:52Z", "21261130T035255Z",
    f"{LATER} 03:52:55 UTC", "Sat, 30 Nov 2126 03:52:55 GMT", "", "soon", f"{LATER[:4]}-W48-6T03:52:55Z", "left out", 4952145175, [], {},
]


def boto3s_container(monkeypatch, url):
    """The time that botocore's own provider reads, or None where it fails."""
    from botocore.credentials import ContainerProvider
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    environment = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": url}
    try:
        credentials = ContainerProvider(environ=environment).load()
        credentials.get_frozen_credentials()
        return credentials._expiry_time.astimezone(datetime.timezone.utc).replace(microsecond=0)
    except Exception:  # It has no error of its own for a time that it can't read.
        return None


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("expiration", EXPIRATIONS, ids=str)
def test_an_expiration_is_read_as_boto3_reads_it(aws, machine, place, monkeypatch, expiration):
    place.expiration = expiration
    theirs = boto3s_container(monkeypatch, f"{place.url}/creds")
    (machine.home / ".aws" / "config").write_text(
        "[profile container]\ncredential_source = EcsContainer\nregion = eu-west-1\n"
        "[profile instance]\ncredential_source = Ec2InstanceMetadata\nregion = eu-west-1\n"
    )
    machine.start(
        AWS_CONTAINER_CREDENTIALS_FULL_URI=f"{place.url}/creds",
        AWS_EC2_METADATA_DISABLED="false",
        AWS_EC2_METADATA_SERVICE_ENDPOINT=place.url,
    )
    for profile in ("container", "instance"):
        answer = machine.evercred("credential-process", profile)
        if theirs is None:
            assert answer.returncode == 1 and "Expiration" in answer.stderr, (profile, answer.stderr)
        else:
            assert answer.returncode == 0, (profile, answer.stderr)
            assert json.loads(answer.stdout)["Expiration"] == theirs.strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.mark.parametrize("source", ["Ec2InstanceMetadata", "EcsContainer"])
def test_elsewhere_it_says_where_it_would_work(machine, source):
    write(machine, source)
    machine.start(AWS_EC2_METADATA_DISABLED="false", AWS_EC2_METADATA_SERVICE_ENDPOINT="http://127.0.0.1:9")
    answer = machine.evercred("credential-process", "here")
    assert answer.returncode == 1
    assert "name a source_profile" in answer.stderr, answer.stderr


def test_the_environment_of_the_caller_is_refused_with_the_reason(machine):
    write(machine, "Environment")
    machine.start()
    answer = machine.evercred("credential-process", "here")
    assert answer.returncode == 1
    assert "the daemon can't read the environment" in answer.stderr, answer.stderr
