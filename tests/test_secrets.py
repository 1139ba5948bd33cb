"""`rtrace audit`: secrets in what ran and in what was packed are found, and their values stay unsaid."""

from __future__ import annotations

import json
import os
import random
import re
import string
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from bundle_making import BundleMaker, make_run
from rtrace.auditing import audit_bundle
from rtrace.bundle.reader import open_bundle
from rtrace.errors import BundleError
from rtrace.secrets.rules import RULES
from rtrace.secrets.scan import find_in_file, scan_arguments, scan_environment, scan_file

# What secrets look like, so written that nothing here looks like one: `~` is nothing, {20} are 20 letters and digits
# that are made up at run time; x: hexadecimal ones, u: capitals, d: digits.
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

    def __init__(self) -> None:
        self.random = random.Random(60)  # noqa: S311 - made-up secrets, the same each time
        self.planted: list[Planted] = []

    def make_up(self, shape: str) -> tuple[str, tuple[str, ...]]:
        """Give a secret of a shape, and the parts of it that were made up."""
        alphabets = {"x": "0123456789abcdef", "u": string.ascii_uppercase, "d": string.digits}
        values: list[str] = []

        def fill(match: re.Match[str]) -> str:
            alphabet = alphabets.get(match[2], string.ascii_letters + string.digits)
            values.append("".join(self.random.choices(alphabet, k=int(match[1]))))
            return values[-1]

        return re.sub(r"\{(\d+)([xud]?)\}", fill, shape.replace("~", "")), tuple(values)

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


def trace_and_pack(home: Path, *argv: str | Path, env: Mapping[str, str] | None = None) -> Path:
    """Trace a command in a folder and pack it."""
    for step in (("trace", "-d", "../trace", "--", *argv), ("pack", "-d", "../trace", "../bundle.rpz")):
        done = command(*step, cwd=home, env=env or {})
        assert done.returncode == 0, done.stderr
    return home.parent / "bundle.rpz"


@dataclass(frozen=True)
class Leaky:
    """A bundle with secrets in it."""

    bundle: Path
    planted: tuple[Planted, ...]


@pytest.fixture(scope="module")
def leaky(tmp_path_factory: pytest.TempPathFactory) -> Leaky:
    """A bundle of a run with secrets of every rule in its environment, its arguments and the files that it reads."""
    home = tmp_path_factory.mktemp("leaky").resolve() / "home"
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
    bundle = trace_and_pack(home, *program, *arguments, env=env)
    return Leaky(bundle, tuple(planter.planted))


def test_every_rule_has_a_secret_to_find(leaky: Leaky) -> None:
    """Secrets are planted for every rule of the table: no fewer than 60 of 20 kinds."""
    assert {planted.rule for planted in leaky.planted} == {rule.id for rule in RULES}
    assert len({planted.values for planted in leaky.planted}) >= 60
    assert len(RULES) >= 20


def test_every_planted_secret_is_found_and_none_is_told(leaky: Leaky) -> None:
    """`rtrace audit --json` exits with 1, tells rule and place of all that was planted, and no value."""
    done = command("audit", "--json", leaky.bundle, cwd=leaky.bundle.parent, env={})
    assert (done.returncode, done.stderr) == (1, "")
    found = {(finding["rule"], finding["place"]) for finding in json.loads(done.stdout)["found"]}
    assert {(planted.rule, planted.place) for planted in leaky.planted} - found == set()
    assert [value for planted in leaky.planted for value in planted.values if value in done.stdout] == []


def test_a_person_is_told_the_places_and_no_value(leaky: Leaky) -> None:
    """Without --json there is a line for each finding and one for the sum, and no value in them."""
    done = command("audit", leaky.bundle, cwd=leaky.bundle.parent, env={})
    assert (done.returncode, done.stderr) == (1, "")
    *lines, last = done.stdout.splitlines()
    assert last == f"{leaky.bundle} holds what looks like secrets, in {len(lines)} places"
    assert [planted for planted in leaky.planted if not any(x.startswith(f"{planted.place}: ") for x in lines)] == []
    assert [value for planted in leaky.planted for value in planted.values if value in done.stdout] == []


EXPERIMENT = """\
import numpy

values = numpy.loadtxt("values.csv", delimiter=",")
token_count, password_length = values.shape
numpy.save("inverse.npy", numpy.linalg.inv(values))
print(token_count, password_length)
"""


def test_nothing_is_found_in_a_clean_experiment(tmp_path: Path) -> None:
    """Python, numpy, its data and its settings are no secrets: exit status 0 and no finding."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "study.py").write_text(EXPERIMENT)
    (home / "values.csv").write_text("2,1\n1,3\n")
    bundle = trace_and_pack(
        home, sys.executable, "study.py", env={"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "0"}
    )
    with open_bundle(bundle) as opened:  # there is something to search, and it is the packages' files that are not
        assert {b"study.py", b"values.csv"} <= {
            os.path.basename(entry.path) for entry in opened.entries if entry.package is None
        }
        assert "numpy" in {package.name for package in opened.manifest.packages}
    done = command("audit", "--json", bundle, cwd=tmp_path, env={})
    assert (json.loads(done.stdout), done.returncode, done.stderr) == ({"found": []}, 0, "")


def test_what_a_package_brought_is_not_told(tmp_path: Path) -> None:
    """The same secret is told of a file that nobody owns, and not of one that pip installed for everybody alike."""
    home = tmp_path / "home"
    for name in ("site-packages/study-1.dist-info", "site-packages/study"):
        (home / name).mkdir(parents=True)
    (home / "site-packages/study-1.dist-info/RECORD").write_text("study/example.py,,\n")
    names = ("site-packages/study/example.py", "notes.py")
    for name in names:
        (home / name).write_text(Planter().make_up("gh~p_{36}")[0])
    found = audit_bundle(trace_and_pack(home, "cat", *names))
    assert [(finding.rule, finding.place) for finding in found] == [("github-token", f"{home}/notes.py: line 1")]


def test_what_was_edited_out_of_the_manifest_is_found_in_the_trace(tmp_path: Path) -> None:
    """A variable that a person removed from the manifest is still in the trace database, and told."""
    home = tmp_path / "home"
    home.mkdir()
    value = Planter().make_up("gh~p_{36}")[0]
    env = {"SETTING": value}
    assert command("trace", "-d", "../trace", "--", "/bin/true", cwd=home, env=env).returncode == 0
    manifest = tmp_path / "trace/manifest.yml"
    kept = [line for line in manifest.read_text().splitlines(keepends=True) if value not in line]
    manifest.write_text("".join(kept))
    assert command("pack", "-d", "../trace", "../bundle.rpz", cwd=home, env={}).returncode == 0
    found = audit_bundle(tmp_path / "bundle.rpz")
    assert [(finding.rule, finding.place) for finding in found] == [("github-token", "trace: variable SETTING")]


def test_a_bundle_whose_trace_cannot_be_searched_is_refused(tmp_path: Path) -> None:
    """A bundle without a trace is told in a sentence: it is not the same as one without secrets."""
    bundle = BundleMaker(tmp_path / "made").write(make_run())
    with pytest.raises(BundleError, match=r"cannot be searched \(it has no table environments\); pack it again"):
        audit_bundle(bundle)
    done = command("audit", bundle, cwd=tmp_path, env={})
    assert (done.returncode, done.stdout) == (125, "")
    assert done.stderr.startswith(f"rtrace: the trace in {bundle} cannot be searched")


@pytest.mark.parametrize(
    "variable",
    [
        b"SSH_AUTH_SOCK=/run/user/1000/keyring/ssh",
        b"TOKENIZERS_PARALLELISM=false",
        b"DB_PASSWORD=",
        b"DB_PASSWORD=${DB_PASSWORD}",
        b"USE_TOKEN=true",
        b"PWD=/home/reader",
        b"DATABASE_URL=postgresql://db.example/results",
        b"DATABASE_URL=postgresql://reader@db.example:5432/results",
        b"COMPASS=north-west",
    ],
)
def test_what_only_sounds_like_a_secret_is_none(variable: bytes) -> None:
    """Empty values, values yet to be filled in, switches, and names that merely resemble are not told."""
    name, _, value = variable.partition(b"=")
    assert list(scan_environment([(name, value)], "run1")) == []
    assert list(scan_arguments([b"env", variable], "run1")) == []


def test_an_option_and_its_value_may_be_two_arguments() -> None:
    """The argument that is told is the option's; an option that takes no value is none."""
    found = list(scan_arguments([b"study", b"--api-token", b"abc", b"--password", b"--verbose"], "run1"))
    assert [(finding.rule, finding.place) for finding in found] == [("secret-option", "run1: argument 1")]


def test_an_item_without_a_name_is_told_by_its_number() -> None:
    """What has no `=` may be the secret itself, so that its text is not told."""
    value = Planter().make_up("gh~p_{36}")[0].encode()
    found = list(scan_environment([(b"A", b"b"), (value, None)], "run1"))
    assert [(finding.rule, finding.place) for finding in found] == [("github-token", "run1: item 2 of the environment")]


def test_files_are_searched_as_far_as_they_are_text() -> None:
    """All of a text is searched, each line told once; a file with a NUL is told by its name alone."""
    secret = Planter().make_up("gh~p_{36}")[0].encode()
    twice = secret + b" " + secret + b"\n"
    assert [found.place for found in scan_file(b"/a", [b"\n" + twice + twice])] == ["/a: line 2", "/a: line 3"]
    assert list(scan_file(b"/a", [b"\0" + secret])) == []
    assert [found.place for found in scan_file(b"/home/x/.ssh/id_x", [b"\0"])] == ["/home/x/.ssh/id_x"]
    assert list(scan_file(b"/home/x/.ssh/id_x.pub", [b"ssh-ed25519 AAAA x"])) == []


@pytest.mark.parametrize("before", [0, 1000, 65000, 65500, 65536, 131000, 200000])
def test_a_secret_is_found_wherever_the_parts_of_a_file_meet(before: int) -> None:
    """A file comes in parts: a secret that lies in two of them is found as any other, once, on its line."""
    secret = Planter().make_up("gh~p_{36}")[0].encode()
    text = b"line\n" * (before // 5) + secret + b"\n" + b"x y\n" * 50000
    parts = [text[at : at + 65536] for at in range(0, len(text), 65536)]
    assert [found.place for found in scan_file(b"/a", parts)] == [f"/a: line {before // 5 + 1}"]
    begins = {(found.begin, found.end) for found in find_in_file(b"/a", parts)}
    assert begins == {(before // 5 * 5, before // 5 * 5 + len(secret))}
