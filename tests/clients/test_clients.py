"""boto3 and the AWS CLI, through credential_process."""

import json
import os
import shutil
import socket
import subprocess
import threading

import pytest

from conftest import ACCOUNT, PROGRAMS, VENV, Machine, eventually, role

WHO = "import boto3; print(boto3.client('sts').get_caller_identity()['Arn'])"
ASSUMED = f"arn:aws:sts::{ACCOUNT}:assumed-role/App/evercred"


def test_boto3_gets_the_roles_credentials(machine):
    machine.start()
    ran = machine.python(WHO)
    assert ran.stdout.strip() == ASSUMED, ran.stderr


def test_the_aws_cli_gets_the_roles_credentials(machine):
    machine.start()
    ran = subprocess.run(
        [VENV / "aws", "sts", "get-caller-identity", "--output", "json"],
        env=machine.environment(AWS_PROFILE="fresh"),
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0 and json.loads(ran.stdout)["Arn"] == ASSUMED, ran.stderr


def test_exec_hands_boto3_the_keys_although_a_profile_and_keys_are_set(machine):
    machine.start()
    environment = machine.environment(AWS_PROFILE="nonsense", AWS_ACCESS_KEY_ID="AKIAOTHER", AWS_SECRET_ACCESS_KEY="x")
    command = [PROGRAMS / "evercred", "exec", "app", "--static", "--", VENV / "python", "-c", WHO]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert ran.stdout.strip() == ASSUMED, ran.stderr


def test_a_refusal_reaches_the_person_through_boto3(machine, aws):
    aws.tell("role", arn=role("Mid"), trusts=[])
    machine.start()
    ran = machine.python(WHO)
    assert ran.returncode != 0
    assert "is not authorized to perform: sts:AssumeRole" in ran.stderr, ran.stderr


def test_one_long_process_sees_more_than_five_renewals_without_one_error(machine, aws):
    aws.tell("life", seconds=4)
    machine.start()
    script = (
        "import boto3, time\n"
        "client = boto3.client('sts'); seen = set()\n"
        "end = time.monotonic() + 240\n"
        "while len(seen) < 6 and time.monotonic() < end:\n"
        "    client.get_caller_identity()\n"
        "    seen.add(client._request_signer._credentials.get_frozen_credentials().access_key)\n"
        "    time.sleep(0.2)\n"
        "print(len(seen))\n"
    )
    ran = machine.python(script)
    assert ran.stdout.strip() == "6", ran.stderr
    calls = aws.tell("calls")["calls"]
    assert all(call["error"] is None for call in calls), calls


@pytest.mark.skipif("EVERCRED_TEST_WITHOUT_FAKETIME" in os.environ, reason="told to do without faketime, and said so")
def test_hour_long_stamps_cross_boto3s_advisory_window_without_one_error(machine, aws, tmp_path):
    """The whole machine's wall clock is stepped by 50 minutes, and AWS's with it, again and again: as if time had passed
    while this machine was paused. boto3 finds less than its 15 minutes left and comes back; what it then gets is new."""
    library = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"
    assert os.path.exists(library), "libfaketime is installed by scripts/test"
    stamp = tmp_path / "stamp"
    stamp.write_text("+0")
    fake = {
        "LD_PRELOAD": library,
        "FAKETIME_TIMESTAMP_FILE": str(stamp),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    machine.start(**fake)
    script = (
        "import boto3, sys\n"
        "client = boto3.client('sts')\n"
        "for line in sys.stdin:\n"
        "    client.get_caller_identity()\n"
        "    print(client._request_signer._credentials.get_frozen_credentials().access_key, flush=True)\n"
    )
    process = subprocess.Popen(
        [VENV / "python", "-c", script],
        env=machine.environment(AWS_PROFILE="fresh", **fake),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    seen = []
    try:
        for turn in range(7):

            def asked():
                process.stdin.write("go\n")
                process.stdin.flush()
                key = process.stdout.readline().strip()
                assert key, process.stderr.read()
                return key

            # The first answer is the old set, which is still valid; the renewal goes on behind it.
            eventually(f"a new set after step {turn}", lambda: asked() not in seen)
            seen.append(asked())
            aws.tell("clock", offset_seconds=(turn + 1) * 3000)
            stamp.write_text(f"+{(turn + 1) * 3000}")
    finally:
        process.stdin.close()
        process.wait(timeout=20)
    assert len(set(seen)) >= 6, seen
    assert all(call["error"] is None for call in aws.tell("calls")["calls"])


def test_a_wrong_wall_clock_is_seen_through_libfaketime(machine, aws):
    if "EVERCRED_TEST_WITHOUT_FAKETIME" in os.environ:
        pytest.skip("told to do without faketime, and said so")
    fake = {"LD_PRELOAD": "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1", "FAKETIME": "-20m", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    machine.start(**fake)
    assert machine.evercred("credential-process", "app").returncode == 0
    clock = json.loads(machine.evercred("status", "--json").stdout)["clock"]
    assert clock["state"] == "critical" and abs(clock["offset_seconds"] + 1200) < 3, clock
    assert all(call["error"] is None for call in aws.tell("calls")["calls"])


@pytest.fixture
def moto(tmp_path_factory, request):
    """moto's server: a second opinion. With authentication on after six calls, or after as many as a test says."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = open(tmp_path_factory.mktemp("moto") / "log", "w")
    environment = {**os.environ, "INITIAL_NO_AUTH_ACTION_COUNT": str(getattr(request, "param", 6))}
    process = subprocess.Popen([VENV / "moto_server", "-H", "127.0.0.1", "-p", str(port)], env=environment, stdout=log, stderr=log)

    def answers():
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    eventually("moto answers", answers)
    yield f"http://127.0.0.1:{port}"
    process.terminate()
    process.wait(timeout=10)


def test_moto_with_authentication_on_accepts_what_is_signed(moto, tmp_path):
    import boto3

    iam = boto3.client("iam", endpoint_url=moto, region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
    iam.create_user(UserName="someone")
    allow = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    iam.put_user_policy(UserName="someone", PolicyName="all", PolicyDocument=json.dumps(allow))
    trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}]}
    arn = iam.create_role(RoleName="App", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    iam.put_role_policy(RoleName="App", PolicyName="all", PolicyDocument=json.dumps(allow))
    key = iam.create_access_key(UserName="someone")["AccessKey"]
    # From here on moto wants signatures.
    machine = Machine(tmp_path, moto, {"access_key_id": key["AccessKeyId"], "secret_access_key": key["SecretAccessKey"]})
    (tmp_path / ".aws" / "config").write_text(
        f"[profile app]\nrole_arn = {arn}\nsource_profile = base\nregion = us-east-1\n"
        f"[profile fresh]\ncredential_process = {PROGRAMS / 'evercred'} credential-process app\nregion = us-east-1\n"
        f"[profile bad]\nrole_arn = {arn}\nsource_profile = wrong\nregion = us-east-1\n"
    )
    with open(tmp_path / ".aws" / "credentials", "a") as credentials:
        credentials.write(f"[wrong]\naws_access_key_id = {key['AccessKeyId']}\naws_secret_access_key = typo\n")
    machine.start()
    try:
        ran = machine.python(WHO)
        assert ran.stdout.strip().endswith("assumed-role/App/evercred"), ran.stderr + (tmp_path / "log").read_text()
        refused = machine.evercred("credential-process", "bad")
        assert refused.returncode == 1 and "SignatureDoesNotMatch" in refused.stderr, refused.stderr
    finally:
        machine.stop()


@pytest.mark.parametrize("moto", [1_000_000], indirect=True)
def test_moto_knows_sessions_and_web_identities_as_we_ask_for_them(moto, tmp_path):
    machine = Machine(tmp_path, moto, {"access_key_id": "AKIAEXAMPLE", "secret_access_key": "secret"})
    token = tmp_path / "token"
    token.write_text("e30.e30.e30\n")
    (tmp_path / ".aws" / "config").write_text(
        f"[profile mfa]\nrole_arn = {role('App')}\nsource_profile = base\nmfa_serial = arn:aws:iam::{ACCOUNT}:mfa/me\nregion = us-east-1\n"
        f"[profile ci]\nrole_arn = {role('Ci')}\nweb_identity_token_file = {token}\nregion = us-east-1\n"
    )
    machine.start()
    try:
        assert machine.evercred("credential-process", "mfa").returncode == 5
        typed = subprocess.run([PROGRAMS / "evercred", "login", "mfa"], env=machine.environment(), input="123456\n", capture_output=True, text=True)
        assert typed.returncode == 0, typed.stderr
        for profile in ["mfa", "ci"]:
            answer = machine.evercred("credential-process", profile)
            assert answer.returncode == 0, answer.stderr
            assert json.loads(answer.stdout)["AccessKeyId"].startswith("ASIA")
    finally:
        machine.stop()


def test_a_helper_in_node_runs_under_the_services_own_environment(machine):
    """As a service manager starts the daemon: no shell's PATH but the setting's, nothing on stdin, HOME as the folder."""
    if os.environ.get("EVERCRED_TEST_WITHOUT_NODE"):
        pytest.skip("left out, as told: node")
    node = shutil.which("node")
    helper = machine.home / "helper.js"
    helper.write_text(
        "const expires = new Date(Date.now() + 3600e3).toISOString();\n"
        "const input = require('fs').readFileSync(0, 'utf8');\n"
        "if (input !== '' || process.cwd() !== process.env.HOME || process.env.AWS_PROFILE) process.exit(9);\n"
        "console.log(JSON.stringify({Version: 1, AccessKeyId: 'ASIANODE', SecretAccessKey: 's', SessionToken: 't', Expiration: expires}));\n"
    )
    (machine.home / ".aws" / "config").write_text("[profile node]\ncredential_process = node helper.js\nregion = eu-west-1\n")
    machine.settings(f'[environment]\nPATH = "{os.path.dirname(node)}:/usr/bin:/bin"\n')
    machine.start(PATH="/nowhere", AWS_PROFILE="other")
    answer = machine.evercred("credential-process", "node")
    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout)["AccessKeyId"] == "ASIANODE"


def test_the_stand_in_refuses_sessions_without_mfa_to_iam_as_aws_does(aws):
    import boto3

    key = aws.tell("user", name="someone")
    keys = {"aws_access_key_id": key["access_key_id"], "aws_secret_access_key": key["secret_access_key"]}
    sts = boto3.client("sts", endpoint_url=aws.url, region_name="us-east-1", **keys)

    def asks_iam(session):
        given = session["Credentials"]
        iam = boto3.client(
            "iam",
            endpoint_url=aws.url,
            region_name="us-east-1",
            aws_access_key_id=given["AccessKeyId"],
            aws_secret_access_key=given["SecretAccessKey"],
            aws_session_token=given["SessionToken"],
        )
        return iam.get_user()["User"]["UserName"]

    with pytest.raises(Exception, match="InvalidClientTokenId"):
        asks_iam(sts.get_session_token())
    device = f"arn:aws:iam::{ACCOUNT}:mfa/me"
    aws.tell("code", device=device, code="123456")
    assert asks_iam(sts.get_session_token(SerialNumber=device, TokenCode="123456")) == "someone"
