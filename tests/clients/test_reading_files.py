"""Generated AWS config files, read by evercred, by botocore and by the loader of the SDK for JavaScript. Every disagreement must be one
of those that docs/reading-aws-files.md lists."""

import collections
import json
import os
import random
import re
import shutil
import subprocess

import botocore.exceptions
from botocore.configloader import build_profile_map, raw_config_parse

from conftest import PROGRAMS, ROOT
from test_choice import NODE_MODULES, javascript  # noqa: F401 (a fixture)

FILES = 400
KINDS = ("profiles", "sso_sessions", "services")
KEYS = ["region", "role_arn", "source_profile", "credential_process", "s3", "output", "aws_access_key_id"]
NAMES = ["a", "b", '"c d"', "'e f'", "é", "g,h", "default", "foo!x", "x y", "a\u00a0"]
LISTED = set(re.findall(r"^\| `([a-z-]+)` \|", (ROOT / "docs" / "reading-aws-files.md").read_text(), re.M))


def blank(choose):
    return choose(["", " ", "  ", "\t", "\u00a0"])


def line(random):
    choose, kind = random.choice, random.random()
    if kind < 0.22:
        word = choose(["profile ", "profile ", "profile\t", "sso-session ", "services ", "", " profile "])
        return choose(["", "", "  "]) + f"[{word}{choose(NAMES)}]" + choose(["", "", "", " # c", " ; [z]", " text", "; c"])
    if kind < 0.72:
        value = choose(["x", "y", "sh -c 'a ; b'", "", "v # c", "v#c", "a=b", "a:b", "v\u00a0"])
        return choose(["", "", "", "  ", "    "]) + choose(KEYS) + choose([" = ", " = ", "=", ":", " : ", "\u00a0= "]) + value
    if kind < 0.80:
        return blank(choose)
    if kind < 0.90:
        return blank(choose) + choose("#;") + " note"
    if kind < 0.96:
        return "   " + choose(["k = v", "cont", "--x=y", "region = z", "# c"])
    return choose(["garbage", "= v", "[profile q", "<<<<<<< HEAD", "=======", "- item"])


def text(random):
    first = random.choice(["[profile a]", "[default]", "# hello", '[profile "p q"]'])
    end = random.choice(["\n", "\n", "\r\n", "\r\r\n"])
    return end.join([first] + [line(random) for _ in range(random.randint(1, 6))]) + random.choice(["", end])


def plain(settings):
    """The settings as botocore gives them: nested ones as a dictionary."""
    nested = lambda value: {key: one["value"] for key, one in value.items()} if isinstance(value, dict) else value
    return {key: nested(one["value"]) for key, one in settings.items()}


def of_section(text, name, is_ours):
    """Why one of both has a section and the other has not."""
    if not is_ours:
        return "name-with-blank" if "!" in name else "unicode-blank-in-header" if "\u00a0" in name else None
    if re.search(r"[;#] \[z\]", text):
        return "bracket-in-comment"
    if "[ profile" in text:
        return "blank-before-kind"
    if "\u00a0]" in text:
        return "unicode-blank-in-header"
    return "header-below-value" if re.search(r"^\s+\[", text, re.M) else None


def of_value(text, ours, theirs):
    """Why one of both has another value."""
    said = json.dumps([ours, theirs], ensure_ascii=False)
    if isinstance(theirs, str) and "[" in theirs:
        return "header-below-value"
    if "# c" in said or "a ; b" in said:
        return "inline-comment"
    if re.search(rf"^\s+({'|'.join(KEYS)})\s*[=:]", text, re.M):
        return "setting-below-value"
    if isinstance(theirs, str) and "\n\n" in theirs:
        return "blank-line-in-value"
    for found, name in [("bracket-in-comment", r"[;#] \[z\]"), ("header-below-value", r"^\s+\["), ("section-spelt-twice", "profile\t")]:
        if re.search(name, text, re.M):
            return found
    return "default-twice" if "default]" in text else None


def test_generated_files_are_read_as_botocore_and_javascript_read_them(tmp_path, javascript):  # noqa: F811
    random_ = random.Random(20261130)
    agreed, differences, unexplained = collections.Counter(), collections.Counter(), []
    files, everything = [], []
    environment = {"HOME": str(tmp_path), "PATH": os.environ["PATH"], "AWS_SHARED_CREDENTIALS_FILE": "/dev/null"}
    for number in range(FILES):
        written, file = text(random_), tmp_path / f"config-{number}"
        file.write_bytes(written.encode())
        ran = subprocess.run([PROGRAMS / "evercred", "profiles", "--json"], env={**environment, "AWS_CONFIG_FILE": str(file)}, capture_output=True)
        read = json.loads(ran.stdout)
        ours = {(kind, one["name"]): plain(one["settings"]) for kind in KINDS for one in read[kind]}
        files.append(str(file))
        everything.append((written, ours))
        try:
            parsed = build_profile_map(raw_config_parse(str(file)))
        except botocore.exceptions.ConfigParseError:
            differences["botocore-refuses"] += 1
            if not any(problem["fatal"] for problem in read["problems"]) and not re.search(r"^\s+\[", written, re.M):
                unexplained.append(("botocore refuses it, and no problem is fatal", written))
            continue
        theirs = {(kind, name): settings for kind in KINDS for name, settings in parsed[kind].items()}
        found = set()
        for section in ours.keys() | theirs.keys():
            if section not in ours or section not in theirs:
                found.add(of_section(written, section[1], section in ours))
                continue
            mine, its = ours[section], theirs[section]
            # botocore has settings of any name.
            for key in mine.keys() | {key for key in its if re.fullmatch(r"[a-z0-9_.%@:+/-]+", key)}:
                if mine.get(key) != its.get(key):
                    found.add(of_value(written, mine.get(key), its.get(key)))
        if None in found:
            unexplained.append(("botocore reads it otherwise", written))
        differences.update(found - {None})
        agreed["botocore"] += not found
    script = (
        "const {loadSharedConfigFiles} = require('@smithy/core/config');"
        "(async () => { const read = [];"
        "for (const file of JSON.parse(process.argv[1])) read.push((await loadSharedConfigFiles({configFilepath: file, filepath: '/dev/null'})).configFile);"
        "console.log(JSON.stringify(read)) })()"
    )
    ran = subprocess.run([shutil.which("node"), "-e", script, json.dumps(files)], cwd=NODE_MODULES, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr
    for (written, ours), theirs in zip(everything, json.loads(ran.stdout)):
        # What works there works here: each of its profiles is one of ours.
        profiles = {name: settings for name, settings in theirs.items() if not name.startswith(("sso-session.", "services."))}
        missing = [name for name, settings in profiles.items() if settings and ("profiles", name) not in ours]
        if missing:
            unexplained.append((f"JavaScript reads {missing}", written))
        mine = {name: settings for (kind, name), settings in ours.items() if kind == "profiles" and settings}
        found = {"javascript-name"} if mine.keys() - profiles.keys() else set()
        if any(mine.get(name) != settings for name, settings in profiles.items()):
            found.add("javascript-value")
        differences.update(found)
        agreed["javascript"] += not found
    print(f"{FILES} files; agreements: {dict(agreed)}; differences: {dict(differences)}")
    assert not unexplained, "\n".join(f"{why}: {written!r}" for why, written in unexplained[:10])
    assert differences.keys() <= LISTED, differences.keys() - LISTED
