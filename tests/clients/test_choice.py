"""Which way to credentials real clients take, and whether `doctor` says so of them: `choices` of its document against boto3, the
AWS CLI and the SDK for JavaScript, each resolving to the end against a small stand-in for STS, the portal and the container
endpoint on this machine. Every credential here is named after the place it comes from, so its key id tells the way."""

import dataclasses
import hashlib
import http.server
import json
import os
import pathlib
import re
import shutil
import subprocess
import threading
import urllib.parse

import pytest

from conftest import ACCOUNT, PROGRAMS, ROOT, VENV, role

NODE_MODULES = ROOT / "target" / "clients-node"
JAVASCRIPT = "@aws-sdk/credential-provider-node@3.972.98"
START_URL = "https://corp.example.com/start"
LATER = "2099-01-01T00:00:00Z"
CLIENTS = {"boto3": "boto3 and the AWS CLI", "aws": "boto3 and the AWS CLI", "javascript": "JavaScript (v3)"}


@dataclasses.dataclass
class Place:
    """A story: what stands in the files and the variables. `HERE` is the story's own folder."""

    config: str = ""
    credentials: str = ""
    variables: dict = dataclasses.field(default_factory=dict)


def variables(**more):
    return {"AWS_ACCESS_KEY_ID": "environment", "AWS_SECRET_ACCESS_KEY": "s", **more}


def keys(name="default"):
    return f"aws_access_key_id = keys:{name}\naws_secret_access_key = s\n"


def assumed(name="default", source="base"):
    return f"role_arn = {role(name)}\nsource_profile = {source}\n"


def process(name="default"):
    return f"credential_process = HERE/process {name}\n"


def token_file(name="default"):
    return f"role_arn = {role(name)}\nweb_identity_token_file = HERE/token-{name}\n"


def sso(name="default"):
    return f"sso_start_url = {START_URL}\nsso_region = us-east-1\nsso_account_id = {ACCOUNT}\nsso_role_name = {name}\n"


BASE = f"[base]\n{keys('base')}"
DEV = f"[dev]\n{keys('dev')}"
DEFAULT = f"[default]\n{keys()}"
LOGIN = "login_session = arn:aws:iam::111122223333:user/someone\n"
WEB = {"AWS_WEB_IDENTITY_TOKEN_FILE": "HERE/token-variables", "AWS_ROLE_ARN": role("variables")}
CONTAINER = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "SERVER/container"}

STORIES = {
    # The variables against a profile.
    "nothing at all": Place(),
    "keys in the variables alone": Place(variables=variables()),
    "keys in the variables beside the default profile": Place("", DEFAULT, variables()),
    "keys in the variables beside a named profile": Place("", DEV, variables(AWS_PROFILE="dev")),
    "a profile by its older variable": Place("", DEV, {"AWS_DEFAULT_PROFILE": "dev"}),
    "a profile by both variables": Place("", f"{DEV}[prod]\n{keys('prod')}", {"AWS_PROFILE": "dev", "AWS_DEFAULT_PROFILE": "prod"}),
    "a profile that is in no file": Place("", DEV, {"AWS_PROFILE": "gone"}),
    "keys in the variables beside a profile that is in no file": Place("", DEV, variables(AWS_PROFILE="gone")),
    "a web identity beside a profile that is in no file": Place("", DEV, {**WEB, "AWS_PROFILE": "gone"}),
    "an empty profile variable": Place("", DEFAULT, {"AWS_PROFILE": ""}),
    "an empty older profile variable beside a profile": Place("", DEV, {"AWS_DEFAULT_PROFILE": "", "AWS_PROFILE": "dev"}),
    "an empty profile variable beside keys": Place("", DEFAULT, variables(AWS_PROFILE="")),
    # Half of a key.
    "an id without its secret in the variables": Place("", DEFAULT, {"AWS_ACCESS_KEY_ID": "environment"}),
    "a secret without its id in the variables": Place("", DEFAULT, {"AWS_SECRET_ACCESS_KEY": "s"}),
    "an id without its secret in the credentials file": Place(f"[default]\n{process()}", "[default]\naws_access_key_id = keys:default\n"),
    "an id without its secret in the config file": Place("[default]\naws_access_key_id = keys:default\n"),
    "an id in one file and its secret in the other": Place("[default]\naws_secret_access_key = s\n", "[default]\naws_access_key_id = keys:default\n"),
    # Several ways in one profile.
    "keys in the config file": Place(f"[default]\n{keys()}"),
    "keys in the credentials file beside a process": Place(f"[default]\n{process()}", DEFAULT),
    "keys in the config file beside a process": Place(f"[default]\n{process()}{keys()}"),
    "keys beside SSO": Place(f"[default]\n{sso()}", DEFAULT),
    "keys beside a role": Place(f"[default]\n{assumed()}", DEFAULT + BASE),
    "keys beside a role that is its own source": Place(f"[default]\n{assumed(source='default')}", DEFAULT),
    "keys beside a role without a source": Place(f"[default]\nrole_arn = {role('default')}\n", DEFAULT),
    "a role without a source": Place(f"[default]\nrole_arn = {role('default')}\n"),
    "keys beside a token file": Place(f"[default]\n{token_file()}", DEFAULT),
    "keys beside a role with a source of credentials": Place(f"[default]\nrole_arn = {role('default')}\ncredential_source = EcsContainer\n", DEFAULT, CONTAINER),
    "keys beside a login session": Place(f"[default]\n{LOGIN}", DEFAULT),
    "keys in the config file beside a login session": Place(f"[default]\n{LOGIN}{keys()}"),
    "a process beside SSO": Place(f"[default]\n{process()}{sso()}"),
    "a process beside a role": Place(f"[default]\n{process()}{assumed()}", BASE),
    "a process beside a token file": Place(f"[default]\n{process()}{token_file()}"),
    "a process beside a login session": Place(f"[default]\n{process()}{LOGIN}"),
    "SSO beside a role": Place(f"[default]\n{sso()}{assumed()}", BASE),
    "SSO beside a token file": Place(f"[default]\n{sso()}{token_file()}"),
    "SSO beside a login session": Place(f"[default]\n{sso()}{LOGIN}"),
    "a role beside a token file": Place(f"[default]\n{token_file()}source_profile = base\n", BASE),
    "a token file without a role": Place("[default]\nweb_identity_token_file = HERE/token-default\n"),
    "two sources of a role": Place(f"[default]\n{assumed()}credential_source = Environment\n", BASE),
    "a source that is in no file": Place(f"[default]\n{assumed(source='gone')}", DEFAULT),
    "a source that is in no file beside a process": Place(f"[default]\n{assumed(source='gone')}{process()}"),
    "a source that is in no file beside a web identity": Place(f"[default]\n{assumed(source='gone')}", "", WEB),
    "a role that is its own source, without keys": Place(f"[default]\n{assumed(source='default')}"),
    "a role that is its own source, with half a key": Place(f"[default]\n{assumed(source='default')}", "[default]\naws_access_key_id = keys:default\n"),
    "a role that is its own source beside a process": Place(f"[default]\n{assumed(source='default')}{process()}"),
    "a source of credentials without a role": Place(f"[default]\ncredential_source = Environment\n{keys()}"),
    # SSO that says too little.
    "a session that is in no file beside keys": Place("[default]\nsso_session = gone\n", DEFAULT),
    "a session that is in no file beside keys in the variables": Place("[default]\nsso_session = gone\n", "", variables()),
    "a session without a region beside keys": Place(f"[default]\nsso_session = corp\n[sso-session corp]\nsso_start_url = {START_URL}\n", DEFAULT),
    "an account beside a role that is its own source": Place(f"[default]\n{assumed(source='default')}sso_account_id = {ACCOUNT}\n", DEFAULT),
    "a lone session": Place(f"[default]\nsso_session = corp\n[sso-session corp]\nsso_start_url = {START_URL}\nsso_region = us-east-1\n"),
    "a lone session beside keys": Place(f"[default]\nsso_session = corp\n[sso-session corp]\nsso_start_url = {START_URL}\nsso_region = us-east-1\n", DEFAULT),
    "a lone session beside a process": Place(f"[default]\nsso_session = corp\n{process()}[sso-session corp]\nsso_start_url = {START_URL}\nsso_region = us-east-1\n"),
    "a lone start URL": Place(f"[default]\nsso_start_url = {START_URL}\n"),
    "a lone start URL beside keys": Place(f"[default]\nsso_start_url = {START_URL}\n", DEFAULT),
    "a lone SSO region beside a process": Place(f"[default]\nsso_region = us-east-1\n{process()}"),
    "an account without a role name": Place(f"[default]\nsso_start_url = {START_URL}\nsso_region = us-east-1\nsso_account_id = {ACCOUNT}\n"),
    "a session that is in no file": Place(f"[default]\nsso_session = gone\nsso_account_id = {ACCOUNT}\nsso_role_name = default\n"),
    "no SSO region": Place(f"[default]\nsso_start_url = {START_URL}\nsso_account_id = {ACCOUNT}\nsso_role_name = default\n", "", CONTAINER),
    "SSO by a session": Place(f"[default]\nsso_session = corp\nsso_account_id = {ACCOUNT}\nsso_role_name = default\n[sso-session corp]\nsso_start_url = {START_URL}\nsso_region = us-east-1\n"),
    # A web identity and a container in the variables.
    "a web identity alone": Place(variables=WEB),
    "a web identity beside keys in the variables": Place(variables=variables(**WEB)),
    "a web identity beside keys in a profile": Place("", DEFAULT, WEB),
    "a web identity beside a process": Place(f"[default]\n{process()}", "", WEB),
    "a web identity beside a role": Place(f"[default]\n{assumed()}", BASE, WEB),
    "a web identity without a role": Place("", DEFAULT, {"AWS_WEB_IDENTITY_TOKEN_FILE": WEB["AWS_WEB_IDENTITY_TOKEN_FILE"]}),
    "a role in the variables without its token": Place("", DEFAULT, {"AWS_ROLE_ARN": WEB["AWS_ROLE_ARN"]}),
    "a container alone": Place(variables=CONTAINER),
    "a container beside the default profile": Place("", DEFAULT, CONTAINER),
    "a container beside a web identity": Place(variables={**WEB, **CONTAINER}),
    "a container beside a profile without credentials": Place("[default]\nregion = eu-west-1\n", "", CONTAINER),
    "a container beside a profile that is in no file": Place("", DEV, {**CONTAINER, "AWS_PROFILE": "gone"}),
}


class Answers(http.server.BaseHTTPRequestHandler):
    """STS, the portal and a container endpoint: each gives a set that is named after what was asked for."""

    def do_POST(self):
        asked = urllib.parse.parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        action = asked["Action"][0]
        if action == "GetCallerIdentity":
            # The caller is who signed: the key id stands in the signature.
            key = re.search("Credential=([^/]+)/", self.headers["Authorization"])[1]
            who = f"<UserId>{key}</UserId><Account>{ACCOUNT}</Account><Arn>arn:aws:iam::{ACCOUNT}:user/someone</Arn>"
            return self.answer(f"<{action}Response><{action}Result>{who}</{action}Result></{action}Response>", "text/xml")
        name = asked["RoleArn"][0].rpartition("/")[2]
        way = f"web:{asked['WebIdentityToken'][0]}" if action == "AssumeRoleWithWebIdentity" else f"role:{name}"
        self.answer(
            f'<{action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><{action}Result><Credentials>'
            f"<AccessKeyId>{way}</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>"
            f"<Expiration>{LATER}</Expiration></Credentials><AssumedRoleUser><AssumedRoleId>A:b</AssumedRoleId>"
            f"<Arn>arn:aws:sts::{ACCOUNT}:assumed-role/{name}/b</Arn></AssumedRoleUser></{action}Result></{action}Response>",
            "text/xml",
        )

    def do_GET(self):
        asked = urllib.parse.urlsplit(self.path)
        if asked.path == "/container":
            return self.answer(json.dumps({"AccessKeyId": "container", "SecretAccessKey": "s", "Token": "t", "Expiration": LATER}))
        name = urllib.parse.parse_qs(asked.query)["role_name"][0]
        given = {"accessKeyId": f"sso:{name}", "secretAccessKey": "s", "sessionToken": "t", "expiration": 4070908800000}
        self.answer(json.dumps({"roleCredentials": given}))

    def answer(self, body, kind="application/json"):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body.encode())))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def server():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.fixture(scope="module")
def javascript():
    """The SDK for JavaScript, where it can be had."""
    if "EVERCRED_TEST_WITHOUT_NODE" in os.environ or not shutil.which("node") or not shutil.which("npm"):
        pytest.skip("node and npm are not here")
    made_from = NODE_MODULES / "made-from"
    if not made_from.exists() or made_from.read_text() != JAVASCRIPT:
        NODE_MODULES.mkdir(parents=True, exist_ok=True)
        (NODE_MODULES / "package.json").write_text("{}")
        install = ["npm", "install", "--prefer-offline", "--no-audit", "--no-fund", "--ignore-scripts", JAVASCRIPT]
        ran = subprocess.run(install, cwd=NODE_MODULES, capture_output=True, text=True)
        if ran.returncode != 0:
            pytest.skip(f"{JAVASCRIPT} can't be installed here")
        made_from.write_text(JAVASCRIPT)
    return shutil.which("node")


def settle(place, home, server):
    """Lays the story out in a home of its own; the environment in which it is told."""
    aws = home / ".aws"
    (aws / "sso" / "cache").mkdir(parents=True)
    here = lambda text: text.replace("HERE", str(home)).replace("SERVER", server)
    (aws / "config").write_text(here(place.config.replace("[dev]", "[profile dev]")))
    (aws / "credentials").write_text(here(place.credentials))
    (aws / "credentials").chmod(0o600)
    for name in ("default", "dev", "test", "variables"):
        (home / f"token-{name}").write_text(name)
    process = home / "process"
    process.write_text('#!/bin/sh\necho \'{"Version": 1, "AccessKeyId": "process:\'$1\'", "SecretAccessKey": "s"}\'\n')
    process.chmod(0o755)
    token = {"startUrl": START_URL, "region": "us-east-1", "accessToken": "token", "expiresAt": LATER}
    for name in (START_URL, "corp"):
        (aws / "sso" / "cache" / f"{hashlib.sha1(name.encode()).hexdigest()}.json").write_text(json.dumps(token))
    return {
        "PATH": f"{VENV}:/usr/bin:/bin",
        "HOME": str(home),
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL_STS": server,
        "AWS_ENDPOINT_URL_SSO": server,
        "EVERCRED_RUNTIME_DIR": str(home / "run"),
        "EVERCRED_STATE_DIR": str(home / "state"),
        **{name: here(value) for name, value in place.variables.items()},
    }


# What a client says that wants the session of `aws login`. An error about incomplete SSO settings lists all settings.
LOGIN_IS_CHOSEN = r"^(?!.*Required parameters)(?s:.)*?(?:botocore\[crt\]|aws login|login_session|login session|/login/cache/)"
# Print the key id that a client ends with, or what went wrong; "nothing" where it looked everywhere.
BOTO3 = """
import boto3
session = boto3.Session()
found = session.get_credentials()
session.client("sts")
print("nothing" if found is None else found.get_frozen_credentials().access_key)
"""
NODE = """
require("@aws-sdk/credential-provider-node").defaultProvider()().then(
    found => console.log(found.accessKeyId),
    error => console.log(/from any providers/.test(error.message) ? "nothing" : "fails: " + error.name + ": " + error.message),
);
"""


def found_by(client, environment):
    """The way that a client takes: a key id, "login", "nothing" or "fails", and all that it said."""
    command, folder = {
        "boto3": ([VENV / "python", "-c", BOTO3], None),
        "aws": ([VENV / "aws", "sts", "get-caller-identity", "--query", "UserId", "--output", "text"], None),
        "javascript": ([shutil.which("node"), "-e", NODE], NODE_MODULES),
    }[client]
    ran = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, timeout=60)
    said = f"{ran.stdout}\n{ran.stderr}"
    # No `aws login` session is signed in here: who asks for one has chosen it.
    if re.search(LOGIN_IS_CHOSEN, said):
        return "login", said
    if "Unable to locate credentials" in said:
        return "nothing", said
    found = ran.stdout.strip()
    return ("fails" if ran.returncode != 0 or found.startswith("fails") else found), said


def said_by_doctor(environment):
    """What `doctor` says that each kind of client uses, in the same words as `found_by`."""
    ran = subprocess.run([PROGRAMS / "evercred", "doctor", "--offline", "--json"], env=environment, capture_output=True, text=True)
    choices = {choice["client"]: choice["uses"] for choice in json.loads(ran.stdout)["choices"]}
    return {client: way_of(choices[called]) for client, called in CLIENTS.items()}


def way_of(sentence):
    fixed = {
        "nothing": "nothing",
        "the keys in the environment variables": "environment",
        "the web identity in the environment variables (AWS_WEB_IDENTITY_TOKEN_FILE)": "web:variables",
        "the container endpoint in the environment variables": "container",
    }
    if sentence in fixed:
        return fixed[sentence]
    if sentence.startswith("nothing: "):
        return "fails"
    way, name = re.fullmatch(r'(.*) of profile "(.*)"', sentence).groups()
    ways = {
        "role_arn": "role",
        "role_arn with the static keys": "role",
        "the SSO settings": "sso",
        "the static keys": "keys",
        "the credential_process": "process",
        "the web_identity_token_file": "web",
        "the credential_source": "source",
    }
    return "login" if way == "the login_session" else f"{ways[way]}:{name}"


def told_rightly(client, story, tmp_path, server):
    environment = settle(STORIES[story], tmp_path, server)
    says = said_by_doctor(environment)[client]
    found, said = found_by(client, environment)
    assert says == found, f"doctor says {says}, and {client} goes by {found}: {said}"


@pytest.mark.parametrize("story", STORIES)
def test_doctor_says_what_boto3_uses(story, tmp_path, server):
    told_rightly("boto3", story, tmp_path, server)


@pytest.mark.parametrize("story", STORIES)
def test_doctor_says_what_the_aws_cli_uses(story, tmp_path, server):
    told_rightly("aws", story, tmp_path, server)


@pytest.mark.parametrize("story", STORIES)
def test_doctor_says_what_javascript_uses(story, tmp_path, server, javascript):
    told_rightly("javascript", story, tmp_path, server)
