"""SSO and `aws login`: programs that nobody changed, many profiles, two daemons, a real browser, a person at a terminal."""

import concurrent.futures
import contextlib
import dataclasses
import fcntl
import hashlib
import http.client
import http.server
import json
import os
import pty
import random
import re
import signal
import subprocess
import termios
import threading
import time
import urllib.error
import urllib.request

import pytest

from conftest import ACCOUNT, PROGRAMS, VENV, Machine, StandIn, eventually, role
from test_sso_standin import DEVICE, START, USER, client, opened

READER = f"arn:aws:sts::{ACCOUNT}:assumed-role/AWSReservedSSO_Reader_0123456789abcdef/someone"
HELPER = f"credential_process = {PROGRAMS / 'evercred'} credential-process"
FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"
SESSION = f"[sso-session corp]\nsso_start_url = {START}\nsso_region = eu-west-1\nsso_registration_scopes = sso:account:access\n"


def section(name, role_name):
    return f"[profile {name}]\nsso_session = corp\nsso_account_id = {ACCOUNT}\nsso_role_name = {role_name}\nregion = eu-west-1\n"


@dataclasses.dataclass
class Seen:
    """A call, as it passed on its way to the stand-in."""

    arrived: float
    answered: float
    agent: str
    action: str
    status: int
    pause: float


class Passage(http.server.ThreadingHTTPServer):
    """Stands before the stand-in's SSO, and notes who came, when, and what the answer was. (Nothing there is signed.)"""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, url):
        super().__init__(("127.0.0.1", 0), Passing)
        self.behind, self.seen = url.removeprefix("http://"), []
        # How long a refresh is on its way: asked on the way there, and on the way back.
        self.seconds = lambda: 0
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request, client_address):
        """A program that was ended did not wait for its answer."""

    def refreshes(self, agent=""):
        return [seen for seen in self.seen if seen.action == "refresh_token" and agent in seen.agent]

    def end(self):
        self.shutdown()
        self.server_close()


class Passing(http.server.BaseHTTPRequestHandler):
    def pass_on(self):
        arrived = time.monotonic()
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        action = json.loads(body).get("grantType", self.path) if body.startswith(b"{") else self.path
        seconds = self.server.seconds if action == "refresh_token" else lambda: 0
        time.sleep(seconds())
        behind = http.client.HTTPConnection(self.server.behind, timeout=60)
        behind.request(self.command, self.path, body, dict(self.headers))
        answer = behind.getresponse()
        text = answer.read()
        behind.close()
        time.sleep(seconds())
        agent, pause = self.headers.get("User-Agent", ""), float(answer.headers.get("Retry-After") or 0)
        self.server.seen.append(Seen(arrived, time.monotonic(), agent, action, answer.status, pause))
        self.send_response_only(answer.status)
        for name, value in answer.headers.items():
            if name.lower() not in ("connection", "transfer-encoding", "content-length"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = pass_on

    def log_message(self, *_):
        pass


class Place(Machine):
    """A machine whose person has roles in Identity Center, and a login session; with its own stand-in."""

    def __init__(self, aws, home):
        super().__init__(home, aws.url, aws.tell("user", name="someone"))
        self.aws, self.passage, self.daemons = aws, Passage(aws.url), []
        aws.tell("assign", account_id=ACCOUNT, role_name="Reader")
        (home / ".aws" / "config").write_text(
            SESSION
            + section("reader", "Reader")
            + f"[profile console]\nlogin_session = {USER}\nregion = eu-west-1\n"
            + f"[profile fresh]\n{HELPER} console\nregion = eu-west-1\n"
            + f"[profile chained]\n{HELPER} app\nregion = eu-west-1\n"
            + f"[profile app]\nrole_arn = {role('App')}\nsource_profile = console\nregion = eu-west-1\n"
        )

    def environment(self, **more):
        between = {f"AWS_ENDPOINT_URL_{service}": self.passage.url for service in ("SSO", "SSO_OIDC")}
        return super().environment(**between, **more)

    def start_another(self):
        own = {f"EVERCRED_{folder}_DIR": str(self.home / f"{folder.lower()}-2") for folder in ("RUNTIME", "STATE")}
        with open(self.home / "log-2", "a") as log:
            self.daemons.append(subprocess.Popen([PROGRAMS / "evercredd"], env=self.environment(RUST_LOG="debug") | own, stderr=log))
        eventually("the other daemon answers", lambda: self.evercred("status", **own).returncode != 3)

    @property
    def token(self):
        return json.loads((self.home / ".aws" / "sso" / "cache" / f"{hashlib.sha1(b'corp').hexdigest()}.json").read_text())

    def log(self):
        return (self.home / "log").read_text()

    def count(self, action):
        return sum(call["action"] == action for call in self.aws.tell("calls")["calls"])

    def sign_ins(self):
        return sum(seen.action == DEVICE and seen.status == 200 for seen in self.passage.seen)

    def begin_login(self, *arguments, **more):
        command = [PROGRAMS / "evercred", "login", *arguments]
        return subprocess.Popen(command, env=self.environment(**more), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def sign_in(self, **more):
        login = self.begin_login("corp", "--no-browser", **more)
        assert self.aws.tell("approve", user_code=shown(login)[1]) == {"answered": 1}
        said = login.communicate(timeout=60)
        assert login.returncode == 0, said

    def run(self, *command, **more):
        return subprocess.run([str(part) for part in command], env=self.environment(**more), capture_output=True, text=True, timeout=300)

    def browser(self):
        """A browser that only notes what it is to open."""
        program = self.home / "browser"
        program.write_text('#!/bin/sh\necho "$1" > "$HOME/opening" && mv "$HOME/opening" "$HOME/opened"\n')
        program.chmod(0o755)
        return str(program)

    def stop(self):
        super().stop()
        self.daemon = None
        for daemon in self.daemons:
            daemon.terminate()
            daemon.wait(timeout=10)
        self.daemons = []

    def end(self):
        self.stop()
        self.passage.end()
        self.aws.end()


def shown(login):
    """The page and the code that a person is shown."""
    said = ""
    while "code already" not in said:
        line = login.stderr.readline()
        assert line, said
        said += line
    return re.search(r"http://\S+/device\b", said)[0], re.search(r"\b[A-Z0-9]{4}-[A-Z0-9]{4}\b", said)[0]


@pytest.fixture
def place(tmp_path):
    place = Place(StandIn(), tmp_path)
    yield place
    place.end()


# A token of seconds is always in botocore's window: it refreshes with each set of a role that it fetches, by reading the
# file, calling, and writing in place, without a lock. It fetches one when less than fifteen minutes are left of the last.
TOKEN_SECONDS = 12
ROLE_SECONDS = 900 + 13
# Long enough for evercred to be due five times at least; a busy machine gets the time that it needs.
WHILE, LONGEST = 70, 250

BOTO3 = f"""
import boto3, os, sys, time
client, calls = boto3.client("sts"), 0
while not os.path.exists(sys.argv[1]):
    who = client.get_caller_identity()["Arn"]
    assert who == {READER!r}, who
    calls += 1
    print(calls, flush=True)
    time.sleep(0.3)
"""

# botocore's own provider, but eager: it refreshes in the same moments as evercred, which is due at half of a token's life.
EAGER = f"""
import os, random, sys, time
import botocore.session, botocore.tokens
session, calls = botocore.session.Session(profile="reader"), 0
provider = botocore.tokens.SSOTokenProvider(session)
while not os.path.exists(sys.argv[1]):
    provider._REFRESH_WINDOW = random.uniform({TOKEN_SECONDS * 0.4}, {TOKEN_SECONDS * 0.55})
    provider.load_token().get_frozen_token()
    calls += 1
    print(calls, flush=True)
    time.sleep(random.uniform(0.1, 0.8))
"""


class Enough:
    """Tells when a program has run long enough, and often enough for what the test is about to have happened."""

    def __init__(self, place, agent, calls, ours, theirs):
        self.place, self.agent, self.calls, self.ours, self.theirs = place, agent, calls, ours, theirs
        self.begin = time.monotonic()

    def __call__(self, calls):
        took = time.monotonic() - self.begin
        ours = sum(seen.status == 200 for seen in self.place.passage.refreshes("aws-sdk-rust"))
        theirs = len(self.place.passage.refreshes(self.agent))
        return took > LONGEST or took > WHILE and calls >= self.calls and ours >= self.ours and theirs >= self.theirs


def run_until(place, enough, script, **more):
    """Runs a script, which prints how often it has done what it does, until that is enough."""
    over = place.home / "over"
    command = [VENV / "python", "-c", script, over]
    program = subprocess.Popen(command, env=place.environment(**more), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    calls = 0
    for line in program.stdout:
        calls = int(line)
        if enough(calls):
            over.touch()
    _, said = program.communicate(timeout=60)
    assert program.returncode == 0, said
    return calls


def by_boto3(place):
    return run_until(place, Enough(place, "otoco", calls=8, ours=3, theirs=2), BOTO3, AWS_PROFILE="reader")


def by_the_cli(place):
    enough, calls = Enough(place, "aws-cli", calls=8, ours=3, theirs=2), 0
    while not enough(calls):
        ran = place.run(VENV / "aws", "sts", "get-caller-identity", "--profile", "reader", "--query", "Arn", "--output", "text")
        assert ran.returncode == 0 and ran.stdout.strip() == READER, ran.stderr
        calls += 1
        # It keeps no roles, so each call refreshes; evercred does where nobody has for half of a token's life, or a little more.
        time.sleep(random.uniform(TOKEN_SECONDS * 0.45, TOKEN_SECONDS * 0.65) if calls % 2 else 0.5)
    return calls


def by_an_eager_tool(place):
    place.start_another()
    return run_until(place, Enough(place, "otoco", calls=30, ours=1, theirs=1), EAGER)


def long_run(aws, home, user, rotation):
    """Signs in once, lets the program run, and gives the place and how often the program did what it does."""
    place = Place(aws, home)
    try:
        aws.tell("sso", access_token_seconds=TOKEN_SECONDS, role_seconds=ROLE_SECONDS, rotation=rotation)
        place.start()
        place.sign_in()
        # Far longer than on a network, so that two often use the same token.
        place.passage.seconds = lambda: random.uniform(0, 0.7)
        calls = user(place)
        # Whatever is under way then: nobody refreshes any more, and no token is lost.
        place.stop()
        return place, calls
    except BaseException as error:
        seen = [(round(seen.arrived, 2), seen.agent[:12], seen.action, seen.status) for seen in place.passage.seen[-40:]]
        error.add_note(f"{seen}\n{place.log()[-20_000:]}")
        place.end()
        raise


@pytest.fixture(scope="module")
def long_runs(request, tmp_path_factory):
    """All that were chosen run at the same time, each with an AWS and a home of its own: they mostly wait."""
    chosen = [item.callspec.params for item in request.session.items if item.module is request.module and "long_runs" in item.fixturenames]
    with concurrent.futures.ThreadPoolExecutor(max(len(chosen), 1)) as threads:
        runs = {
            (params["user"], params["rotation"]): threads.submit(long_run, StandIn(), tmp_path_factory.mktemp("long"), params["user"], params["rotation"])
            for params in chosen
        }
        yield runs
    for run in runs.values():
        if not run.exception():
            run.result()[0].end()


# Not here: "revoke-family", where each used refresh token that is shown again ends the session. Two programs that refresh
# without a lock can't live with that, whatever a third one does; what evercred does for them, refresh so early that they
# never do, needs tokens that live longer than their fifteen minutes: the test after this one.
@pytest.mark.parametrize("rotation", ["none", "rotate", "rotate-grace"])
@pytest.mark.parametrize("user", [by_boto3, by_the_cli])
def test_programs_that_nobody_changed_run_on_short_tokens_without_one_failure(long_runs, user, rotation):
    place, calls = long_runs[user, rotation].result()
    ours, theirs = place.passage.refreshes("aws-sdk-rust"), place.passage.refreshes("otoco" if user is by_boto3 else "aws-cli")
    assert calls >= 8
    print(f"{calls} calls, {len(ours)} refreshes by evercred, {len(theirs)} by the program, {sum(seen.status != 200 for seen in ours + theirs)} refused")
    # Both have refreshed, and were in each other's way now and then; nobody had to sign in again.
    assert sum(seen.status == 200 for seen in ours) >= 3, place.passage.seen
    assert len(theirs) >= 2 and len(ours) + len(theirs) == len(place.passage.refreshes())
    assert place.sign_ins() == 1 and place.aws.tell("sessions")["sso"] == 1
    assert_token_is_live(place)


@pytest.mark.parametrize("rotation", ["rotate", "rotate-grace"])
@pytest.mark.parametrize("user", [by_an_eager_tool])
def test_two_daemons_and_a_tool_without_a_lock_keep_one_session(long_runs, user, rotation):
    place, calls = long_runs[user, rotation].result()
    ours, theirs = place.passage.refreshes("aws-sdk-rust"), place.passage.refreshes("otoco")
    print(f"{calls} looks, {len(ours)} refreshes by evercred, {len(theirs)} by the tool, {sum(seen.status != 200 for seen in ours + theirs)} refused")
    assert calls >= 30 and ours and theirs
    assert place.sign_ins() == 1 and place.aws.tell("sessions")["sso"] == 1
    for log in ("log", "log-2"):
        assert "sso-login-needed" not in (place.home / log).read_text()
    assert_token_is_live(place)


def assert_token_is_live(place):
    """The refresh token in the file, whoever wrote it last, gets a token that the portal takes."""
    token = place.token
    proof = {name: token[name] for name in ("clientId", "clientSecret", "refreshToken")}
    answer = client(place.aws, "sso-oidc").create_token(grantType="refresh_token", **proof)
    roles = client(place.aws, "sso").list_account_roles(accountId=ACCOUNT, accessToken=answer["accessToken"])
    assert roles["roleList"][0]["roleName"] == "Reader"


def test_a_daemon_that_is_stopped_in_the_middle_of_a_refresh_loses_no_token(place):
    place.aws.tell("sso", access_token_seconds=8)
    place.passage.seconds = lambda: 1
    place.start()
    place.sign_in()
    eventually("AWS has rotated the token", lambda: place.count("CreateToken:refresh_token") == 1)
    # The answer is on its way.
    place.stop()
    assert place.count("CreateToken:refresh_token") == 1
    assert_token_is_live(place)


@pytest.mark.skipif("EVERCRED_TEST_WITHOUT_FAKETIME" in os.environ, reason="told to do without faketime, and said so")
def test_where_reuse_ends_the_session_boto3_never_needs_to_refresh(place):
    """Hours pass in steps, for this machine and for AWS. Each time evercred is first, with about twenty minutes left, so that
    boto3, which would refresh at fifteen, gets its roles with what it finds."""
    assert os.path.exists(FAKETIME), "libfaketime is installed by scripts/test"
    stamp = place.home / "stamp"
    stamp.write_text("+0")
    fake = {"LD_PRELOAD": FAKETIME, "FAKETIME_TIMESTAMP_FILE": str(stamp), "FAKETIME_NO_CACHE": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    place.aws.tell("sso", rotation="revoke-family", role_seconds=40 * 60)
    place.start(**fake)
    place.sign_in(**fake)
    script = "import boto3, sys\nclient = boto3.client('sts')\nfor line in sys.stdin:\n    print(client.get_caller_identity()['Arn'], flush=True)\n"
    process = subprocess.Popen(
        [VENV / "python", "-c", script],
        env=place.environment(AWS_PROFILE="reader", **fake),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )

    def asks():
        process.stdin.write("go\n")
        process.stdin.flush()
        assert process.stdout.readline().strip() == READER, process.stderr.read()

    try:
        asks()
        for turn in range(1, 7):
            before = place.token["accessToken"]
            place.aws.tell("clock", offset_seconds=turn * 42 * 60)
            stamp.write_text(f"+{turn * 42 * 60}")
            # The kernel, whose own clock did not jump, wakes nobody; a caller does.
            place.evercred("credential-process", "reader")
            eventually(f"evercred refreshes after step {turn}", lambda: place.token["accessToken"] != before)
            asks()
    finally:
        process.stdin.close()
        process.wait(timeout=20)
    refreshes = place.passage.refreshes()
    assert len(refreshes) == len(place.passage.refreshes("aws-sdk-rust")) == 6, refreshes
    assert sum("/federation/credentials" in seen.action and "otoco" in seen.agent for seen in place.passage.seen) == 7
    assert place.sign_ins() == 1 and place.aws.tell("sessions")["sso"] == 1


@pytest.mark.parametrize("per_second", [5, 10])
def test_fifty_profiles_are_fresh_soon_after_one_sign_in_and_no_pause_is_ignored(place, per_second):
    names = [f"r{number}" for number in range(50)]
    for name in names:
        place.aws.tell("assign", account_id=ACCOUNT, role_name=name)
    place.aws.tell("sso", portal_calls_per_second=per_second)
    (place.home / ".aws" / "config").write_text(SESSION + "".join(section(name, name) for name in names))
    place.start()

    def portal():
        return [seen for seen in place.passage.seen if "/federation/credentials" in seen.action]

    def ask(name):
        ran = place.evercred("credential-process", name)
        return ran.returncode, json.loads(ran.stdout)["AccessKeyId"] if ran.returncode == 0 else ran.stderr

    with concurrent.futures.ThreadPoolExecutor(len(names)) as threads:
        assert {code for code, _ in threads.map(ask, names)} == {5}
        portal = lambda: [seen for seen in place.passage.seen if "/federation/credentials" in seen.action]
        assert not portal(), "a session that needs a person makes no calls"
        place.sign_in()
        began = time.monotonic()
        answers = list(threads.map(ask, names))
        took = time.monotonic() - began
        # The same programs, with nothing to wait for: that is how long this machine takes for them.
        list(threads.map(ask, names))
        again = time.monotonic() - began - took
    print(f"{per_second} a second: 50 profiles in {took:.1f} s, {len(portal())} calls")
    assert [said for code, said in answers if code != 0] == []
    assert len({key for _, key in answers}) == 50
    # Five a second, which is as many as evercred sends, take ten seconds; each pause that AWS asks for is a second more.
    assert took < 28 + 2 * again
    refused = [seen for seen in portal() if seen.status == 429]
    assert len(refused) <= (0 if per_second == 10 else 15), refused
    for pause in refused:
        # What was under way when the refusal came could not know of it; AWS means the whole of its second.
        inside = [seen.arrived - pause.answered for seen in portal() if 0.3 < seen.arrived - pause.answered < pause.pause - 0.05]
        assert not inside, inside
    assert place.sign_ins() == 1


class Chromium:
    """A real browser: evercred starts it by BROWSER, and chromedriver clicks in it. Plain WebDriver."""

    def __init__(self, home):
        self.home, self.folder, self.driver = home, home / "chromium", None
        self.program = home / "chromium-at"
        flags = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync --disable-dev-shm-usage"
        self.program.write_text(
            f"#!/bin/sh\necho $$ > '{home}/chromium-pid'\n"
            f"exec chromium {flags} --remote-debugging-port=0 --user-data-dir='{self.folder}' \"$1\" > '{home}/chromium-log' 2>&1\n"
        )
        self.program.chmod(0o755)

    def attach(self):
        port = self.folder / "DevToolsActivePort"
        eventually("Chromium is there", lambda: port.exists() and port.read_text().count("\n") >= 1)
        self.url = f"http://127.0.0.1:{self.start_driver()}/session"
        options = {"debuggerAddress": f"127.0.0.1:{port.read_text().splitlines()[0]}"}
        answer = self.ask("POST", "", {"capabilities": {"alwaysMatch": {"goog:chromeOptions": options}}})
        self.url += f"/{answer['sessionId']}"

    def start_driver(self):
        """Its port. It draws one, and ends where that is taken in IPv6: then it draws again."""
        said = ""
        for _ in range(5):
            self.driver = subprocess.Popen(["chromedriver", "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            for line in self.driver.stdout:
                said += line
                if found := re.search(r"started successfully on port (\d+)", line):
                    return found[1]
            self.driver.wait(timeout=10)
        raise AssertionError(f"chromedriver does not start: {said}")

    def ask(self, method, path, given=None):
        body = None if given is None else json.dumps(given).encode()
        with urllib.request.urlopen(urllib.request.Request(self.url + path, body, method=method), timeout=60) as answer:
            return json.load(answer)["value"]

    def element(self, selector):
        """Its number, once the page has it."""
        found = []

        def is_there():
            with contextlib.suppress(urllib.error.HTTPError):
                found.extend(self.ask("POST", "/element", {"using": "css selector", "value": selector}).values())
            return found

        eventually(f"the page has {selector}", is_there)
        return found[0]

    def click(self, selector):
        self.ask("POST", f"/element/{self.element(selector)}/click", {})

    def type(self, selector, text):
        self.ask("POST", f"/element/{self.element(selector)}/value", {"text": text})

    def text(self, selector):
        return self.ask("GET", f"/element/{self.element(selector)}/text")

    def address(self):
        return self.ask("GET", "/url")

    def end(self):
        if self.driver:
            self.driver.terminate()
            self.driver.wait(timeout=10)
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            os.kill(int((self.home / "chromium-pid").read_text()), signal.SIGTERM)


@pytest.fixture
def chromium(tmp_path):
    if "EVERCRED_TEST_WITHOUT_CHROMIUM" in os.environ:
        pytest.skip("told to do without chromium, and said so")
    chromium = Chromium(tmp_path)
    yield chromium
    chromium.end()


@pytest.mark.parametrize("name, profile", [("corp", "reader"), ("console", "console")])
def test_a_person_allows_in_chromium_and_is_signed_in(place, chromium, name, profile):
    place.start()
    login = place.begin_login(name, BROWSER=str(chromium.program))
    chromium.attach()
    chromium.click("#allow")
    assert chromium.text("h1") == "Signed in"
    assert re.match(r"http://127\.0\.0\.1:\d+/oauth/callback\?", chromium.address())
    said = login.communicate(timeout=60)
    assert login.returncode == 0, said
    ran = place.evercred("credential-process", profile)
    assert ran.returncode == 0, ran.stderr


def test_a_person_denies_in_chromium_and_is_told(place, chromium):
    place.start()
    login = place.begin_login("corp", BROWSER=str(chromium.program))
    chromium.attach()
    chromium.click("#deny")
    assert chromium.text("h1") == "Not signed in"
    _, said = login.communicate(timeout=60)
    assert login.returncode == 5 and "denied" in said and "sign in again, and allow it" in said, said


def test_a_person_types_the_code_in_chromium(place, chromium):
    place.start()
    login = place.begin_login("corp", "--no-browser")
    page, code = shown(login)
    with subprocess.Popen([chromium.program, page], env=place.environment()):
        chromium.attach()
        chromium.type("#user_code", code.lower())
        chromium.click("#continue")
        chromium.click("#allow")
        assert "Allowed" in chromium.text("#done")
        rest = login.communicate(timeout=60)
        assert login.returncode == 0 and rest[0].startswith("corp: signed in"), rest
        chromium.end()


def test_login_sessions_are_refreshed_behind_boto3_and_the_cli(place):
    place.aws.tell("signin", credentials_seconds=10)
    place.aws.tell("role", arn=role("App"), trusts=[USER])
    place.start()
    login = place.begin_login("console", BROWSER=place.browser())
    page = place.home / "opened"
    eventually("the browser opens a page", page.exists)
    status, leads, _ = opened(f"{page.read_text().strip()}&_answer=allow")
    assert status == 302 and "Signed in" in opened(leads)[2]
    said = login.communicate(timeout=60)
    assert login.returncode == 0, said
    script = (
        "import boto3, sys, time\n"
        "console, app = (boto3.Session(profile_name=name).client('sts') for name in ('fresh', 'chained'))\n"
        "end, seen = time.monotonic() + 240, set()\n"
        "while len(seen) < 4 and time.monotonic() < end:\n"
        f"    assert console.get_caller_identity()['Arn'] == {USER!r}\n"
        "    assert app.get_caller_identity()['Arn'].endswith(':assumed-role/App/evercred')\n"
        "    seen.add(console._request_signer._credentials.get_frozen_credentials().access_key)\n"
        "    time.sleep(0.3)\n"
        "print(len(seen))\n"
    )
    ran = place.run(VENV / "python", "-c", script)
    assert ran.stdout.strip() == "4", ran.stderr + place.log()[-5_000:]
    for name, arn in [("fresh", USER), ("chained", f"arn:aws:sts::{ACCOUNT}:assumed-role/App/evercred")]:
        ran = place.run(VENV / "aws", "sts", "get-caller-identity", "--profile", name, "--query", "Arn", "--output", "text")
        assert ran.stdout.strip() == arn, ran.stderr
    calls = place.aws.tell("calls")["calls"]
    assert all(call["error"] is None for call in calls), calls
    assert place.count("CreateOAuth2Token:authorization_code") == 1 and place.count("CreateOAuth2Token:refresh_token") >= 3


def test_ctrl_c_ends_a_sign_in_at_once_and_nothing_asks_on(place):
    def polls():
        return sum(seen.action == DEVICE for seen in place.passage.seen)

    place.start()
    ours, theirs = pty.openpty()
    person = subprocess.Popen(
        [PROGRAMS / "evercred", "login", "corp", "--no-browser"],
        env=place.environment(),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        # Without a terminal of its own, Ctrl-C would be a character like another.
        preexec_fn=lambda: (signal.signal(signal.SIGINT, signal.SIG_DFL), fcntl.ioctl(theirs, termios.TIOCSCTTY, 0)),
    )
    try:
        said = b""
        while b"Ctrl-C" not in said:
            said += os.read(ours, 4096)
        eventually("it is asked whether the person is done", lambda: polls() >= 2)
        # The sign-in itself would last ten minutes.
        os.write(ours, b"\x03")
        assert person.wait(timeout=20) != 0
    finally:
        person.kill()
        person.wait()
        os.close(ours)
        os.close(theirs)
    eventually("the daemon gives it up", lambda: "a sign-in was given up" in place.log())
    before = polls()
    # The stand-in says that it may be asked each second; one call may have been on its way.
    time.sleep(3.5)
    assert polls() <= before + 1
    place.sign_in()
