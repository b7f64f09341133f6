"""The stand-in's SSO and Signin, by AWS's own clients: what they believe of it, evercred may be tested against."""

import base64
import datetime
import hashlib
import html.parser
import json
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request

import boto3
import botocore.credentials
import botocore.exceptions
import pytest
from botocore import UNSIGNED
from botocore.config import Config

from conftest import ACCOUNT, VENV

START = "https://d-9067012345.awsapps.com/start"
SCOPES = ["sso:account:access"]
DEVICE = "urn:ietf:params:oauth:grant-type:device_code"
CALLBACK = "http://127.0.0.1/oauth/callback"
BACK = "http://127.0.0.1:9/oauth/callback"
VERIFIER = "v" * 64
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
READER = f"arn:aws:sts::{ACCOUNT}:assumed-role/AWSReservedSSO_Reader_0123456789abcdef/someone"
WHO = "import boto3; print(boto3.client('sts').get_caller_identity()['Arn'])"
HOUR = 3600


def client(aws, service):
    config = Config(signature_version=UNSIGNED, retries={"total_max_attempts": 1})
    return boto3.client(service, region_name="eu-west-1", endpoint_url=aws.url, config=config)


def refused(call, **given):
    """The name of the exception."""
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        call(**given)
    return caught.value.response["Error"]["Code"]


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


def opened(url):
    """What a browser gets: the status, where it leads, and the page."""
    try:
        answer = urllib.request.build_opener(NoRedirect).open(url, timeout=10)
    except urllib.error.HTTPError as error:
        answer = error
    with answer:
        return answer.status, answer.headers["Location"], answer.read().decode()


class Form(html.parser.HTMLParser):
    """The form of a page, as a browser understands it."""

    def __init__(self, page):
        super().__init__()
        self.fields, self.buttons = {}, {}
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        if tag == "form":
            self.action = given["action"]
        if tag == "input":
            self.fields[given["name"]] = given["value"]
        if tag == "button":
            self.buttons[given["id"]] = (given["name"], given["value"])

    def click(self, aws, button):
        fields = [*self.fields.items(), self.buttons[button]]
        return opened(f"{aws.url}{self.action}?{urllib.parse.urlencode(fields)}")


class Person:
    """A registered client of SSO OIDC, and whoever sits before it."""

    def __init__(self, aws, **registration):
        self.aws, self.oidc = aws, client(aws, "sso-oidc")
        given = {"clientName": "a-test", "clientType": "public", "scopes": SCOPES, **registration}
        self.registered = self.oidc.register_client(**given)
        self.proof = {name: self.registered[name] for name in ("clientId", "clientSecret")}

    def device(self):
        return self.oidc.start_device_authorization(startUrl=START, **self.proof)

    def poll(self, device):
        return {"grantType": DEVICE, "deviceCode": device["deviceCode"], **self.proof}

    def sign_in(self):
        device = self.device()
        assert self.aws.tell("approve", user_code=device["userCode"]) == {"answered": 1}
        return self.oidc.create_token(**self.poll(device))

    def refresh(self, token):
        return {"grantType": "refresh_token", "refreshToken": token, **self.proof}

    def authorize(self, **more):
        asked = {"response_type": "code", "client_id": self.proof["clientId"], "redirect_uri": BACK, "state": "a state&more"}
        asked |= {"code_challenge_method": "S256", "code_challenge": CHALLENGE, "scopes": " ".join(SCOPES)}
        return f"{self.aws.url}/authorize?{urllib.parse.urlencode(asked | more)}"

    def code(self, **more):
        _, leads, _ = opened(self.authorize(_answer="allow"))
        code = urllib.parse.parse_qs(urllib.parse.urlsplit(leads).query)["code"][0]
        return {"grantType": "authorization_code", "code": code, "redirectUri": BACK, "codeVerifier": VERIFIER, **self.proof, **more}


@pytest.fixture
def sso(aws):
    for account, name, role in [(ACCOUNT, "first", "Reader"), (ACCOUNT, "first", "Admin"), (ACCOUNT, "first", "Writer"), ("222222222222", "second", "Reader"), ("333333333333", "third", "Reader")]:
        aws.tell("assign", account_id=account, account_name=name, role_name=role)
    return aws


def by_browser(aws):
    return Person(aws, grantTypes=["authorization_code", "refresh_token"], redirectUris=[CALLBACK], issuerUrl=START)


def test_a_device_gets_tokens_once_its_person_allows(sso):
    person = Person(sso)
    assert person.registered["clientSecretExpiresAt"] - person.registered["clientIdIssuedAt"] == 90 * 86_400
    sso.tell("sso", device_interval_seconds=0)
    device = person.device()
    assert device["verificationUriComplete"] == f"{sso.url}/device?user_code={device['userCode']}"
    poll = person.poll(device)
    assert refused(person.oidc.create_token, **poll) == "AuthorizationPendingException"
    sso.tell("sso", slow_downs=1)
    assert refused(person.oidc.create_token, **poll) == "SlowDownException"
    status, _, page = opened(device["verificationUriComplete"])
    assert status == 200 and device["userCode"] in page
    assert "done" in Form(page).click(sso, "allow")[2]
    tokens = person.oidc.create_token(**poll)
    assert tokens["tokenType"] == "Bearer" and tokens["expiresIn"] == HOUR
    assert "MARK" in tokens["accessToken"] and "MARK" in tokens["refreshToken"]
    assert refused(person.oidc.create_token, **poll) == "InvalidGrantException"
    assert sso.tell("sessions") == {"sso": 1, "signin": 0}


def test_a_device_is_denied_expires_and_is_slowed_down(sso):
    person = Person(sso)
    sso.tell("sso", device_interval_seconds=30)
    device = person.device()
    poll = person.poll(device)
    assert refused(person.oidc.create_token, **poll) == "AuthorizationPendingException"
    assert refused(person.oidc.create_token, **poll) == "SlowDownException"
    _, _, page = opened(device["verificationUriComplete"])
    Form(page).click(sso, "deny")
    sso.tell("clock", offset_seconds=31)
    assert refused(person.oidc.create_token, **poll) == "AccessDeniedException"
    other = person.device()
    sso.tell("clock", offset_seconds=700)
    assert refused(person.oidc.create_token, **person.poll(other)) == "ExpiredTokenException"
    assert opened(other["verificationUriComplete"])[0] == 400


def test_clients_are_known_by_their_secret_and_for_a_while(sso):
    person = Person(sso)
    authorize = person.oidc.start_device_authorization
    assert refused(authorize, startUrl="https://other.awsapps.com/start", **person.proof) == "InvalidRequestException"
    sso.tell("sso-instance", start_url="https://other.awsapps.com/start/")
    authorize(startUrl="https://other.awsapps.com/start#", **person.proof)
    assert refused(authorize, startUrl=START, clientId="x", clientSecret="x") == "InvalidClientException"
    assert refused(authorize, startUrl=START, clientId=person.proof["clientId"], clientSecret="x") == "InvalidClientException"
    assert refused(Person, aws=sso, issuerUrl="https://nobody.awsapps.com/start") == "InvalidRequestException"
    tokens = person.sign_in()
    sso.tell("clock", offset_seconds=91 * 86_400)
    assert refused(person.oidc.create_token, **person.refresh(tokens["refreshToken"])) == "InvalidClientException"


def test_a_browser_leads_back_with_a_code_that_only_the_verifier_can_use(sso):
    person = by_browser(sso)
    _, _, page = opened(person.authorize())
    status, leads, _ = Form(page).click(sso, "allow")
    answer = urllib.parse.parse_qs(urllib.parse.urlsplit(leads).query)
    assert status == 302 and leads.startswith(f"{BACK}?code=") and answer["state"] == ["a state&more"]
    denied = urllib.parse.urlsplit(Form(page).click(sso, "deny")[1])
    assert urllib.parse.parse_qs(denied.query)["error"] == ["access_denied"]
    create = person.oidc.create_token
    code = person.code()
    assert "refreshToken" in create(**code)
    assert refused(create, **code) == "InvalidGrantException"
    assert refused(create, **person.code(codeVerifier="w" * 64)) == "InvalidGrantException"
    assert refused(create, **person.code(redirectUri="http://127.0.0.1:8/oauth/callback")) == "InvalidGrantException"
    other = by_browser(sso)
    assert refused(create, **person.code(**other.proof)) == "InvalidGrantException"
    stale = person.code()
    sso.tell("clock", offset_seconds=601)
    assert refused(create, **stale) == "InvalidGrantException"


@pytest.mark.parametrize("wrong", [
    {"redirect_uri": "http://127.0.0.1:9/other"},
    {"redirect_uri": "http://localhost:9/oauth/callback"},
    {"redirect_uri": "https://127.0.0.1:9/oauth/callback"},
    {"client_id": "nobody"},
    {"code_challenge_method": "plain"},
    {"code_challenge": "short"},
    {"response_type": "token"},
    {"scopes": "sso:account:access more"},
])
def test_a_wrong_authorization_leads_nowhere(sso, wrong):
    status, leads, _ = opened(by_browser(sso).authorize(_answer="allow", **wrong))
    assert (status, leads) == (400, None)


def test_authorizations_can_go_by_themselves_and_lie(sso):
    sso.tell("sso", auto_approve=True, tamper_state=True)
    status, leads, _ = opened(by_browser(sso).authorize())
    assert status == 302 and leads.endswith("state=a%20state%26more-tampered")


def test_the_older_form_gets_no_refresh_token(sso):
    assert "refreshToken" not in Person(sso, scopes=[]).sign_in()


def test_refresh_tokens_rotate_as_they_are_told(sso):
    person = Person(sso)

    def refreshed(token):
        return person.oidc.create_token(**person.refresh(token))["refreshToken"]

    def is_refused(token):
        return refused(person.oidc.create_token, **person.refresh(token)) == "InvalidGrantException"

    def first(rotation):
        sso.tell("sso", rotation=rotation)
        return person.sign_in()["refreshToken"]

    token = first("none")
    assert refreshed(token) == token
    token = first("rotate")
    assert (new := refreshed(token)) != token and is_refused(token) and refreshed(new)
    token = first("rotate-grace")
    assert len({token, refreshed(token), refreshed(token)}) == 3
    sso.tell("clock", offset_seconds=61)
    assert is_refused(token)
    sessions = sso.tell("sessions")["sso"]
    token = first("revoke-family")
    new = refreshed(token)
    assert is_refused(token) and is_refused(new) and sso.tell("sessions")["sso"] == sessions
    assert is_refused("nonsense")
    assert refused(person.oidc.create_token, **Person(sso).refresh(first("rotate"))) == "InvalidGrantException"


def test_the_portal_lists_page_by_page(sso):
    portal, token = client(sso, "sso"), Person(sso).sign_in()["accessToken"]
    accounts = [page["accountList"] for page in portal.get_paginator("list_accounts").paginate(accessToken=token)]
    assert [len(page) for page in accounts] == [2, 1]
    assert accounts[0][0] == {"accountId": ACCOUNT, "accountName": "first", "emailAddress": f"{ACCOUNT}@example.com"}
    roles = portal.get_paginator("list_account_roles").paginate(accessToken=token, accountId=ACCOUNT)
    assert [role["roleName"] for page in roles for role in page["roleList"]] == ["Admin", "Reader", "Writer"]
    assert refused(portal.list_account_roles, accessToken=token, accountId="9") == "ResourceNotFoundException"
    assert refused(portal.list_accounts, accessToken=token, nextToken="x") == "InvalidRequestException"


def test_a_roles_credentials_are_good_for_sts(sso):
    portal, token = client(sso, "sso"), Person(sso).sign_in()["accessToken"]
    given = portal.get_role_credentials(accessToken=token, accountId=ACCOUNT, roleName="Reader")["roleCredentials"]
    now = datetime.datetime.now().timestamp()
    assert HOUR - 30 < given["expiration"] / 1_000 - now <= HOUR
    session = boto3.Session(given["accessKeyId"], given["secretAccessKey"], given["sessionToken"], "eu-west-1")
    assert session.client("sts", endpoint_url=sso.url).get_caller_identity()["Arn"] == READER
    assert sso.minted("Reader") == 1


def test_the_portal_refuses(sso):
    portal, person = client(sso, "sso"), Person(sso)
    token = person.sign_in()["accessToken"]

    def asked(**more):
        return {"accessToken": token, "accountId": ACCOUNT, "roleName": "Reader", **more}

    get = portal.get_role_credentials
    assert refused(get, **asked(roleName="Other")) == "ForbiddenException"
    assert refused(get, **asked(accountId="9")) == "ResourceNotFoundException"
    assert refused(get, **asked(accessToken="x")) == "UnauthorizedException"
    sso.tell("sso", portal_calls_per_second=0)
    assert refused(get, **asked()) == "TooManyRequestsException"
    sso.tell("sso", portal_calls_per_second=None)
    get(**asked())
    sso.tell("revoke-access-tokens")
    assert refused(get, **asked()) == "UnauthorizedException"
    token = person.sign_in()["accessToken"]
    sso.tell("clock", offset_seconds=HOUR + 1)
    assert refused(get, **asked()) == "UnauthorizedException"
    token = person.sign_in()["accessToken"]
    portal.logout(accessToken=token)
    assert refused(get, **asked()) == "UnauthorizedException"


def test_a_session_ends_whatever_is_refreshed(sso):
    person = Person(sso)
    sso.tell("sso", session_seconds=2 * HOUR)
    token = person.sign_in()["refreshToken"]
    sso.tell("clock", offset_seconds=2 * HOUR - 600)
    tokens = person.oidc.create_token(**person.refresh(token))
    assert tokens["expiresIn"] <= 600
    sso.tell("clock", offset_seconds=2 * HOUR + 1)
    assert refused(person.oidc.create_token, **person.refresh(tokens["refreshToken"])) == "InvalidGrantException"
    assert refused(client(sso, "sso").list_accounts, accessToken=tokens["accessToken"]) == "UnauthorizedException"
    tokens = person.sign_in()
    sso.tell("end-sessions")
    assert refused(person.oidc.create_token, **person.refresh(tokens["refreshToken"])) == "InvalidGrantException"
    assert sso.tell("sessions")["sso"] == 0


@pytest.mark.parametrize("fault, exception", [("500", "InternalServerException"), ("throttled", "TooManyRequestsException")])
def test_faults_are_kept_to_a_service(sso, fault, exception):
    person = Person(sso)
    token = person.sign_in()["accessToken"]
    sso.tell("fail", fault=fault, times=1, service="portal")
    person.device()
    portal = client(sso, "sso")
    assert refused(portal.list_accounts, accessToken=token) == exception
    portal.list_accounts(accessToken=token)
    sso.tell("fail", fault=fault, service="oidc")
    portal.list_accounts(accessToken=token)
    assert refused(person.device) == exception
    assert refused(person.device) == exception
    sso.tell("fail", service="oidc")
    person.device()
    sso.tell("fail", fault=fault, times=1)
    assert refused(person.device) == exception


def test_calls_are_noted_and_the_vanity_url_leads_on(sso):
    person = Person(sso)
    tokens = person.sign_in()
    refused(person.oidc.create_token, **person.refresh("x"))
    client(sso, "sso").logout(accessToken=tokens["accessToken"])
    assert opened(f"{sso.url}/vanity")[:2] == (302, START)
    sso.tell("sso", vanity_leads_to="https://other.awsapps.com/start")
    assert opened(f"{sso.url}/vanity")[1] == "https://other.awsapps.com/start"
    assert [(call["action"], call["status"], call["error"]) for call in sso.tell("calls")["calls"]] == [
        ("RegisterClient", 200, None),
        ("StartDeviceAuthorization", 200, None),
        ("CreateToken:device_code", 200, None),
        ("CreateToken:refresh_token", 400, "InvalidGrantException"),
        ("Logout", 200, None),
        ("Page:vanity", 302, None),
        ("Page:vanity", 302, None),
    ]


def test_settings_that_there_are_not_are_refused(sso):
    for nonsense in ({"no_such_field": 1}, {"rotation": "sideways"}):
        with pytest.raises(urllib.error.HTTPError):
            sso.tell("sso", **nonsense)
    assert sso.tell("sso")["rotation"] == "rotate"


class Home:
    """A home with a profile of each kind, and what the AWS tools keep there."""

    def __init__(self, aws, path):
        self.aws, self.path = aws, path
        self.tokens = path / ".aws" / "sso" / "cache" / f"{hashlib.sha1(b'corp').hexdigest()}.json"
        self.tokens.parent.mkdir(parents=True)
        (path / ".aws" / "config").write_text(
            f"[sso-session corp]\nsso_start_url = {START}\nsso_region = eu-west-1\nsso_registration_scopes = sso:account:access\n"
            f"[profile reader]\nsso_session = corp\nsso_account_id = {ACCOUNT}\nsso_role_name = Reader\nregion = eu-west-1\n"
            f"[profile console]\nlogin_session = {USER}\nregion = eu-west-1\n"
        )

    def keep(self, person, tokens, left):
        stamp = (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=left)).strftime("%Y-%m-%dT%H:%M:%SZ")
        kept = {"startUrl": START, "region": "eu-west-1", "accessToken": tokens["accessToken"], "expiresAt": stamp}
        kept |= {"refreshToken": tokens["refreshToken"], "registrationExpiresAt": "2099-01-01T00:00:00Z", **person.proof}
        self.tokens.write_text(json.dumps(kept))

    def run(self, *command, profile="reader"):
        names = ("STS", "SSO", "SSO_OIDC", "SIGNIN")
        environment = {"PATH": f"{VENV}:/usr/bin:/bin", "HOME": str(self.path), "AWS_PROFILE": profile}
        environment |= {f"AWS_ENDPOINT_URL_{name}": self.aws.url for name in names}
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)


@pytest.fixture
def home(sso, tmp_path):
    return Home(sso, tmp_path)


def test_boto3_refreshes_the_cached_token_by_itself(home, sso):
    person = Person(sso)
    tokens = person.sign_in()
    home.keep(person, tokens, left=60)
    ran = home.run(sys.executable, "-c", WHO)
    assert ran.stdout.strip() == READER, ran.stderr
    kept = json.loads(home.tokens.read_text())
    assert kept["refreshToken"] != tokens["refreshToken"] and kept["accessToken"] != tokens["accessToken"]
    sso.tell("end-sessions")
    ran = home.run(sys.executable, "-c", WHO)
    assert ran.returncode != 0 and "UnauthorizedSSOTokenError" in ran.stderr, ran.stderr


def test_the_aws_cli_uses_and_refreshes_the_cached_token(home, sso):
    person = Person(sso)
    cli = [VENV / "aws", "sts", "get-caller-identity", "--profile", "reader", "--query", "Arn", "--output", "text"]
    for left in (HOUR, 60):
        home.keep(person, person.sign_in(), left)
        ran = home.run(*cli)
        assert ran.stdout.strip() == READER, ran.stderr
    actions = [call["action"] for call in sso.tell("calls")["calls"]]
    assert actions.count("CreateToken:refresh_token") == 1


USER = f"arn:aws:iam::{ACCOUNT}:user/someone"
SAME_DEVICE = "arn:aws:signin:::devtools/same-device"

# botocore signs its proofs with awscrt, which is not here; this does instead of it, and the rest is botocore's own.
SUBSTITUTE = """
import botocore.credentials
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils

class EC:
    def __init__(self, key):
        self.key = key
    @classmethod
    def new_key_from_der_data(cls, data):
        return cls(serialization.load_der_private_key(data, None))
    def get_public_coords(self):
        numbers = self.key.public_key().public_numbers()
        return numbers.x.to_bytes(32, "big"), numbers.y.to_bytes(32, "big")
    def sign(self, digest):
        return self.key.sign(digest, ec.ECDSA(utils.Prehashed(hashes.SHA256())))
    @staticmethod
    def decode_der_signature_to_padded_pair(signature, pad_to):
        return b"".join(part.to_bytes(pad_to, "big") for part in utils.decode_dss_signature(signature))

botocore.credentials.EC = EC
"""


class Console:
    """A client of Signin with its key."""

    def __init__(self, aws):
        from cryptography.hazmat.primitives.asymmetric import ec

        exec(SUBSTITUTE, {})
        self.aws, self.signin, self.more = aws, client(aws, "signin"), {}
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.ec = botocore.credentials.EC(self.key)
        self.signin.meta.events.register("before-call.signin.CreateOAuth2Token", self.prove)

    def prove(self, params, **_):
        params["headers"]["DPoP"] = botocore.credentials._build_dpop_header(self.ec, **{"uri": params["url"], **self.more})

    def code(self, **more):
        asked = {"response_type": "code", "client_id": SAME_DEVICE, "state": "s", "code_challenge_method": "SHA-256"}
        asked |= {"scope": "openid", "redirect_uri": BACK, "code_challenge": CHALLENGE}
        _, _, page = opened(f"{self.aws.url}/v1/authorize?{urllib.parse.urlencode(asked)}")
        _, leads, _ = Form(page).click(self.aws, "allow")
        code = urllib.parse.parse_qs(urllib.parse.urlsplit(leads).query)["code"][0]
        return {"grantType": "authorization_code", "clientId": SAME_DEVICE, "code": code, "redirectUri": BACK, "codeVerifier": VERIFIER, **more}

    def refresh(self, token):
        return {"grantType": "refresh_token", "clientId": SAME_DEVICE, "refreshToken": token}

    def tokens(self, given):
        return self.signin.create_o_auth2_token(tokenInput=given)["tokenOutput"]

    def refused(self, given):
        """The name of the exception, the error and the status."""
        with pytest.raises(botocore.exceptions.ClientError) as caught:
            self.tokens(given)
        said = caught.value.response
        return said["Error"]["Code"], said["error"], said["ResponseMetadata"]["HTTPStatusCode"]


INVALID = ("ValidationException", "INVALID_REQUEST", 400)
EXPIRED = ("AccessDeniedException", "TOKEN_EXPIRED", 401)


def test_a_login_gives_credentials_and_a_refresh_token_for_its_key(aws):
    console = Console(aws)
    first = console.tokens(console.code())
    assert (first["tokenType"], first["expiresIn"]) == ("aws_sigv4", 900)
    payload = first["idToken"].split(".")[1]
    assert json.loads(base64.urlsafe_b64decode(payload + "=="))["sub"] == USER
    keys = first["accessToken"]
    session = boto3.Session(keys["accessKeyId"], keys["secretAccessKey"], keys["sessionToken"], "eu-west-1")
    assert session.client("sts", endpoint_url=aws.url).get_caller_identity()["Arn"] == USER
    second = console.tokens(console.refresh(first["refreshToken"]))
    assert second["refreshToken"] != first["refreshToken"] and "idToken" not in second
    assert Console(aws).refused(console.refresh(second["refreshToken"])) == INVALID
    assert console.refused(console.refresh(first["refreshToken"])) == EXPIRED
    aws.tell("end-sessions", service="signin")
    assert console.refused(console.refresh(second["refreshToken"])) == EXPIRED


def test_a_login_verifies_the_code_and_the_proof(aws):
    console = Console(aws)
    code = console.code()
    console.tokens(code)
    assert console.refused(code) == ("AccessDeniedException", "AUTHCODE_EXPIRED", 401)
    assert console.refused(console.code(codeVerifier="w" * 64)) == INVALID
    assert console.refused(console.code(redirectUri="http://127.0.0.1:8/oauth/callback")) == INVALID
    now = int(datetime.datetime.now().timestamp())
    for wrong in ({"uri": f"{aws.url}/v1/other"}, {"ts": now - 400}, {"ts": now + 400}):
        console.more = wrong
        assert console.refused(console.code()) == INVALID
    console.more = {"uid": "the-same"}
    console.tokens(console.code())
    assert console.refused(console.code()) == INVALID
    console.more, console.ec = {}, Console(aws).ec
    console.ec.get_public_coords = Console(aws).ec.get_public_coords
    assert console.refused(console.code()) == INVALID


@pytest.mark.parametrize("error, seen", [
    ("TOKEN_EXPIRED", EXPIRED),
    ("USER_CREDENTIALS_CHANGED", ("AccessDeniedException", "USER_CREDENTIALS_CHANGED", 403)),
    ("INSUFFICIENT_PERMISSIONS", ("AccessDeniedException", "INSUFFICIENT_PERMISSIONS", 403)),
    ("TOO_MANY_REQUESTS", ("TooManyRequestsError", "INVALID_REQUEST", 429)),
    ("SERVER_ERROR", ("InternalServerException", "server_error", 500)),
])
def test_a_login_fails_as_it_is_told(aws, error, seen):
    console = Console(aws)
    token = console.tokens(console.code())["refreshToken"]
    aws.tell("signin", forced_error=error)
    assert console.refused(console.refresh(token)) == seen
    aws.tell("signin", forced_error=None)
    console.tokens(console.refresh(token))


def test_boto3_refreshes_a_login_by_itself(home, aws):
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    console = Console(aws)
    given = console.tokens(console.code())
    pem = console.key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()
    kept = {"accessToken": {**given["accessToken"], "accountId": ACCOUNT, "expiresAt": "2020-01-01T00:00:00Z"}, "tokenType": "aws_sigv4"}
    kept |= {"refreshToken": given["refreshToken"], "idToken": given["idToken"], "clientId": SAME_DEVICE, "dpopKey": pem}
    cache = home.path / ".aws" / "login" / "cache" / f"{hashlib.sha256(USER.encode()).hexdigest()}.json"
    cache.parent.mkdir(parents=True)
    cache.write_text(json.dumps(kept))
    ran = home.run(sys.executable, "-c", SUBSTITUTE + WHO, profile="console")
    assert ran.stdout.strip() == USER, ran.stderr
    assert json.loads(cache.read_text())["refreshToken"] != given["refreshToken"]
    cache.write_text(json.dumps(kept))
    ran = home.run(sys.executable, "-c", SUBSTITUTE + WHO, profile="console")
    assert "LoginRefreshRequired" in ran.stderr, ran.stderr
