"""Real clients against the real programs: a home of its own, the stand-in for AWS (or moto), and the daemon."""

import json
import os
import pathlib
import subprocess
import time
import urllib.request

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAMS = ROOT / "target" / "debug"
VENV = ROOT / "target" / "clients-venv" / "bin"
ACCOUNT = "111122223333"
# Far longer than anything takes, also on a busy machine.
PATIENCE = 90
SERVICES = ("STS", "SSO", "SSO_OIDC", "SIGNIN")


def pytest_sessionstart(session):
    if hasattr(session.config, "workerinput"):
        return  # One process of the tests': the one that started it has built the programs.
    subprocess.run(["cargo", "build", "--quiet", "--bins", "--example", "aws-stand-in"], cwd=ROOT, check=True)


def role(name):
    return f"arn:aws:iam::{ACCOUNT}:role/{name}"


def eventually(what, condition):
    """Another program's doing: looked at again and again, until patience ends."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, f"it never happened: {what}"
        time.sleep(0.05)


def end(process):
    """Waits for a process, and kills it if it stays: a failed test must leave nothing for the next one."""
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise


class StandIn:
    def __init__(self):
        program = PROGRAMS / "examples" / "aws-stand-in"
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.url = self.process.stdout.readline().strip()

    def tell(self, command, **given):
        request = urllib.request.Request(f"{self.url}/_stand-in/{command}", json.dumps(given).encode(), method="POST")
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def minted(self, name):
        calls = self.tell("calls")["calls"]
        return sum(call["role_arn"] == role(name) and call["status"] == 200 for call in calls)

    def end(self):
        self.process.stdin.close()
        end(self.process)


class Machine:
    def __init__(self, home, endpoint, key):
        self.home, self.endpoint, self.daemon = home, endpoint, None
        (home / ".aws").mkdir()
        self.settings("")
        helper = PROGRAMS / "evercred"
        (home / ".aws" / "config").write_text(
            f"[profile mid]\nrole_arn = {role('Mid')}\nsource_profile = base\n"
            f"[profile app]\nrole_arn = {role('App')}\nsource_profile = mid\nregion = eu-west-1\n"
            f"[profile fresh]\ncredential_process = {helper} credential-process app\nregion = eu-west-1\n"
        )
        (home / ".aws" / "credentials").write_text(
            f"[base]\naws_access_key_id = {key['access_key_id']}\naws_secret_access_key = {key['secret_access_key']}\n"
        )

    def settings(self, text):
        """Writes the settings; whatever they are, nothing is asked outside this machine."""
        file = self.home / ".config" / "evercred" / "evercred.toml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text + "[clock]\nntp = []\n")

    def environment(self, **more):
        return {
            "PATH": f"{VENV}:/usr/bin:/bin",
            "HOME": str(self.home),
            "EVERCRED_RUNTIME_DIR": str(self.home / "run"),
            "EVERCRED_STATE_DIR": str(self.home / "state"),
            **{f"AWS_ENDPOINT_URL_{service}": self.endpoint for service in SERVICES},
            "AWS_EC2_METADATA_DISABLED": "true",
            **more,
        }

    def start(self, **more):
        log = open(self.home / "log", "a")
        environment = self.environment(RUST_LOG="debug", **more)
        self.daemon = subprocess.Popen([PROGRAMS / "evercredd"], env=environment, stderr=log)
        eventually("the daemon answers", lambda: self.evercred("status").returncode != 3)

    def evercred(self, *arguments, **more):
        return subprocess.run([PROGRAMS / "evercred", *arguments], env=self.environment(**more), capture_output=True, text=True)

    def python(self, script, **more):
        return subprocess.run([VENV / "python", "-c", script], env=self.environment(AWS_PROFILE="fresh", **more), capture_output=True, text=True, timeout=300)

    def stop(self):
        if self.daemon:
            self.daemon.terminate()
            end(self.daemon)


@pytest.fixture
def aws():
    standin = StandIn()
    standin.tell("role", arn=role("Mid"), trusts=[f"arn:aws:iam::{ACCOUNT}:user/someone"])
    standin.tell("role", arn=role("App"), trusts=[role("Mid")])
    yield standin
    standin.end()


@pytest.fixture
def machine(aws, tmp_path):
    machine = Machine(tmp_path, aws.url, aws.tell("user", name="someone"))
    yield machine
    machine.stop()
