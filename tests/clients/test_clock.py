"""AWS over TLS and emulators on plain http whose clocks are wrong, at the same time: real servers, the real programs."""

import datetime
import json

import pytest

from conftest import StandIn, eventually, role
from test_network import ca, tls_front  # noqa: F401

HOUR = 3_600


@pytest.fixture
def emulator():
    standin = StandIn()
    yield standin
    standin.end()


@pytest.fixture
def both(aws, emulator, machine, ca):  # noqa: F811
    """A machine with profile `real` at AWS over TLS, and profile `emu` at an emulator on plain http."""
    key = emulator.tell("user", name="someone")
    emulator.tell("role", arn=role("Mid"), trusts=[f"arn:aws:iam::111122223333:user/someone"])
    with tls_front(aws, ca) as url:
        machine.endpoint = ""
        settings = f"role_arn = {role('Mid')}\nregion = eu-west-1\n"
        (machine.home / ".aws/config").write_text(
            f"[profile real]\nsource_profile = base\nendpoint_url = {url}\n{settings}"
            f"[profile emu]\nsource_profile = emu-base\nendpoint_url = {emulator.url}\n{settings}"
        )
        with (machine.home / ".aws/credentials").open("a") as file:
            file.write(f"[emu-base]\naws_access_key_id = {key['access_key_id']}\n")
            file.write(f"aws_secret_access_key = {key['secret_access_key']}\n")
        # The endpoint for no profile: nobody is asked outside this machine.
        machine.start(
            AWS_CA_BUNDLE=str(machine.home / "ca.pem"), HTTPS_PROXY="http://127.0.0.1:9", NO_PROXY="localhost,127.0.0.1"
        )
        yield machine


def clock(machine):
    return json.loads(machine.evercred("clock", "--json").stdout)


def is_an_hour(machine, profile):
    """Whether a profile's credentials, which this call may fetch, were fetched for an hour by this machine's clock."""
    begin = datetime.datetime.now(datetime.timezone.utc)
    machine.evercred("renew", profile)
    seconds = left(machine, profile)
    took = (datetime.datetime.now(datetime.timezone.utc) - begin).total_seconds()
    return 3_600 - took - 2 <= seconds <= 3_601


def left(machine, profile):
    answer = machine.evercred("credential-process", profile)
    assert answer.returncode == 0, (answer.stderr, (machine.home / "log").read_text())
    expiration = datetime.datetime.fromisoformat(json.loads(answer.stdout)["Expiration"])
    return (expiration - datetime.datetime.now(datetime.timezone.utc)).total_seconds()


def alarms(machine):
    return [line for line in (machine.home / "log").read_text().splitlines() if "clock-skewed" in line]


@pytest.mark.parametrize("off", [-120, HOUR, -2 * HOUR])
@pytest.mark.parametrize("first", ["real", "emu"])
def test_an_emulator_with_a_wrong_clock_changes_nothing_for_aws(aws, emulator, both, off, first):
    emulator.tell("clock", offset_seconds=off)
    # Signed by AWS's time, an emulator so far off refuses its own calls, and those only.
    for profile in [first, "emu", "real"]:
        answer = both.evercred("credential-process", profile)
        assert answer.returncode == 0 or profile == "emu" and off != -120, answer.stderr
    for _ in range(2):
        both.evercred("renew", "emu")
        assert is_an_hour(both, "real")
    document = clock(both)
    assert document["state"] == "ok" and abs(document["offset_seconds"]) < 2.5, document
    assert alarms(both) == []
    assert [call for call in aws.tell("calls")["calls"] if call["status"] != 200] == []
    status = json.loads(both.evercred("status", "--json").stdout)
    assert not [problem for problem in status["problems"] if problem["id"] == "clock-skewed"]


def test_the_sources_of_the_clock_say_who_is_not_believed(aws, emulator, both):
    emulator.tell("clock", offset_seconds=-120)
    left(both, "real")
    left(both, "emu")
    document = clock(both)
    assert document["schema"] == "evercred.clock/1"
    # The fields of the clock in `status --json`, with the same values.
    status = json.loads(both.evercred("status", "--json").stdout)["clock"]
    for field in ("state", "source", "crosses_limit_in_seconds"):
        assert document[field] == status[field]
    for field in ("offset_seconds", "uncertainty_seconds"):
        assert abs(document[field] - status[field]) < 0.5
    datetime.datetime.fromisoformat(document["measured_at"])
    believed, outranked = document["sources"][:2]
    assert (believed["kind"], believed["rank"], believed["believed"]) == ("aws", "https-endpoint", True)
    assert believed["why"] is None
    assert (outranked["name"], outranked["kind"]) == (emulator.url, "endpoint")
    assert (outranked["rank"], outranked["believed"]) == ("http-endpoint", False)
    assert outranked["why"] and abs(outranked["offset_seconds"] - 120) < 2.5
    text = both.evercred("clock").stdout
    assert emulator.url in text


def test_an_emulator_whose_clock_is_corrected_is_believed_again(emulator, both):
    emulator.tell("clock", offset_seconds=240)
    left(both, "real")
    left(both, "emu")
    assert len([source for source in clock(both)["sources"] if source["kind"] == "endpoint"]) == 1
    emulator.tell("clock", offset_seconds=0)
    eventually("its profile is renewed", lambda: both.evercred("renew", "emu").returncode == 0)
    assert [source for source in clock(both)["sources"] if source["kind"] == "endpoint"] == []
