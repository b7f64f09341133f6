"""A person at a terminal."""

import os
import pty
import subprocess

from conftest import ACCOUNT, PROGRAMS, role

DEVICE = f"arn:aws:iam::{ACCOUNT}:mfa/me"


def read_until(terminal, text):
    said = b""
    while text.encode() not in said:
        said += os.read(terminal, 4096)
    return said.decode()


def test_a_person_is_asked_for_the_code_and_asked_again(aws, machine):
    aws.tell("role", arn=role("App"), trusts=[f"arn:aws:iam::{ACCOUNT}:user/someone"], mfa=True)
    config = machine.home / ".aws" / "config"
    config.write_text(f"[profile app]\nrole_arn = {role('App')}\nsource_profile = base\nmfa_serial = {DEVICE}\n")
    aws.tell("code", device=DEVICE, code="654321")
    machine.start()
    ours, theirs = pty.openpty()
    person = subprocess.Popen([PROGRAMS / "evercred", "login", "app"], env=machine.environment(), stdin=theirs, stdout=theirs, stderr=theirs)
    try:
        assert DEVICE in read_until(ours, "mfa/me: ")
        os.write(ours, b"000000\n")
        assert "MultiFactorAuthentication failed" in read_until(ours, "mfa/me: ")
        os.write(ours, b"654321\n")
        read_until(ours, "signed in until")
        assert person.wait(timeout=30) == 0
    finally:
        person.kill()
        person.wait()
        os.close(ours)
        os.close(theirs)
    answer = machine.evercred("credential-process", "app")
    assert answer.returncode == 0, answer.stderr
