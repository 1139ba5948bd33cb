"""`rtrace pack` gives nothing secret away: it is redacted or left out, told, and packed when a person says so."""

from __future__ import annotations

import base64
import gzip
import io
import lzma
import os
import pickle
import sqlite3
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest
import zstandard

from bundle_bytes import read_everything
from rtrace.manifest.model import Secret, SecretPack
from rtrace.opening import open_bundle
from rtrace.trace.directory import TraceDirectory
from secret_kinds import CLEAN, PLANTED
from secret_planting import FILES, Planted, Planter, command, trace, trace_leaky


def find_anywhere(bundle: Path, *values: str | bytes) -> list[tuple[str, str | bytes]]:
    """Return which of some values are where in a bundle."""
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
    assert f"file {home}/notes.txt: a secret that also occurs elsewhere, line 1 (known-secret): redacted" in told


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


@dataclass(frozen=True)
class Study:
    """A study with a secret of every kind that people leave about, files in which they are packed, and clean ones."""

    home: Path
    bundle: Path
    told: str
    values: dict[str, tuple[str, ...]]
    packed: dict[str, str]


def make_archives(home: Path, planter: Planter) -> dict[str, str]:
    """Write files in which others with a secret are packed; give the secret of each."""
    secrets = {name: planter.make_up("{24}")[0] for name in ("a.zip", "b.tar.gz", "c.gz", "d.xz", "e.zst")}
    contents = {name: f"settings\nAPI_PASSWORD={secret}\n".encode() for name, secret in secrets.items()}
    with zipfile.ZipFile(home / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("study/.env", contents["a.zip"])
    with tarfile.open(home / "b.tar.gz", "w:gz") as tar:
        info = tarfile.TarInfo("study/.env")
        info.size = len(contents["b.tar.gz"])
        tar.addfile(info, io.BytesIO(contents["b.tar.gz"]))
    (home / "c.gz").write_bytes(gzip.compress(contents["c.gz"]))
    (home / "d.xz").write_bytes(lzma.compress(contents["d.xz"]))
    (home / "e.zst").write_bytes(zstandard.compress(contents["e.zst"]))
    return secrets


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A bundle of a study that reads all its files."""
    home = tmp_path_factory.mktemp("study").resolve() / "home"
    planter = Planter(seed=106)
    values = {}
    for name, shape in PLANTED:
        path = home / "planted" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        text, made_up = planter.make_up(shape)
        path.write_text(text + "\n")
        values[f"planted/{name}"] = tuple(value for value in made_up if len(value) >= 10)
    for name, text in CLEAN.items():
        (home / "clean").mkdir(exist_ok=True)
        (home / "clean" / name).write_text(text)
    packed = make_archives(home, planter)
    wide, pickled, stored = (planter.make_up("{32}")[0] for _ in range(3))
    (home / "wide.txt").write_text(f"api_key = '{wide}'\r\n", encoding="utf-16")
    (home / "study.pickle").write_bytes(pickle.dumps({"api_key": pickled}))
    with sqlite3.connect(home / "study.sqlite") as database:
        database.execute("CREATE TABLE settings (name, value)")
        database.execute("INSERT INTO settings VALUES ('api_token', ?)", (stored,))
    database.close()
    values |= {"wide.txt": (wide,), "study.pickle": (pickled,), "study.sqlite": (stored,)}
    everywhere = values["planted/study.ini"][0]
    (home / "echo.txt").write_text(f"{everywhere}\n{quote(everywhere, safe='')}\n")
    (home / "echo.b64").write_bytes(base64.b64encode(f"reader:{everywhere}".encode()))
    (home / "echo.bin").write_bytes(b"\0\1\2" + everywhere.encode() + b"\3")
    (home / f"name-{everywhere}").write_text("x")
    script = "find . -type f -exec cat {} + >/dev/null; echo done >out-$2"
    trace(home, "sh", "-c", script, "sh", f"see {everywhere}", everywhere, env={"NOTE": f"it is {everywhere}"})
    done = command("pack", "-d", "../trace", "../bundle.rpz", cwd=home, env={})
    assert (done.returncode, done.stdout) == (0, "")
    return Study(home, home.parent / "bundle.rpz", done.stderr, values, packed)


def test_no_secret_of_any_kind_is_anywhere_in_the_bundle(study: Study) -> None:
    """106 secrets and more in files of all kinds: no value in data, index, results, manifest, trace, and none told."""
    values = [value for made_up in study.values.values() for value in made_up]
    assert len(study.values) >= 106
    assert find_anywhere(study.bundle, *values, *study.packed.values()) == []
    assert [value for value in (*values, *study.packed.values()) if value in study.told] == []


def test_each_file_with_a_secret_is_told_and_no_other(study: Study) -> None:
    """Every file that holds a secret, or an archive with one, is told; clean ones are packed as they are."""
    with open_bundle(study.bundle) as opened:
        told = {secret.place.removeprefix(f"file {study.home}/") for secret in opened.manifest.secrets}
        assert (study.values.keys() | study.packed.keys()) - told == set()
        assert [name for name in told if name.startswith("clean/")] == []
        for name, text in CLEAN.items():
            assert b"".join(opened.read_file(bytes(study.home / "clean" / name))) == text.encode()


def test_what_is_packed_in_a_file_is_left_out_with_it(study: Study) -> None:
    """An archive with a secret cannot be redacted: it is an outline, and told with the file that the secret is in."""
    with open_bundle(study.bundle) as opened:
        for name in study.packed:
            entry = opened.find(bytes(study.home / name))
            assert entry is not None
            assert entry.placeholder
    assert (
        f"file {study.home}/a.zip: a setting that is named as a secret, in study/.env (secret-setting): left out"
        in (study.told)
    )


def test_what_a_file_gives_away_is_hidden_wherever_it_stands(study: Study) -> None:
    """A value of one file is found in others (for an address, in base64, among bytes), in arguments and variables."""
    for name in ("echo.txt", "echo.b64", "echo.bin"):
        assert f"file {study.home}/{name}: a secret that also occurs elsewhere" in study.told
    assert "variable NOTE: a secret that also occurs elsewhere (known-secret): redacted" in study.told
    assert "a secret that also occurs elsewhere (known-secret): redacted" in study.told
    assert f"{study.home}/name-redacted was not packed: its name tells a secret" in study.told
    with open_bundle(study.bundle) as opened:
        argv = opened.manifest.runs[0].argv
        assert argv[4:] == (b"see redacted", b"redacted")
        assert dict(opened.manifest.runs[0].environ)[b"NOTE"] == b"redacted"


def test_wide_text_binary_files_and_databases_stay_what_they_are(study: Study) -> None:
    """What is redacted keeps its length and form: wide text is still read as such, a pickle and a database open."""
    with open_bundle(study.bundle) as opened:
        wide, pickled, stored = (
            b"".join(opened.read_file(bytes(study.home / name)))
            for name in ("wide.txt", "study.pickle", "study.sqlite")
        )
    assert wide.decode("utf-16") == f"api_key = '{'x' * 32}'\r\n"
    assert pickle.loads(pickled) == {"api_key": "x" * 32}  # noqa: S301 -- the test made it
    (study.home.parent / "copy.sqlite").write_bytes(stored)
    with sqlite3.connect(study.home.parent / "copy.sqlite") as copy:
        assert copy.execute("SELECT * FROM settings").fetchall() == [("api_token", "x" * 32)]
    copy.close()


def test_an_audit_finds_nothing_that_packing_left(study: Study) -> None:
    """`rtrace audit` of the bundle finds no secret."""
    done = command("audit", study.bundle, cwd=study.home, env={})
    assert (done.returncode, done.stdout.count("\n")) == (0, 1), done.stdout


def test_an_archive_is_packed_when_a_person_says_so(tmp_path: Path) -> None:
    """`pack: true` packs an archive as it is, and what it holds may stand elsewhere, too; `redacted` leaves it out."""
    home = tmp_path / "home"
    home.mkdir()
    secrets = make_archives(home, Planter())
    (home / "echo.txt").write_text(secrets["a.zip"])
    bundle, told = pack_one(
        tmp_path,
        f'{{place: "file {home}/a.zip", pack: true}}',
        f'{{place: "file {home}/c.gz", pack: redacted}}',
        argv=("sh", "-c", "cat a.zip c.gz echo.txt >/dev/null"),
        env={},
    )
    with open_bundle(bundle) as opened:
        assert b"".join(opened.read_file(bytes(home / "a.zip"))) == (home / "a.zip").read_bytes()
        assert b"".join(opened.read_file(bytes(home / "echo.txt"))) == secrets["a.zip"].encode()
        entry = opened.find(bytes(home / "c.gz"))
        assert entry is not None
        assert entry.placeholder
    assert f"file {home}/a.zip: a setting that is named as a secret, in study/.env (secret-setting): packed as" in told


def test_an_archive_that_cannot_be_searched_is_told(tmp_path: Path) -> None:
    """What cannot be looked into is packed, and a notice says so."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "a.7z").write_bytes(b"7z\xbc\xaf\x27\x1c" + bytes(50))
    bundle, told = pack_one(tmp_path, argv=("sh", "-c", "cat a.7z >/dev/null"), env={})
    assert f"{home}/a.7z could not be searched for secrets to the end: what is packed as 7z cannot be read" in told
    with open_bundle(bundle) as opened:
        assert b"".join(opened.read_file(bytes(home / "a.7z"))) == (home / "a.7z").read_bytes()


def test_what_a_key_file_holds_is_hidden_elsewhere(tmp_path: Path) -> None:
    """A file that is left out for its name tells what else must not be packed."""
    home = tmp_path / "home"
    (home / ".cache/huggingface").mkdir(parents=True)
    secret = Planter().make_up("{40}")[0]
    (home / ".cache/huggingface/token").write_text(secret)
    (home / "log.txt").write_text(f"asked with {secret}\n")
    bundle, told = pack_one(tmp_path, argv=("cat", ".cache/huggingface/token", "log.txt"), env={})
    assert find_anywhere(bundle, secret) == []
    assert f"file {home}/log.txt: a secret that also occurs elsewhere, line 1 (known-secret): redacted" in told


def test_an_address_of_the_manifest_loses_its_token(tmp_path: Path) -> None:
    """A token in the URL of `elsewhere:` is redacted and told, unless a person wants it packed."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "data.csv").write_text("1,2\n")
    trace(home, "cat", "data.csv")
    manifest = tmp_path / "trace/manifest.yml"
    text = manifest.read_text()
    secret = Planter().make_up("{32}")[0]
    elsewhere = (
        f'\nelsewhere:\n  - {{path: "{home}/data.csv", url: "https://x.example/data.csv?access_token={secret}"}}\n'
    )
    for number, more in enumerate(("", f'secrets:\n  - {{place: "address of {home}/data.csv", pack: true}}\n')):
        manifest.write_text(text.replace("\nelsewhere: []\n", "\n") + elsewhere + more)
        bundle = tmp_path / f"bundle{number}.rpz"
        done = command("pack", "-d", "../trace", bundle, cwd=home, env={})
        assert done.returncode == 0, done.stderr
        assert f"address of {home}/data.csv: an address with a token (url-token): " in done.stderr
        with open_bundle(bundle) as opened:
            (one,) = opened.manifest.elsewhere
        assert one.url == f"https://x.example/data.csv?access_token={secret if number else 'redacted'}"
        assert bool(find_anywhere(bundle, secret)) == bool(number)


def test_an_attribute_of_a_file_tells_nothing(tmp_path: Path) -> None:
    """An extended attribute that holds a known value is not packed."""
    home = tmp_path / "home"
    home.mkdir()
    secret = Planter().make_up("{32}")[0]
    (home / "data.csv").write_text("1,2\n")
    os.setxattr(home / "data.csv", "user.origin", f"https://x.example/{secret}".encode())
    os.setxattr(home / "data.csv", "user.unit", b"m")
    bundle, _ = pack_one(tmp_path, argv=("cat", "data.csv"), env={"X_PASSWORD": secret})
    assert find_anywhere(bundle, secret) == []
    with open_bundle(bundle) as opened:
        entry = opened.find(bytes(home / "data.csv"))
    assert entry is not None
    assert entry.xattrs == ((b"user.unit", b"m"),)


def test_outputs_whose_names_hold_secrets_leave_a_bundle_that_can_be_read(tmp_path: Path) -> None:
    """Two that differ in the secret alone were one name: the trace and the manifest of such a bundle were broken."""
    home = tmp_path.resolve() / "home"
    home.mkdir()
    planter = Planter()
    tokens = [planter.make_up("gh~p_{36}")[0] for _ in range(2)]
    trace(home, "/bin/sh", "-c", 'for token; do echo 1 > "out-$token.txt"; done', "sh", *tokens)
    done = command("pack", "-d", "../trace", "../bundle.rpz", cwd=home, env={})
    assert done.returncode == 0, done.stderr
    assert find_anywhere(home.parent / "bundle.rpz", *tokens) == []
    checked = command("check", "../bundle.rpz", cwd=home, env={})
    assert checked.returncode == 0, checked.stderr
