"""Generated AWS config and credentials files, read by evercred, by botocore and by the loader of the SDK for JavaScript. Every
disagreement must come of the table of constructs (src/core/clients/constructs.rs): once these are written out of the files, all agree.
Each construct by itself is read as the table says."""

import collections
import concurrent.futures
import functools
import json
import os
import random
import re
import shutil
import subprocess

import botocore.exceptions
import botocore.session

from conftest import PROGRAMS, ROOT
from test_choice import NODE_MODULES, javascript  # noqa: F401 (a fixture)

FILES = 500
KINDS = ("profiles", "sso_sessions", "services")
KEYS = ["region", "role_arn", "source_profile", "credential_process", "s3", "output", "aws_access_key_id", "external_id", "mfa_serial", "retry_mode"]
KEYS += ["role_session_name", "sso_session", "sso_account_id", "sso_role_name", "cli_pager", "duration_seconds", "ca_bundle", "max_attempts"]
NAMES = ["a", "b", '"c d"', "'e f'", "é", "g,h", "default", "foo!x", "x y", "a\u00a0", "o'b", "DEFAULT"]
SECRET = "aws_secret_access_key"
CONSTRUCTS = json.loads((ROOT / "tests" / "data" / "constructs.json").read_text())
LISTED = {row["id"] for row in CONSTRUCTS} | {"botocore-refuses"}


def line(random, is_config):
    choose, kind = random.choice, random.random()
    if kind < 0.22:
        words = ["profile ", "profile ", "profile\t", "sso-session ", "services ", "", " profile ", "plugins "]
        word = choose(words if is_config else ["", "", "", "", " ", "profile ", "sso-session "])
        return choose(["", "", "  "]) + f"[{word}{choose(NAMES)}]" + choose(["", "", "", " # c", " ; [z]", " text", "; c"])
    if kind < 0.72:
        value = choose(["x", "y", "sh -c 'a ; b'", "", "v # c", "v#c", "a=b", "a:b", "v\u00a0", "'q'", "# c", "50%"])
        key = choose([*KEYS, *KEYS, "Region", "my key", "a.b"])
        return choose(["", "", "", "  ", "    "]) + key + choose([" = ", " = ", "=", ":", " : ", "\u00a0= "]) + value
    if kind < 0.80:
        return choose(["", " ", "  ", "\t", "\u00a0"])
    if kind < 0.90:
        return choose(["", " ", "\t", "\u00a0"]) + choose("#;") + " note"
    if kind < 0.98:
        return "   " + choose(["k = v", "cont", "--x=y", "region = z", "# c", "k = v # c", "k: v"])
    return choose(["garbage", "= v", "[profile q", "<<<<<<< HEAD", "=======", "- item", "[]", "\x1a", "profile q]"])


def text(random, is_config):
    first = random.choice(["[profile a]", "[default]", "# hello", '[profile "p q"]'] if is_config else ["[a]", "[default]", "[b]", ""])
    lines = [first] + [line(random, is_config) for _ in range(random.randint(1, 6 if is_config else 4))]
    end = random.choice(["\n", "\n", "\r\n", "\r\r\n"])
    return end.join(lines) + random.choice(["", end])


# How a difference is written out of a file: by each of its lines (and whether they are in the config file), or by all of them.

HEADER, SETTING = r"^(\s*)\[(.*)$", rf"^\s+({'|'.join([*KEYS, SECRET])})\s*[=:]"
CUT_COMMAND = r"(credential_process\s*[=:].*'a) ; (b')"


def by_line(change):
    return lambda lines, is_config: [change(line, is_config) for line in lines]


def is_comment(line):
    return line.strip().startswith(("#", ";"))


def without_comment(line, _):
    if is_comment(line) or re.match(HEADER, line):
        return line
    return re.sub(r"\s[#;](?!\s*b').*$" if "credential_process" in line.lower() else r"\s[#;].*$", "", line)


def renamed(is_renamed, new):
    """Gives the sections with certain headers other ones."""

    def change(lines, is_config):
        def one(at, line):
            found = re.match(r"^(\s*)\[(.*?)\](.*)$", line)
            return found[1] + new(found[2], at, is_config) + found[3] if found and is_renamed(found[2], is_config) else line

        return [one(at, line) for at, line in enumerate(lines)]

    return change


def spelt_once(lines, is_config):
    seen, out = {}, []
    for at, line in enumerate(lines):
        found = re.match(r"^(\s*)\[([^\]]*)\](.*)$", line)
        name = found and " ".join(found[2].split())
        if found and seen.setdefault(name, found[2]) != found[2]:
            line = f"{found[1]}[{'profile ' if is_config else ''}spelt{at}]{found[3]}"
        out.append(line)
    return out


def without_continuations(lines, _):
    """Without indented lines that are no settings, headers or comments."""
    return [line for line in lines if not re.match(r"^\s+\S", line) or is_comment(line) or re.match(SETTING, line) or re.match(HEADER, line)]


def without_empty_values(lines, _):
    """Without settings that have neither a value nor anything indented below."""
    followed = [re.match(r"^\s+\S", line) for line in [*lines[1:], ""]]
    return [line for line, more in zip(lines, followed) if more or not re.match(r"^[^\[#;=:]+[=:]\s*([#;].*)?$", line)]


def has_kind(name, is_config):
    return not is_config and re.match(r"^(profile|sso-session|services)\s", name)


def plain_profile(_, at, is_config):
    return f"[{'profile ' if is_config else ''}plain{at}]"


BOTOCORE = {
    "inline-comment": by_line(without_comment),
    "bracket-in-comment": by_line(lambda line, _: re.sub(r"^(\s*\[[^\]]*\]).*$", r"\1", line)),
    "blank-before-kind": by_line(lambda line, is_config: re.sub(r"^(\s*)\[\s+", r"\1[", line) if is_config else line),
    "blank-around-name": by_line(lambda line, is_config: line if is_config else re.sub(r"^(\s*)\[\s*(.*?)\s*\]", r"\1[\2]", line)),
    "unicode-blank-in-header": by_line(lambda line, _: re.sub(r"\s+\]", "]", line.replace("\u00a0", " ")) if re.match(HEADER, line) else line),
    "section-spelt-twice": spelt_once,
    "default-twice": renamed(lambda name, is_config: is_config and name.strip() == "default", lambda *given: plain_profile(*given)),
    "setting-below-value": by_line(lambda line, _: line.lstrip() if re.match(SETTING, line, re.I) else line),
    "header-below-value": by_line(lambda line, _: line.lstrip() if re.match(HEADER, line) else line),
    "blank-line-in-value": lambda lines, _: [line for line in lines if line.strip()],
    "name-with-blank": renamed(lambda name, is_config: not is_config and len(name.split()) > 1 and "'" not in name and '"' not in name, plain_profile),
    "name-with-exclamation-mark": renamed(lambda name, is_config: is_config and "!" in name, plain_profile),
    "kind-in-credentials": renamed(has_kind, plain_profile),
    "default-in-capitals": renamed(lambda name, is_config: not is_config and name.strip() == "DEFAULT", plain_profile),
    "odd-key": by_line(lambda line, _: "# odd" if re.match(r"^\s*(my key|- item)\s*[=:]", line) else line),
}
JAVASCRIPT = {
    "quoted-name": renamed(lambda name, is_config: not re.fullmatch(r"[\w-]+\s+[\w@+.%:/-]+|[\w@+.%:/-]+", name, re.A), plain_profile),
    "text-behind-header": by_line(lambda line, _: re.sub(r"^(\s*\[[^\]]*\]).*$", r"\1", line)),
    "colon": by_line(lambda line, _: line if is_comment(line) or re.match(HEADER, line) else re.sub(r"^([^=:]*):(.*)$", lambda found: f"{found[1]}={found[2].replace('=', '-')}", line)),
    "header-without-end": by_line(lambda line, _: "[profile q]" if line in ("[profile q", "profile q]") else line),
    "nested-at-same-indent": by_line(lambda line, _: line.lstrip() if re.match(SETTING, line, re.I) else line),
    "continuation": without_continuations,
    "later-empty-value": without_empty_values,
    "comment-sign-in-command": by_line(lambda line, _: re.sub(CUT_COMMAND, r"\1 \2", line)),
    "capital-key": by_line(lambda line, _: re.sub(r"^(\s*)Region", r"\1region", line)),
    "default-in-capitals": renamed(lambda name, _: name.strip() == "DEFAULT", plain_profile),
    **{name: BOTOCORE[name] for name in ["default-twice", "kind-in-credentials", "odd-key", "blank-around-name", "unicode-blank-in-header", "blank-before-kind"]},
}


def rewritten(pair, changes):
    def one(written, is_config):
        lines = re.split("\r*\n", written)
        for change in changes:
            lines = change(lines, is_config)
        return "\n".join(lines)

    return tuple(one(written, at == 0) for at, written in enumerate(pair))


class Readers:
    def __init__(self, folder):
        self.folder, self.number = folder, 0
        script = (
            "const {loadSharedConfigFiles} = require('@smithy/core/config');"
            "require('readline').createInterface({input: process.stdin}).on('line', async line => {"
            "const [configFilepath, filepath] = JSON.parse(line);"
            "console.log(JSON.stringify(await loadSharedConfigFiles({configFilepath, filepath}))) })"
        )
        node = [shutil.which("node"), "-e", script]
        self.node = subprocess.Popen(node, cwd=NODE_MODULES, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def end(self):
        self.node.stdin.close()
        assert self.node.wait(timeout=10) == 0

    def files(self, pair):
        self.number += 1
        files = [self.folder / f"{kind}-{self.number}" for kind in ("config", "credentials")]
        for file, written in zip(files, pair):
            file.write_bytes(written if isinstance(written, bytes) else written.encode())
        return [str(file) for file in files]

    def evercred(self, files):
        environment = {"HOME": str(self.folder), "PATH": os.environ["PATH"], "AWS_CONFIG_FILE": files[0], "AWS_SHARED_CREDENTIALS_FILE": files[1]}
        ran = subprocess.run([PROGRAMS / "evercred", "profiles", "--json"], env=environment, capture_output=True)
        read = json.loads(ran.stdout)
        nested = lambda value: {key: one["value"] for key, one in value.items()} if isinstance(value, dict) else value
        plain = lambda settings: {key: nested(one["value"]) for key, one in settings.items()}
        return {(kind, one["name"]): plain(one["settings"]) for kind in KINDS for one in read[kind]}, read["problems"]

    def botocore(self, files):
        """`None`: it refuses one of the files."""
        session = botocore.session.Session()
        session.set_config_variable("config_file", files[0])
        session.set_config_variable("credentials_file", files[1])
        try:
            read = session.full_config
        except botocore.exceptions.ConfigParseError:
            return None
        return {(kind, name): settings for kind in KINDS for name, settings in read.get(kind, {}).items()}

    def javascript(self, files):
        self.node.stdin.write(json.dumps(files) + "\n")
        self.node.stdin.flush()
        return self.merged(json.loads(self.node.stdout.readline()))

    @staticmethod
    def merged(read):
        names = read["configFile"].keys() | read["credentialsFile"].keys()
        profiles = {name: {**read["configFile"].get(name, {}), **read["credentialsFile"].get(name, {})} for name in names}
        return {name: settings for name, settings in profiles.items() if settings and not re.match(r"(sso-session|services)\.", name)}


def as_botocore(ours, problems, theirs):
    if theirs is None:
        return any(problem["fatal"] for problem in problems)
    if any("boto3 and the AWS CLI refuse the whole file" in problem["message"] for problem in problems):
        return False
    return ours == theirs


def as_javascript(ours, theirs):
    def flat(settings):
        for key, value in settings.items():
            yield from {f"{key}.{inner}": one for inner, one in value.items()}.items() if isinstance(value, dict) else [(key, value)]

    # JavaScript has no settings without a value, and no profile without settings.
    mine = {name: {key: value for key, value in flat(settings) if value} for (kind, name), settings in ours.items() if kind == "profiles"}
    return {name: settings for name, settings in mine.items() if settings} == theirs


def reasons(pair, quirks, agrees):
    """The smallest set of differences that a pair of files has to be rid of for all to agree; `None` where there is none."""
    needed = {}
    for name, change in quirks.items():
        if rewritten(pair, [*needed.values(), change]) != rewritten(pair, needed.values()):
            needed[name] = change
    if not agrees(rewritten(pair, needed.values())):
        return None
    for name in list(needed):
        fewer = [change for other, change in needed.items() if other != name]
        if agrees(rewritten(pair, fewer)):
            del needed[name]
    return set(needed)


def test_every_construct_is_read_as_the_table_says(tmp_path, javascript):  # noqa: F811
    readers, wrong = Readers(tmp_path), []
    for row in CONSTRUCTS:
        config, credentials = (row[kind].encode("latin-1") for kind in ("config", "credentials"))
        # A profile that is not concerned: where it is not read either, the file is refused.
        config, credentials = (config, credentials + b"[ok]\nregion = ok\n") if credentials else (config + b"[profile ok]\nregion = ok\n", b"")
        files = readers.files((config, credentials))
        (ours, problems), theirs, by_javascript = readers.evercred(files), readers.botocore(files), readers.javascript(files)
        found = [
            "refuses" if theirs is None else "same" if theirs == ours else "other",
            "refuses" if "ok" not in by_javascript else "same" if as_javascript(ours, by_javascript) else "other",
        ]
        if found != row["readings"][:2]:
            wrong.append(f"{row['id']}: {found}, and the table says {row['readings'][:2]}: {ours} {theirs} {by_javascript}")
        if theirs is None and not any(problem["fatal"] for problem in problems):
            wrong.append(f"{row['id']}: botocore refuses the file, and evercred reports no fatal problem")
    readers.end()
    assert not wrong, "\n".join(wrong)


def test_generated_files_are_read_as_botocore_and_javascript_read_them(tmp_path, javascript):  # noqa: F811
    random_, readers = random.Random(20261130), Readers(tmp_path)
    pairs = [(text(random_, True), text(random_, False)) for _ in range(FILES)]
    files = [readers.files(pair) for pair in pairs]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        ours = list(pool.map(readers.evercred, files))
    by_javascript = [readers.javascript(one) for one in files]
    agreed, differences, unexplained = collections.Counter(), collections.Counter(), []

    def botocore_agrees(pair):
        files = readers.files(pair)
        return as_botocore(*readers.evercred(files), readers.botocore(files))

    def javascript_agrees(pair):
        files = readers.files(pair)
        return as_javascript(readers.evercred(files)[0], readers.javascript(files))

    for pair, files_, (read, problems), theirs in zip(pairs, files, ours, by_javascript):
        parsed = readers.botocore(files_)
        for name, quirks, agrees, is_equal in [
            ("botocore", BOTOCORE, botocore_agrees, functools.partial(as_botocore, read, problems, parsed)),
            ("javascript", JAVASCRIPT, javascript_agrees, functools.partial(as_javascript, read, theirs)),
        ]:
            if name == "botocore" and parsed is None and is_equal():
                differences["botocore-refuses"] += 1
            elif is_equal():
                agreed[name] += 1
            elif (found := reasons(pair, quirks, agrees)) is None:
                unexplained.append((name, pair))
            else:
                differences.update(found)
    readers.end()
    print(f"{FILES} pairs of files; read alike: {dict(agreed)}; differences: {dict(differences)}")
    assert not unexplained, f"{len(unexplained)}\n" + "\n".join(f"{name} reads it otherwise: {pair!r}" for name, pair in unexplained[:10])
    assert differences.keys() <= LISTED, differences.keys() - LISTED
