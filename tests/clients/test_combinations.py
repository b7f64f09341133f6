"""Generated combinations of the settings and variables that choose credentials: what `doctor` says of boto3 and of the SDK for
JavaScript, against what they do. The AWS CLI resolves credentials with botocore, as boto3 does; `test_choice.py` tries it too."""

import collections
import concurrent.futures
import json
import os
import random
import re
import shutil
import subprocess

import pytest

from conftest import ACCOUNT, VENV, role
from test_choice import CONTAINER, LOGIN, LOGIN_IS_CHOSEN, NODE_MODULES, START_URL, WEB, Place, keys, process, said_by_doctor, settle, sso, variables
from test_choice import javascript, server  # noqa: F401 (fixtures)

COMBINATIONS = int(os.environ.get("EVERCRED_COMBINATIONS", 400))
SEED = int(os.environ.get("EVERCRED_COMBINATIONS_SEED", 20261130))
SESSION = f"[sso-session corp]\nsso_start_url = {START_URL}\nsso_region = us-east-1\n"
ACCOUNT_AND_ROLE = "sso_account_id = {account}\nsso_role_name = {name}\n"
ID, SECRET = "aws_access_key_id = keys:{name}\n", "aws_secret_access_key = s\n"

# Each client reads requests from its standard input: an environment in a line, and prints a key id or an error.
BOTO3 = """
import json, os, sys, boto3
from botocore.credentials import SSOProvider
from botocore.tokens import SSOTokenProvider
for line in sys.stdin:
    os.environ.clear()
    os.environ.update(json.loads(line))
    for provider in (SSOProvider, SSOTokenProvider):
        # It is taken from HOME once, when the module is loaded.
        assert provider._SSO_TOKEN_CACHE_DIR
        provider._SSO_TOKEN_CACHE_DIR = os.path.expanduser("~/.aws/sso/cache")
    try:
        session = boto3.Session()
        found = session.get_credentials()
        # A service client may refuse a profile that has credentials.
        session.client("sts")
        said = "nothing" if found is None else found.get_frozen_credentials().access_key
    except Exception as error:
        said = f"fails: {type(error).__name__}: {error}"
    print(json.dumps(said), flush=True)
"""
NODE = """
const {defaultProvider} = require("@aws-sdk/credential-provider-node");
require("readline").createInterface({input: process.stdin}).on("line", async line => {
    for (const name of Object.keys(process.env)) delete process.env[name];
    Object.assign(process.env, JSON.parse(line));
    const said = await defaultProvider()().then(
        found => found.accessKeyId,
        error => /from any providers/.test(error.message) ? "nothing" : "fails: " + error.name + ": " + error.message,
    );
    console.log(JSON.stringify(said));
});
"""


class Client:
    def __init__(self, command, folder=None):
        self.process = subprocess.Popen(command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

    def uses(self, environment):
        """A key id, "login", "nothing" or "fails", and all that it said."""
        self.process.stdin.write(json.dumps(environment) + "\n")
        self.process.stdin.flush()
        said = json.loads(self.process.stdout.readline())
        # No `aws login` session is signed in here: who asks for one has chosen it.
        if re.search(LOGIN_IS_CHOSEN, said):
            return "login", said
        return ("fails" if said.startswith("fails") else said), said

    def end(self):
        self.process.stdin.close()
        assert self.process.wait(timeout=10) == 0


def combination(random_):
    """A profile with some of the settings, in either file, and some variables."""

    def maybe(chance, *choices):
        return random_.choice(choices) if random_.random() < chance else ""

    name = random_.choice(["default", "default", "test"])
    config, credentials, given = "", "", {}
    where = maybe(0.6, "credentials", "credentials", "config", "id", "halves", "secret")
    identifier = ID.format(name=name)
    credentials += {"credentials": identifier + SECRET, "id": identifier, "halves": identifier, "secret": SECRET}.get(where, "")
    config += {"config": identifier + SECRET, "halves": SECRET}.get(where, "")
    config += maybe(0.5, f"role_arn = {role(name)}\n")
    config += maybe(0.35, "source_profile = base\n", "source_profile = base\n", f"source_profile = {name}\n", "source_profile = gone\n")
    source = maybe(0.2, "EcsContainer", "Environment")
    if source:
        # A role whose source gives nothing is another matter.
        config += f"credential_source = {source}\n"
        given.update(CONTAINER if source == "EcsContainer" else variables())
    config += maybe(0.25, f"web_identity_token_file = HERE/token-{name}\n")
    account = ACCOUNT_AND_ROLE.format(account=ACCOUNT, name=name)
    config += maybe(
        0.35,
        sso(name),
        f"sso_session = corp\n{account}",
        "sso_session = corp\n",
        f"sso_start_url = {START_URL}\n",
        "sso_region = us-east-1\n",
        f"sso_session = gone\n{account}",
        account,
        f"sso_account_id = {ACCOUNT}\n",
    )
    config += maybe(0.3, process(name))
    config += maybe(0.15, LOGIN)
    if random_.random() < 0.5:
        given.update(random_.choice([{}, variables(), WEB, CONTAINER, {"AWS_ACCESS_KEY_ID": "environment"}]))
    if name != "default" or random_.random() < 0.2:
        given[random_.choice(["AWS_PROFILE", "AWS_PROFILE", "AWS_DEFAULT_PROFILE"])] = name
    header = f"[{name}]\n"
    base = f"[base]\n{keys('base')}"
    profile = header if name == "default" else f"[profile {name}]\n"
    return Place((profile + config if config else "") + SESSION, (header + credentials if credentials else "") + base, given)


def test_doctor_says_what_generated_combinations_do(tmp_path, server, javascript):  # noqa: F811
    random_ = random.Random(SEED)
    places = [combination(random_) for _ in range(COMBINATIONS)]
    environments = []
    for number, place in enumerate(places):
        home = tmp_path / str(number)
        home.mkdir()
        environments.append(settle(place, home, server))
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        said = pool.map(said_by_doctor, environments)
        clients = {"boto3": Client([VENV / "python", "-c", BOTO3]), "javascript": Client([shutil.which("node"), "-e", NODE], NODE_MODULES)}
        found = [{name: client.uses(environment) for name, client in clients.items()} for environment in environments]
        said = list(said)
    for client in clients.values():
        client.end()
    differences, kinds = [], collections.Counter()
    for place, of_doctor, of_clients in zip(places, said, found):
        for name, (uses, words) in of_clients.items():
            kinds[name, uses.partition(":")[0]] += 1
            if of_doctor[name] != uses:
                differences.append(f"{name} uses {uses} ({words}), and doctor says {of_doctor[name]}: {place}")
    print(f"{COMBINATIONS} combinations, {len(differences)} differences; {dict(kinds)}")
    assert not differences, f"{len(differences)}\n" + "\n".join(differences[:20])
