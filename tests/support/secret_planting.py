"""Secrets of every kind, made up when a test runs, and experiments that hold them."""

from __future__ import annotations

import os
import random
import re
import string
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from rtrace.manifest.model import SecretPack
from rtrace.manifest.reading.load import load
from rtrace.manifest.render import render
from rtrace.pack.planning import plan_packing
from rtrace.privacy.rules.table import RULES
from rtrace.trace.directory import TraceDirectory

# What secrets look like, so written that nothing here looks like one: `~` is nothing (`~~` is one), {20} are 20 letters
# and digits that are made up at run time; x: hexadecimal ones, u: capitals, d: digits.
ANYWHERE = {
    "private-key": "--~---BEGIN OPENSSH PRIV~ATE KEY-----\n{64}\n{64}\n-----END",
    "age-key": "AGE-SEC~RET-KEY-1{58u}",
    "aws-key-id": "AK~IA{16u}",
    "aws-secret": "aws_secret_acc~ess_key = {40}",
    "google-key": "AI~za{35}",
    "google-oauth": "GOC~SPX-{28}",
    "azure-key": "AccountName=x;Account~Key={86}==",
    "azure-signature": "https://x.example/blob?se=1&s~ig={44}",
    "digitalocean-token": "do~p_v1_{64x}",
    "vault-token": "hv~s.{24}",
    "databricks-token": "da~pi{32x}",
    "github-token": "gh~p_{36}",
    "gitlab-token": "gl~pat-{20}",
    "npm-token": "np~m_{36}",
    "pypi-token": "py~pi-AgE{60}",
    "docker-token": "dck~r_pat_{27}",
    "huggingface-token": "h~f_{34}",
    "ai-key": "s~k-proj-{48}",
    "slack-token": "xo~xb-{12d}-{24}",
    "slack-webhook": "https://hooks.sl~ack.com/services/T{9u}/B{9u}/{24}",
    "stripe-key": "sk_l~ive_{24}",
    "sendgrid-key": "S~G.{22}.{43}",
    "telegram-token": "{9d}:A~A{33}",
    "jwt": "ey~J{20}.ey~J{40}.{43}",
    "url-password": "postgresql://reader:{16}@db.example/results",
    "authorization": "Authorization: Bea~rer {30}",
    "cookie": "Cookie: session={32}",
}
VARIABLES = {
    "ci-variable": ("CI_JOB_TOKEN", "{20}"),
    "cloud-variable": ("AZURE_CLIENT_SECRET", "{34}"),
    "database-variable": ("PGPASSWORD", "{16}"),
    "secret-variable": ("STUDY_API_KEY", "{24}"),
}
ARGUMENTS = {
    "secret-variable": "export DB_PASSWORD={16}; ./study",
    "secret-option": "--db-password={16}",
    "command-password": "curl -s -u reader:{16} https://x.example/",
}
FILES = {
    "putty-key": ("id.ppk", "PuTTY-User-Key~-File-2: ssh-rsa\nPrivate-Lines: 1\n{64}"),
    "cookie-jar": ("jar.txt", ".x.example\tTRUE\t/\tTRUE\t2000000000\tsid\t{32}"),
    "password-hash": (".htpasswd", "nobody:*\nreader:$6$study${64}"),
    "netrc": (".netrc", "machine x.example login reader\npassword {16}"),
    "ssh-key": (".ssh/id_study", "{64}"),
    "aws-file": (".aws/credentials", "[default]\naws_session_token = {64}"),
    "docker-login": (".docker/config.json", '{"auths": {"x.example": {"auth": "{40}"}}}'),
    "kubernetes-login": (".kube/config", "users:\n- user:\n    token: {40}"),
    "pgpass": (".pgpass", "db.example:5432:results:reader:{16}"),
    "registry-login": (".npmrc", "//x.example/:_auth~Token={36}"),
    "credential-store": (".config/gh/hosts.yml", "x.example:\n  login: {40}"),
    "browser-store": ("profile/cookies.sqlite", "SQLite format 3\0{32}"),
    "secret-setting": ("study.ini", "[db]\npassword = {16}"),
    "secret-literal": ("study.py", 'connect("reader", password="{16}")'),
}


@dataclass(frozen=True)
class Planted:
    """A secret that was planted: the rule that has to find it, the place it has to tell, what it must not tell."""

    rule: str
    place: str
    values: tuple[str, ...]


class Planter:
    """Makes up secrets; the same ones each time."""

    def __init__(self, seed: int = 60) -> None:
        self.random = random.Random(seed)  # noqa: S311 - made-up secrets, the same each time
        self.planted: list[Planted] = []

    def make_up(self, shape: str) -> tuple[str, tuple[str, ...]]:
        """Return a secret of a shape, and the parts of it that were made up."""
        alphabets = {"x": "0123456789abcdef", "u": string.ascii_uppercase, "d": string.digits}
        values: list[str] = []

        def fill(match: re.Match[str]) -> str:
            alphabet = alphabets.get(match[2], string.ascii_letters + string.digits)
            values.append("".join(self.random.choices(alphabet, k=int(match[1]))))
            return values[-1]

        text = re.sub("~(~?)", r"\1", shape)
        return re.sub(r"\{(\d+)([xud]?)\}", fill, text), tuple(values)

    def plant(self, rule: str, shape: str, *places: str) -> str:
        """Make up a secret that has to be found in these places."""
        text, values = self.make_up(shape)
        self.planted += [Planted(rule, place, values) for place in places]
        return text


def command(*argv: str | Path, cwd: Path, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run rtrace in an environment that has nothing of the one that the tests run in."""
    return subprocess.run(
        [sys.executable, "-m", "rtrace", *argv],
        cwd=cwd,
        env={"PATH": os.environ["PATH"], "HOME": str(cwd), "LANG": "C.UTF-8", **env},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        text=True,
    )


def trace(home: Path, *argv: str | Path, env: Mapping[str, str] | None = None) -> None:
    """Trace a command in a folder."""
    done = command("trace", "-d", "../trace", "--", *argv, cwd=home, env=env or {})
    assert done.returncode == 0, done.stderr


def pack_as_it_is(home: Path) -> Path:
    """Pack the trace of a folder with all its secrets, as a person may ask for in the manifest."""
    directory, bundle = TraceDirectory(home.parent / "trace"), home.parent / "bundle.rpz"
    found = plan_packing(directory, bundle).manifest.secrets
    secrets = tuple(replace(secret, pack=SecretPack.AS_IT_IS) for secret in found)
    directory.manifest.write_text(render(replace(load(directory.manifest), secrets=secrets)))
    done = command("pack", "-d", "../trace", bundle, cwd=home, env={})
    assert done.returncode == 0, done.stderr
    return bundle


def trace_leaky(home: Path) -> tuple[Planted, ...]:
    """Trace a run with secrets of every rule in its environment, its arguments and the files that it reads."""
    home.mkdir()
    planter = Planter()
    variables = {f"SETTING_{number}": (rule, shape) for number, (rule, shape) in enumerate(ANYWHERE.items())}
    variables |= {name: (rule, shape) for rule, (name, shape) in VARIABLES.items()}
    env = {
        name: planter.plant(rule, shape, f"manifest: run1: variable {name}", f"trace: variable {name}")
        for name, (rule, shape) in variables.items()
    }
    program = ["/bin/sh", "-c", "find . -type f -exec cat {} + >/dev/null", "sh"]
    arguments = [
        planter.plant(rule, shape, f"manifest: run1: argument {number}")
        for number, (rule, shape) in enumerate([*ANYWHERE.items(), *ARGUMENTS.items()], len(program))
    ]
    files = {rule: (f"notes/{rule}.txt", shape) for rule, shape in ANYWHERE.items()} | FILES
    for rule, (name, shape) in files.items():
        path = home / name
        whole = next(known for known in RULES if known.id == rule).pattern is None
        path.parent.mkdir(parents=True, exist_ok=True)
        text, values = planter.make_up(shape)
        line = 1 + text[: text.index(values[0])].count("\n")
        if rule in {"private-key", "putty-key"}:  # told by where they begin
            line = 1
        planter.planted.append(Planted(rule, f"{path}" if whole else f"{path}: line {line}", values))
        path.write_text(text + "\n")
    trace(home, *program, *arguments, env=env)
    return tuple(planter.planted)
