"""`rtrace pack` gives nothing secret away: it is redacted or left out, told, and packed when a person says so."""

from __future__ import annotations

import os
import sqlite3
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import zstandard

from rtrace.bundle.reader import open_bundle
from rtrace.manifest.model import Secret, SecretPack
from rtrace.trace.directory import TraceDirectory
from secret_planting import FILES, Planted, Planter, command, trace, trace_leaky


def read_everything(bundle: Path) -> Iterator[tuple[str, bytes]]:
    """Give every member of a bundle, decompressed; the database as the bytes that it is, free pages included."""
    with tarfile.open(bundle) as tar:
        for member in tar:
            content = tar.extractfile(member)
            assert content is not None
            if member.name.endswith(".zst"):
                with zstandard.ZstdDecompressor().stream_reader(content, read_across_frames=True) as reader:
                    yield member.name, reader.read()
            else:
                yield member.name, content.read()


def find_anywhere(bundle: Path, *values: str | bytes) -> list[tuple[str, str | bytes]]:
    """Say which of some values are where in a bundle."""
    return [
        (name, value)
        for name, content in read_everything(bundle)
        for value in values
        if (value.encode() if isinstance(value, str) else value) in content
    ]


def allow(home: Path, *lines: str) -> None:
    """Write items under `secrets:` into the manifest of a trace, as a person does."""
    manifest = home.parent / "trace/manifest.yml"
    manifest.write_text(f"{manifest.read_text()}\nsecrets:\n" + "".join(f"  - {line}\n" for line in lines))


@dataclass(frozen=True)
class Packed:
    """What was packed of a run with secrets, and what was said."""

    home: Path
    bundle: Path
    told: str
    planted: tuple[Planted, ...]


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Packed:
    """A bundle of a run with secrets of every rule."""
    home = tmp_path_factory.mktemp("leaky").resolve() / "home"
    planted = trace_leaky(home)
    done = command("pack", "-d", "../trace", "../bundle.rpz", cwd=home, env={})
    assert (done.returncode, done.stdout) == (0, "")
    return Packed(home, home.parent / "bundle.rpz", done.stderr, planted)


def test_no_planted_secret_is_anywhere_in_the_bundle(packed: Packed) -> None:
    """More than 60 secrets of more than 20 kinds: no value in any member, nor in what is said."""
    values = {value for planted in packed.planted for value in planted.values}
    assert len(values) >= 60
    assert len({planted.rule for planted in packed.planted}) >= 20
    assert find_anywhere(packed.bundle, *values) == []
    assert [value for value in values if value in packed.told] == []


def test_an_audit_finds_nothing_afterwards(packed: Packed) -> None:
    """What pack puts in the place of secrets looks like none."""
    done = command("audit", packed.bundle, cwd=packed.home, env={})
    assert (done.returncode, done.stdout.count("\n")) == (0, 1), done.stdout


def test_everything_that_is_hidden_is_listed_with_the_reason(packed: Packed) -> None:
    """Each planted secret is under `secrets:` in the bundle and on standard error, with what became of it."""
    with open_bundle(packed.bundle) as opened:
        secrets = opened.manifest.secrets
        argv = opened.manifest.runs[0].argv
    found = {(secret.place, secret.rule) for secret in secrets}
    for planted in packed.planted:
        kind, _, name = planted.place.rpartition(": ")[2].partition(" ")
        if kind == "variable":
            assert (f"variable {name}", planted.rule) in found
        elif kind == "argument":
            assert any(rule == planted.rule and place.startswith(f"argument {name} of ") for place, rule in found)
        else:
            assert (f"file {planted.place.partition(': line')[0]}", planted.rule) in found
    assert {secret.pack for secret in secrets} == {SecretPack.REDACTED, SecretPack.LEFT_OUT}
    lines = packed.told.splitlines()
    assert [s for s in secrets if not any(s.place in line and f"({s.rule})" in line for line in lines)] == []
    assert argv[:3] == (b"/bin/sh", b"-c", b"find . -type f -exec cat {} + >/dev/null")


def test_a_file_that_holds_a_secret_keeps_its_length_and_one_that_is_one_is_left_out(packed: Packed) -> None:
    """What a program needs of a settings file stays; a key file is a placeholder."""
    with open_bundle(packed.bundle) as opened:
        settings, key = (opened.find(bytes(packed.home / FILES[rule][0])) for rule in ("secret-setting", "ssh-key"))
        assert settings is not None
        assert key is not None
        content = b"".join(opened.read_file(settings.path))
    assert content == b"[db]\npassword = " + b"x" * 16 + b"\n"
    assert key.placeholder


@pytest.mark.requires("root")
def test_the_bundle_is_replayed(packed: Packed) -> None:
    """A replay finds all files, and the words in the place of secrets."""
    done = command("verify", packed.bundle, cwd=packed.home, env={})
    assert done.returncode == 0, (done.stdout, done.stderr)


def pack_one(tmp_path: Path, *lines: str, argv: tuple[str, ...], env: dict[str, str]) -> tuple[Path, str]:
    """Trace and pack a run, with items under `secrets:`; give the bundle and what was said."""
    home = tmp_path / "home"
    home.mkdir(exist_ok=True)
    trace(home, *argv, env=env)
    if lines:
        allow(home, *lines)
    done = command("pack", "-d", "../trace", "../bundle.rpz", cwd=home, env={})
    assert done.returncode == 0, done.stderr
    return tmp_path / "bundle.rpz", done.stderr


def test_a_person_overrules(tmp_path: Path) -> None:
    """`pack: true` packs as it is, `false` leaves a variable out; what fits nothing is told."""
    planter = Planter()
    one, other, third = (planter.make_up("gh~p_{36}")[0] for _ in range(3))
    bundle, told = pack_one(
        tmp_path,
        '{place: "variable ONE", pack: true}',
        '{place: "variable OTHER", rule: github-token, pack: false}',
        '{place: "variable THIRD", rule: jwt, pack: true}',
        '{place: "file /nowhere/**", pack: true}',
        argv=("/bin/true",),
        env={"ONE": one, "OTHER": other, "THIRD": third},
    )
    with open_bundle(bundle) as opened:
        environ = dict(opened.manifest.runs[0].environ)
        secrets = opened.manifest.secrets
    assert (environ[b"ONE"], environ.get(b"OTHER"), environ[b"THIRD"]) == (one.encode(), None, b"redacted")
    assert find_anywhere(bundle, other, third) == []
    what = "a GitHub token"
    assert secrets == (
        Secret("variable ONE", "github-token", what, SecretPack.AS_IT_IS),
        Secret("variable OTHER", "github-token", what, SecretPack.LEFT_OUT),
        Secret("variable THIRD", "github-token", what, SecretPack.REDACTED),
    )
    assert "variable ONE: a GitHub token (github-token): packed as it is" in told
    assert "nothing secret was found for file /nowhere/**; correct it under `secrets:`" in told
    assert "nothing secret was found for variable THIRD; correct it" in told


def test_files_are_overruled_by_pattern(tmp_path: Path) -> None:
    """One line lets all files of a folder pass; a file that is a secret as a whole included."""
    home = tmp_path / "home"
    (home / "examples/.ssh").mkdir(parents=True)
    secret = Planter().make_up("gh~p_{36}")[0]
    (home / "examples/a.txt").write_text(secret)
    (home / "examples/.ssh/id_x").write_text("key")
    bundle, _ = pack_one(
        tmp_path,
        f'{{place: "file {home}/examples", pack: true}}',
        argv=("cat", "examples/a.txt", "examples/.ssh/id_x"),
        env={},
    )
    with open_bundle(bundle) as opened:
        assert b"".join(opened.read_file(bytes(home / "examples/a.txt"))) == secret.encode()
        assert b"".join(opened.read_file(bytes(home / "examples/.ssh/id_x"))) == b"key"


def test_a_known_value_is_hidden_wherever_it_stands(tmp_path: Path) -> None:
    """A value that a variable's name gives away is redacted where nothing else tells it: in arguments and in files."""
    home = tmp_path / "home"
    home.mkdir()
    value = Planter().make_up("{30}")[0]
    (home / "notes.txt").write_text(f"see {value} there\n")
    bundle, told = pack_one(tmp_path, argv=("sh", "-c", f": {value}; cat notes.txt"), env={"DB_PASSWORD": value})
    assert find_anywhere(bundle, value) == []
    assert f"file {home}/notes.txt: a secret that is elsewhere as well, line 1 (known-secret): redacted" in told


def test_a_file_whose_name_tells_a_known_value_is_not_packed(tmp_path: Path) -> None:
    """Neither the index nor the trace holds such a name; a notice tells what is missing."""
    home = tmp_path / "home"
    home.mkdir()
    value = Planter().make_up("{30}")[0]
    (home / f"cache-{value}").write_text("x")
    os.symlink(f"cache-{value}", home / "latest")
    bundle, told = pack_one(tmp_path, argv=("cp", "latest", f"copy-{value}"), env={"DB_PASSWORD": value})
    assert find_anywhere(bundle, value) == []
    assert f"{home}/cache-redacted was not packed: its name tells a secret" in told
    assert value not in told


def test_a_script_loses_its_password_and_nothing_else(tmp_path: Path) -> None:
    """Within `sh -c` a secret ends with its word; after an option it goes to the end of the argument."""
    value = Planter().make_up("{16}")[0]
    script = f"export DB_PASSWORD={value}; echo done --token {value} && true"
    bundle, _ = pack_one(tmp_path, argv=("/bin/sh", "-c", script, "sh", f"--api-token={value} and more"), env={})
    with open_bundle(bundle) as opened:
        argv = opened.manifest.runs[0].argv
    assert argv[2] == b"export DB_PASSWORD=redacted; echo done --token redacted && true"
    assert argv[4] == b"--api-token=redacted"


def test_a_dry_run_tells_and_writes_nothing(tmp_path: Path) -> None:
    """`pack --dry-run` tells what would be hidden, and the line that would allow it."""
    home = tmp_path / "home"
    home.mkdir()
    secret = Planter().make_up("gh~p_{36}")[0]
    trace(home, "/bin/true", env={"SETTING": secret})
    done = command("pack", "--dry-run", "-d", "../trace", "../bundle.rpz", cwd=home, env={})
    assert (done.returncode, secret in done.stdout + done.stderr) == (0, False)
    assert "variable SETTING: a GitHub token (github-token): redacted" in done.stderr
    assert '{place: "variable SETTING", pack: true}' in done.stderr
    assert not (tmp_path / "bundle.rpz").exists()


def test_the_trace_directory_keeps_what_the_bundle_loses(tmp_path: Path) -> None:
    """Packing takes secrets out of a copy: the trace still has them, so that a person may decide otherwise."""
    secret = Planter().make_up("gh~p_{36}")[0]
    pack_one(tmp_path, argv=("/bin/true",), env={"SETTING": secret})
    database = TraceDirectory(tmp_path / "trace").database
    assert secret.encode() in database.read_bytes()


def test_a_secret_that_has_other_names_goes_with_all_of_them(tmp_path: Path) -> None:
    """A hard link to a key is left out as the key is, and two packs are the same byte for byte."""
    home = tmp_path / "home"
    (home / ".ssh").mkdir(parents=True)
    secret = Planter().make_up("{48}")[0]
    (home / ".ssh/id_x").write_text(secret)
    os.link(home / ".ssh/id_x", home / "aaa")
    bundle, _ = pack_one(tmp_path, argv=("cat", "aaa", ".ssh/id_x"), env={"DB_PASSWORD": secret[:20]})
    assert find_anywhere(bundle, secret, secret[:20]) == []
    done = command("pack", "-d", "../trace", "../again.rpz", cwd=home, env={})
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "again.rpz").read_bytes() == bundle.read_bytes()


def test_a_trace_without_secrets_is_copied_as_it_is(tmp_path: Path) -> None:
    """Nothing is rewritten where nothing is hidden."""
    bundle, told = pack_one(tmp_path, argv=("/bin/true",), env={"TERM": "dumb"})
    assert "redacted" not in told
    with open_bundle(bundle) as opened:
        assert opened.manifest.secrets == ()
        opened.extract_trace(tmp_path / "copy.sqlite3")
    with sqlite3.connect(tmp_path / "copy.sqlite3") as copy:
        assert copy.execute("SELECT count(*) FROM executions").fetchone() == (1,)
