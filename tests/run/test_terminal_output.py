"""Nothing raw on a terminal: what bundles, targets, folders, servers and callers say is shown escaped."""

import functools
import json
import os
import re
import shutil
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from bundle_making import BundleMaker, make_run, wrote
from bundle_samples import make_bundle as make_sample
from fuzz.sealing import seal
from fuzz.sections import join
from fuzz.seeds import make_bundle as make_seed
from hostile_manifests import Place, Sample, exchange, make_bundle
from plain_user import PlainUser
from reprozip_making import Member, directory, make_config, make_parts, usual_members, write_tar
from rtrace.bundle.entry import Entry, Result
from rtrace.manifest.model import Output
from rtrace.printable import printable_text
from showing import (
    EVERY_BYTE,
    FAKE,
    HOSTILE,
    LOCALES,
    SURROGATES,
    CommandLine,
    Shown,
    command_line,
    find_raw,
    is_raw,
)
from terminals import at_terminal

PAYLOADS = {"controls": HOSTILE, "surrogates": SURROGATES}
LOOKING = (
    ("info", "BUNDLE"),
    ("info", "--json", "BUNDLE"),
    ("list", "BUNDLE"),
    ("list", "--json", "BUNDLE"),
    ("check", "BUNDLE"),
    ("check", "--json", "BUNDLE"),
    ("audit", "BUNDLE"),
    ("audit", "--json", "BUNDLE"),
    ("verify", "BUNDLE"),
    ("unpack", "-n", "chroot", "BUNDLE"),
    ("unpack", "-n", "docker", "BUNDLE"),
    ("extract", "-o", "extracted", "BUNDLE", "/**"),
    ("export", "-f", "reprozip", "-o", "exported.rpz", "BUNDLE"),
    ("unpack", "chroot", "BUNDLE", "target"),
    ("run", "target"),
    ("destroy", "target"),
)
FEW = (("info", "BUNDLE"), ("info", "--json", "BUNDLE"), ("unpack", "-n", "chroot", "BUNDLE"), ("verify", "BUNDLE"))
"""What shows most of a manifest; `audit`, `check` and the others show less of it, and get all at once."""


@functools.cache
def sample() -> Sample:
    """The manifest that has every field."""
    return Sample()


@pytest.fixture(scope="module")
def run() -> Iterator[CommandLine]:
    """A command line in a UTF-8 locale."""
    with command_line() as line:
        yield line


@pytest.fixture(scope="module", params=sorted(LOCALES))
def run_anywhere(request: pytest.FixtureRequest) -> Iterator[CommandLine]:
    """A command line in each locale."""
    with command_line(LOCALES[request.param]) as line:
        yield line


def run_all(
    run: CommandLine, folder: Path, bundle: Path, commands: tuple[tuple[str, ...], ...] = LOOKING
) -> dict[str, Shown]:
    """Run commands on a bundle; assert that each shows nothing raw, and that JSON is JSON in ASCII."""
    shown = {}
    for command in commands:
        done = run(*(str(bundle) if word == "BUNDLE" else word for word in command), cwd=folder)
        between_fields = {"U+0009"} if command[0] == "list" else set()
        assert set(done.raw) <= between_fields, done
        assert done.status in {0, 1, 2, 3, 125, 126, 127}, done
        if "--json" in command:
            assert done.stdout.isascii()
            if done.stdout:
                json.loads(done.stdout)
        shown[" ".join(command[:-1])] = done
    return shown


# -- what is escaped, and what is not ------------------------------------------------------------------------------


def test_every_control_and_format_character_is_escaped() -> None:
    """Of all of Unicode nothing is left that a terminal obeys or that nobody sees, and an escape stays an escape."""
    for start in range(0, sys.maxunicode + 1, 4096):
        shown = printable_text("a".join(map(chr, range(start, start + 4096))))
        assert [char for char in shown if is_raw(char)] == []
        assert printable_text(shown) == shown


# -- one place prints ----------------------------------------------------------------------------------------------

# -- bundles -------------------------------------------------------------------------------------------------------


@functools.cache
def seed() -> dict[str, bytes]:
    """A bundle taken apart, with every kind of entry."""
    return make_seed()


def test_sample_is_a_bundle(run: CommandLine, tmp_path: Path) -> None:
    """The bundle that has every field of the schema is read without a complaint, so that what is hostile is shown."""
    bundle = tmp_path / "b.rpz"
    bundle.write_bytes(make_bundle(sample().manifest, seed()["trace"]))
    for command in ("info", "list", "check"):
        done = run(command, bundle, cwd=tmp_path)
        assert done.status == 0, done.stderr


@pytest.mark.parametrize("payload", PAYLOADS)
@pytest.mark.parametrize("place", sample().places, ids=lambda place: place.name)
def test_every_string_of_a_manifest(run: CommandLine, tmp_path: Path, place: Place, payload: str) -> None:
    """A manifest may say what it likes in each string that the schema knows: nothing of it is shown raw."""
    bundle = tmp_path / "b.rpz"
    hostile = place.make(PAYLOADS[payload])
    manifest = sample().manifest
    bundle.write_bytes(make_bundle(manifest, seed()["trace"], lambda found: exchange(found, place.value, hostile)))
    run_all(run, tmp_path, bundle, FEW)


def test_all_strings_of_a_manifest_at_once(run_anywhere: CommandLine, tmp_path: Path) -> None:
    """All that a manifest may say without being refused, shown by every command in every locale."""

    def change(found: Any) -> Any:
        for place in sample().places:
            if re.search(r"/(text|path)\d", f"/{place.value}"):
                text = HOSTILE.replace("x", place.value.strip("/"), 1)
                found = exchange(found, place.value, place.make(text.replace("=", "") if "KEY" in place.name else text))
        return found

    bundle = tmp_path / "b.rpz"
    bundle.write_bytes(make_bundle(sample().manifest, seed()["trace"], change))
    shown = run_all(run_anywhere, tmp_path, bundle)
    assert shown["info"].status == 0
    assert shown["info"].stdout.count(rb"\x1b[31m") > 15
    assert shown["info"].stdout.count(FAKE.encode()) > 15


def list_index_strings() -> list[tuple[str, str]]:
    """Return every key of an index or of results that has a string, with the part of the bundle that it stands in."""
    found = set()
    for part in ("files", "results"):
        for line in seed()[part].splitlines():
            found |= {(part, key) for key, value in json.loads(line).items() if not isinstance(value, int)}
    more = {
        ("files", key) for key in ("belonging", "reason", "copy_of", "sha256", "package", "xattrs", "elsewhere", "twin")
    }
    return sorted(found | more)


def test_index_strings_are_all_there_are() -> None:
    """The keys that are tried are all the fields of entries and results that hold text or bytes."""
    texts = {
        name
        for kind in (Entry, Result)
        for name, annotation in kind.__annotations__.items()
        if re.search(r"str|bytes|FileType", str(annotation))
    }
    assert texts - {key for _, key in list_index_strings()} - {"vague"} == set()


@pytest.mark.parametrize("payload", PAYLOADS)
@pytest.mark.parametrize("part, key", list_index_strings())
def test_every_string_of_an_index(run: CommandLine, tmp_path: Path, part: str, key: str, payload: str) -> None:
    """The same is true of each string of entries and results, and of keys that do not exist."""
    text = PAYLOADS[payload]
    values = [text, f"/data/{text}", {"base64": "L2RhdGEv/w=="}, [[text, "x"]]]
    bundle = tmp_path / "b.rpz"
    for value in values:
        lines = []
        for line in seed()[part].splitlines():
            found = json.loads(line)
            if key in found or (found.get("type") == "file" and "link" not in found):
                lines.append(json.dumps({**found, key: value}))
            else:
                lines.append(line.decode())
        content = "".join(f"{line}\n" for line in lines).encode()
        bundle.write_bytes(seal(join({**seed(), part: content})))
        run_all(run, tmp_path, bundle, (("list", "BUNDLE"), ("list", "--json", "BUNDLE"), ("verify", "BUNDLE")))
    lines = [json.dumps({**json.loads(line), text: 1}) for line in seed()[part].splitlines()]
    bundle.write_bytes(seal(join({**seed(), part: "".join(f"{line}\n" for line in lines).encode()})))
    run_all(run, tmp_path, bundle, (("list", "BUNDLE"), ("check", "BUNDLE"), ("verify", "BUNDLE")))


def test_names_of_every_byte_in_an_index(run_anywhere: CommandLine, tmp_path: Path) -> None:
    """Files, links and owners whose names hold every byte there is are listed, extracted, unpacked and told escaped."""
    maker = BundleMaker(tmp_path / "making")
    names = (EVERY_BYTE[:150], EVERY_BYTE[150:])
    for name in names:
        maker.file(b"/work/" + name, b"password = hunter2hunter2\nAPI_KEY=0123456789abcdef0123456789abcdef\n")
        maker.symlink(b"/work/link-" + name, EVERY_BYTE)
    run = make_run(
        id=HOSTILE,
        argv=(b"sh", b"-c", b"exit 3", EVERY_BYTE),
        hostname=HOSTILE[:40],
        environ=((b"PATH", b"/bin"), (EVERY_BYTE.replace(b"=", b""), EVERY_BYTE)),
    )
    paths = [prefix + name for name in names for prefix in (b"/work/", b"/work/missing-")]
    results = [wrote(path, b"another", HOSTILE) for path in paths]
    bundle = maker.write(run, results=tuple(sorted(results, key=lambda result: result.path)))
    shown = run_all(run_anywhere, tmp_path, bundle)
    assert shown["verify"].status == 1
    assert rb"\x1b" in shown["verify"].stdout
    assert shown["list"].stdout.count(rb"\x1b") >= 3


@pytest.mark.parametrize("member", ["METADATA/version", "METADATA/identity", "DATA.tar.zst", "name"])
def test_members_of_a_container(run: CommandLine, tmp_path: Path, member: str) -> None:
    """Names and texts of a bundle's members are escaped, and so is its path."""
    folder = tmp_path / HOSTILE.replace("/", "")[:60]
    folder.mkdir()
    bundle = folder / "b.rpz"
    content = bytearray(seal(join(seed())))
    hostile = HOSTILE.encode()[:60]
    if member == "name":
        content[:60] = hostile
    else:
        place = content.find(member.encode()) if member.encode() in content else 0
        content[place + 512 : place + 512 + 60] = hostile
    bundle.write_bytes(content)
    run_all(run, tmp_path, bundle)
    bundle.write_bytes(hostile * 50)
    run_all(run, tmp_path, bundle)


def test_trace_database_of_a_bundle(run: CommandLine, tmp_path: Path) -> None:
    """What SQLite quotes of a hostile database, and what is in its rows, are escaped."""
    place = tmp_path / "trace"
    with sqlite3.connect(place) as database:
        database.executescript("CREATE TABLE environments(id, content); CREATE TABLE paths(id, path);")
        database.execute("CREATE TABLE executions(id, path, argv)")
        secret = f"API_KEY{HOSTILE}=0123456789abcdef0123456789abcdef\0".encode()
        database.execute("INSERT INTO environments VALUES (1, ?)", (secret,))
        database.execute("INSERT INTO paths VALUES (1, ?)", (HOSTILE.encode(),))
        database.execute("INSERT INTO executions VALUES (1, 1, ?)", (b"x\0--password=hunter2hunter2\0",))
    database.close()
    bundle = tmp_path / "b.rpz"
    content = b"-----BEGIN RSA PRIVATE KEY-----\n" + b"MIIEowIBAAKCAQEA" * 4 + b"\n-----END RSA PRIVATE KEY-----\n"
    common = {"gid": 0, "mode": 0o755, "mtime_ns": 0, "uid": 0}
    file = {**common, "path": "/" + HOSTILE[:60].replace("/", ""), "size": len(content), "type": "file"}
    lines = [{**common, "path": "/", "type": "directory"}, file]
    files = "".join(f"{json.dumps(line)}\n" for line in lines).encode()
    parts = {**seed(), "trace": place.read_bytes(), "content": content, "files": files}
    bundle.write_bytes(seal(join(parts)))
    shown = run_all(run, tmp_path, bundle, (("audit", "BUNDLE"), ("audit", "--json", "BUNDLE")))
    assert shown["audit"].status == 1
    assert shown["audit"].stdout.count(rb"\x1b[31m") == 2  # a program, a file
    with sqlite3.connect(place) as database:
        database.execute("DROP TABLE paths")
        database.execute(f'CREATE VIEW paths AS SELECT 1 AS id, "{HOSTILE}" AS path FROM "{HOSTILE}"')  # noqa: S608
    database.close()
    bundle.write_bytes(seal(join({**seed(), "trace": place.read_bytes()})))
    run_all(run, tmp_path, bundle, (("audit", "BUNDLE"), ("audit", "--json", "BUNDLE")))


def list_config_strings() -> list[str]:
    """Return every scalar of a configuration of ReproZip."""
    return sorted(set(re.findall(r"[\w./-]+", re.sub(r"#.*", "", make_config()))))


@pytest.mark.parametrize("word", list_config_strings())
def test_every_string_of_reprozips_configuration(run: CommandLine, tmp_path: Path, word: str) -> None:
    """Keys and values of a configuration of ReproZip's may be anything as well."""
    quoted = json.dumps(f"/{HOSTILE}" if word.startswith("/") else HOSTILE)
    config = re.sub(rf'(?<![\w./-])[\'"]?{re.escape(word)}[\'"]?(?![\w./-])', lambda _: quoted, make_config())
    bundle = write_tar(tmp_path / "b.rpz", make_parts(config, usual_members()))
    run_all(run, tmp_path, bundle, (("info", "BUNDLE"), ("verify", "BUNDLE")))


def test_packages_and_members_of_reprozip(run_anywhere: CommandLine, tmp_path: Path) -> None:
    """Names of packages and of members of ReproZip's bundles are escaped."""
    hostile = json.dumps(HOSTILE)
    package = f"{{name: {hostile}, version: {hostile}, size: 1, packfiles: true, files: [/data/in]}}"
    rest = f"packages:\n- {package}\nother_files: []\n"
    name = HOSTILE.replace("/", "")[:60]
    members = [*usual_members(), Member(f"DATA/data/{name}", b"1"), directory(f"DATA/{name}")]
    bundle = write_tar(tmp_path / "b.rpz", make_parts(make_config(rest=rest), members))
    shown = run_all(run_anywhere, tmp_path, bundle)
    assert rb"\x1b[31m" in shown["info"].stdout + shown["list"].stdout
    bundle = write_tar(tmp_path / "c.rpz", [*make_parts(make_config(), members), Member(f"METADATA/{name}", b"1")])
    run_all(run_anywhere, tmp_path, bundle)


# -- targets -------------------------------------------------------------------------------------------------------


def list_doctorings() -> dict[str, object]:
    """Return states of which one string is hostile, and what is no state at all."""
    found: dict[str, object] = {"list": [HOSTILE], "text": HOSTILE}
    usual = {"bundle": "0" * 64, "facts": {}, "format": 1, "rtrace": "0.1.0"}
    for unpacker in ("chroot", "docker"):
        for key in ("bundle", "facts", "format", "rtrace", "unpacker"):
            found[f"{unpacker}-{key}"] = {**usual, "unpacker": unpacker, key: HOSTILE}
        for fact in ("owners", "image", "container", "image_is_ours", HOSTILE):
            facts = {"image": "x", "container": HOSTILE, "image_is_ours": "yes", fact: HOSTILE}
            found[f"{unpacker}-fact-{fact[:5]!r}"] = {**usual, "unpacker": unpacker, "facts": facts}
    return found


@pytest.mark.parametrize("doctored", list_doctorings().values(), ids=list_doctorings())
def test_every_string_of_a_targets_state(run: CommandLine, tmp_path: Path, doctored: object) -> None:
    """A target that somebody doctored is told of without a raw word of the one who did."""
    sampled = make_sample(tmp_path / "making").path
    assert run("unpack", "chroot", sampled, "target", cwd=tmp_path).status == 0
    (tmp_path / "target/rtrace-target.json").write_text(json.dumps(doctored))
    for command in (("run", "target"), ("run", "target", HOSTILE), ("destroy", "target")):
        done = run(*command, cwd=tmp_path)
        assert done.raw == [], done


def test_manifest_and_name_of_a_target(run_anywhere: CommandLine, tmp_path: Path) -> None:
    """A target's own copy of the manifest, and its name, may be hostile too."""
    sampled = make_sample(tmp_path / "making").path
    name = HOSTILE.replace("/", "")[:70]
    done = run_anywhere("unpack", "chroot", sampled, name, cwd=tmp_path)
    assert (done.raw, done.status) == ([], 0), done
    manifest = tmp_path / name / "manifest.yml"
    for text in (f"version: {json.dumps(HOSTILE)}\n", f"{json.dumps(HOSTILE)}: 1\n", f"a: [{HOSTILE}", HOSTILE):
        manifest.write_text(text)
        for command in ("run", "destroy"):
            done = run_anywhere(command, name, cwd=tmp_path)
            assert done.raw == [], done


def test_leftovers_of_any_name(run_anywhere: CommandLine, tmp_path: Path) -> None:
    """What killed processes left may be called anything; `doctor` and the next command tell of it escaped."""
    name = HOSTILE.replace("/", "")[:60]
    for number in range(2):
        (tmp_path / f"{name}.incomplete-0000000{number}").mkdir()
    for command in (("doctor",), ("doctor", "--json"), ("doctor", "--clean")):
        done = run_anywhere(*command, cwd=tmp_path)
        assert (done.raw, done.status) == ([], 0), done
    (tmp_path / f"{name}.incomplete-00000002").mkdir()
    done = run_anywhere("unpack", "chroot", make_sample(tmp_path / "making").path, "target", cwd=tmp_path)
    assert (done.raw, done.status) == ([], 0), done
    assert rb"\x1b[31m" in done.stderr


def test_set_uid_program_of_any_name(plain_user: PlainUser) -> None:
    """A notice about a program whose name is no text neither keeps it from being traced nor reaches the terminal."""
    program = os.fsencode(plain_user.home) + b"/suid-\xff\x1b[31m\n" + FAKE.encode()
    shutil.copy(b"/bin/true", program)
    os.chmod(program, 0o4755)
    for command in (("trace", program), ("pack",), ("info", "bundle.rpz")):
        done = plain_user.run(plain_user.rtrace, *command)
        assert done.returncode == 0, done.stderr
        assert [*find_raw(done.stdout), *find_raw(done.stderr)] == []
    assert rb"suid-\xff\x1b[31m\n" in done.stdout


@pytest.mark.requires("root")
def test_host_of_any_name(tmp_path: Path) -> None:
    """A host whose name is no text is traced on, packed and told of."""
    program = (
        "import os, socket, subprocess, sys\n"
        f"socket.sethostname({b'host-' + bytes([255, 27, 10])!r})\n"
        "for command in (['trace', 'true'], ['pack'], ['info', 'bundle.rpz']):\n"
        "    subprocess.run([sys.executable, '-m', 'rtrace', *command], check=True)\n"
    )
    argv = ["unshare", "--uts", sys.executable, "-c", program]
    done = subprocess.run(argv, check=False, capture_output=True, cwd=tmp_path, env=own_temporary(tmp_path))
    assert done.returncode == 0, done.stderr
    assert [*find_raw(done.stdout), *find_raw(done.stderr)] == []
    assert rb"host-\xff\x1b\n" in done.stdout


# -- servers, engines, callers -------------------------------------------------------------------------------------


@contextmanager
def serve(answer: bytes) -> Iterator[str]:
    """Yield the address of a server that gives everybody the same answer."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def work() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(65536)
                    connection.sendall(answer)

        thread = threading.Thread(target=work)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}"
        finally:
            server.shutdown(socket.SHUT_RDWR)
    thread.join()


PHRASE = HOSTILE.replace("\n", "").replace("\r", "").encode()


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 404 " + PHRASE + b"\r\n\r\n",
        b"HTTP/1.1 302 " + PHRASE + b"\r\nLocation: http://" + PHRASE + b"/\r\n\r\n",
        b"HTTP/1.1 302 x\r\nLocation: " + PHRASE + b"\r\n\r\n",
        b"HTTP/1.1 302 x\r\nLocation: ftp://h/" + PHRASE + b"\r\n\r\n",
        b"HTTP/1.1 200 " + PHRASE + b"\r\nContent-Length: " + PHRASE + b"\r\n\r\n",
        b"HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n" + PHRASE + b"\r\n",
        PHRASE,
        b"HTTP/1.1 " + PHRASE + b"\r\n\r\n",
    ],
)
def test_words_of_a_server(run: CommandLine, tmp_path: Path, answer: bytes) -> None:
    """The reason phrase and the headers of a server are escaped."""
    with serve(answer) as address:
        manifest = sample().manifest
        bundle = tmp_path / "b.rpz"
        url = manifest["elsewhere"][0]["url"]
        bundle.write_bytes(make_bundle(manifest, b"", lambda found: exchange(found, url, f"{address}/big")))
        done = run("unpack", "--fetch", "chroot", bundle, "target", cwd=tmp_path)
    assert (done.raw, done.status) == ([], 125), done
    assert done.stderr.count(b"\n") == 1


def test_words_of_an_engine(tmp_path: Path) -> None:
    """What a container engine says is escaped."""
    engine = tmp_path / "engine"
    words = tmp_path / "words"
    words.write_bytes(
        "".join(char for char in HOSTILE if char != "\n" and not char.isspace()).encode() + b"\xff\x9b\x1b[31m"
    )
    engine.write_text(f"#!/bin/sh\ncase $1 in version) exit 0;; esac\ncat {words} >&2\ncat {words}\nexit 1\n")
    engine.chmod(0o755)
    maker = BundleMaker(tmp_path / "making")
    bundle = maker.write(make_run(b"true"))
    with command_line({**LOCALES["utf-8"], "RTRACE_DOCKER": str(engine)}) as run:
        for command in (("unpack", "-n", "docker", bundle), ("unpack", "docker", bundle, "target")):
            done = run(*command, cwd=tmp_path)
            assert done.raw == [], done
    assert rb"\x1b[31m" in done.stderr


@pytest.mark.parametrize("name", [HOSTILE.replace("/", "")[:70], "x\udcff\udc9by", "-", "a b", "%s{0}"])
def test_names_that_a_caller_gives(run_anywhere: CommandLine, tmp_path: Path, name: str) -> None:
    """Bundles, trace directories, targets and files may be called anything, and every command works with them."""
    folder = tmp_path / f"f{name}"
    folder.mkdir()
    (folder / f"in{name}").write_text("nothing secret\n")
    bundle, target, trace = f"b{name}.rpz", f"t{name}", f"d{name}"
    script = 'cat "$1" > "$2"'
    steps = (
        ("trace", "-d", trace, "sh", "-c", script, "sh", f"in{name}", f"out{name}"),
        ("pack", "-d", trace, "-n"),
        ("pack", "-d", trace, bundle),
        ("info", bundle),
        ("list", bundle),
        ("check", bundle),
        ("verify", bundle),
        ("audit", bundle),
        ("unpack", "-n", "chroot", bundle, target),
        ("unpack", "chroot", bundle, target),
        ("run", target),
        ("destroy", target),
        ("extract", "-o", f"e{name}", bundle, "/**/in*"),
        ("export", "-f", "reprozip", "-o", f"r{name}.rpz", bundle),
        ("trace", "-d", f"{trace}2", "true"),
        ("combine", "-d", f"{trace}3", trace, f"{trace}2"),
        ("trace", "-d", trace, "--continue", "true"),
    )
    for step in steps:
        done = run_anywhere(*step, cwd=folder)
        assert (done.raw, done.status) == ([], 0), done


NAMED = ("info", "list", "check", "audit", "verify", "run", "destroy", "combine", "extract", "export", "pack")


@pytest.mark.parametrize("text", [HOSTILE, "x\udcff", "--x" + HOSTILE, "--format=" + HOSTILE])
def test_arguments_that_are_wrong(run_anywhere: CommandLine, tmp_path: Path, text: str) -> None:
    """What a caller types wrong comes back escaped, whichever command and argument it is."""
    commands = [
        (text,),
        *((name, text) for name in NAMED),
        *(("pack", option, text) for option in ("--larger-than", "--include", "--exclude", "--format", "-d")),
        ("trace", text),
        ("trace", f"./{text}"),
        ("trace", "--keep", text, "true"),
        ("unpack", text, "b.rpz"),
        ("unpack", "chroot", text),
        ("unpack", "--from", text, "chroot", "b.rpz"),
        ("verify", "--unpacker", text, "b.rpz"),
        ("run", "--unpacker", text, __file__),
        ("check", "--identity", text, "b.rpz"),
        ("extract", "b.rpz", text),
        ("combine", text, text),
        ("export", "-f", text, "-o", text, text),
        ("schema", text),
    ]
    make_sample(tmp_path / "making").path.rename(tmp_path / "b.rpz")
    for command in commands:
        done = run_anywhere(*command, cwd=tmp_path)
        assert done.raw == [], done


PLUGIN = """\
import warnings, threading
class Unpacker:
    name = summary = "hostile"
    def plan(self, bundle, target):
        return ({text!r},)
    def unpack(self, bundle, target, **more):
        warnings.warn({text!r})
        thread = threading.Thread(target=self.open, args=(target,))
        thread.start()
        thread.join()
        try:
            self.open(target)
        except ValueError:
            raise TypeError({text!r})
    def open(self, target):
        raise ValueError({text!r})
UNPACKER = Unpacker()
"""


def test_crashes_and_warnings(tmp_path: Path) -> None:
    """A traceback, a warning and a thread's last words are escaped, and a crash is no verdict: it exits with 125.

    The traceback is for whoever asks for it; everybody else is told in a sentence.
    """
    plugin = tmp_path / "plugin"
    (plugin / "hostile-1.dist-info").mkdir(parents=True)
    (plugin / "hostile_plugin.py").write_text(PLUGIN.format(text=HOSTILE + SURROGATES))
    (plugin / "hostile-1.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: hostile\nVersion: 1\n")
    points = "[rtrace.unpackers]\nhostile = hostile_plugin:UNPACKER\n"
    (plugin / "hostile-1.dist-info/entry_points.txt").write_text(points)
    bundle = make_sample(tmp_path / "making").path
    with command_line({**LOCALES["utf-8"], "PYTHONPATH": str(plugin), "PYTHONWARNINGS": "always"}) as run:
        done = run("unpack", "-n", "hostile", bundle, "target", cwd=tmp_path)
        assert (done.raw, done.status) == ([], 0), done
        plain = run("verify", "--unpacker", "hostile", bundle, cwd=tmp_path)
        done = run("verify", "--debug", "--unpacker", "hostile", bundle, cwd=tmp_path)
    assert (plain.status, plain.raw) == (125, []), plain
    assert b"Traceback" not in plain.stderr
    assert b"rtrace: a mistake in rtrace (TypeError: " in plain.stderr
    assert done.status == 125
    assert {line for line in done.raw if not line.startswith("Traceback")} == set(), done
    assert done.stderr.count(rb"\x1b[31m") >= 4


# -- the stream itself ---------------------------------------------------------------------------------------------


def test_extracted_content_is_given_byte_for_byte(run_anywhere: CommandLine, tmp_path: Path) -> None:
    """What was asked for byte for byte is no sentence: nothing in it is escaped."""
    maker = BundleMaker(tmp_path / "making")
    content = bytes(range(256)) + HOSTILE.encode()
    maker.file(b"/work/content", content)
    done = run_anywhere("extract", maker.write(make_run()), "/work/content", cwd=tmp_path)
    assert (done.stdout, done.status) == (content, 0)


def test_json_has_what_was_there(run: CommandLine, tmp_path: Path) -> None:
    """In JSON nothing is lost: a reader gets the characters back that were escaped for the terminal."""
    changed = exchange(sample().manifest, sample().find("/hostname"), HOSTILE)
    bundle = tmp_path / "b.rpz"
    bundle.write_bytes(make_bundle(changed, seed()["trace"]))
    done = run("info", "--json", bundle, cwd=tmp_path)
    assert json.loads(done.stdout)["runs"][0]["hostname"] == HOSTILE


def test_bar_on_a_terminal(tmp_path: Path) -> None:
    """A bar moves by the return to the beginning of its line alone, and leaves the terminal as it was."""
    maker = BundleMaker(tmp_path / "making")
    for number in range(30):
        maker.file(b"/work/%d" % number + EVERY_BYTE[:200], bytes(4 << 20))
    bundle = maker.write(make_run(b"true"))
    with at_terminal(sys.executable, "-m", "rtrace", "unpack", "chroot", bundle, "target", cwd=tmp_path) as person:
        modes = person.modes()
        assert person.leave() == 0
        assert person.modes() == modes
    shown = person.shown.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    assert [char for char in shown.decode() if is_raw(char) and char != "\n"] == []


def test_verified_program_on_a_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a verified program prints cannot reach the terminal as commands either; tabs and lines stay."""
    monkeypatch.setenv("NO_COLOR", "1")  # the verdicts of rtrace itself would be in colour
    maker = BundleMaker(tmp_path / "making")
    maker.file(b"/work/words", HOSTILE.encode() + b"\tin a\ttable\nprogress 1\rprogress 2\n\xff\xc3")
    runs = [make_run(b"cat words; cat words >&2"), make_run(b"cat words", id="run2", stdout=Output("pipe"))]
    bundle = maker.write(*runs)
    with at_terminal(sys.executable, "-m", "rtrace", "verify", bundle, cwd=tmp_path) as person:
        person.leave()
    shown = person.shown.replace(b"\r\n", b"\n").decode()
    assert [char for char in shown if is_raw(char) and char not in "\n\t"] == []
    assert shown.count("\tin a\ttable\nprogress 1\nprogress 2\n\\xff\\xc3") == 3
    assert shown.count(r"\x1b[31m") == 3


def own_temporary(folder: Path) -> dict[str, str]:
    """Return an environment in which nothing is told of what others left in /tmp."""
    return {**os.environ, "TMPDIR": str(folder)}


PIPES = (
    ("list", "BUNDLE"),
    ("list", "--json", "BUNDLE"),
    ("info", "BUNDLE"),
    ("info", "--json", "BUNDLE"),
    ("--help",),
)


@pytest.mark.parametrize("command", [*PIPES, ("schema",), ("extract", "BUNDLE", "/data/large"), ("check", "BUNDLE")])
def test_reader_that_has_gone(tmp_path: Path, command: tuple[str, ...]) -> None:
    """When nobody reads standard output any more, a command ends with 141 and says nothing."""
    bundle = make_sample(tmp_path / "making").path
    argv = [str(bundle) if word == "BUNDLE" else word for word in command]
    with subprocess.Popen(
        [sys.executable, "-m", "rtrace", *argv],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
        env=own_temporary(tmp_path),
    ) as process:
        assert process.stdout is not None
        process.stdout.close()
        _, words = process.communicate()
    assert (process.returncode, words) == (141, b"")


@pytest.mark.parametrize("command", [("list", "BUNDLE"), ("schema",), ("check", "--json", "BUNDLE")])
def test_output_that_is_closed_or_full(tmp_path: Path, command: tuple[str, ...]) -> None:
    """Closed from the beginning it is the same; on a full disk the sentence says so. Neither is taken for an answer."""
    bundle = make_sample(tmp_path / "making").path
    words = " ".join(f'"{bundle}"' if word == "BUNDLE" else word for word in command)
    statuses = {">&-": 141, "> /dev/full": 125}
    for redirection, status in statuses.items():
        line = f'"{sys.executable}" -m rtrace {words} {redirection}'
        done = subprocess.run(
            ["sh", "-c", line], check=False, capture_output=True, cwd=tmp_path, env=own_temporary(tmp_path)
        )
        assert done.returncode == status, done
        assert b"Traceback" not in done.stderr
        assert done.stderr.count(b"\n") == (status == 125)


def test_words_that_nobody_hears(tmp_path: Path) -> None:
    """A closed or full standard error keeps no command from what it was told to do."""
    for number, redirection in enumerate(("2>&-", "2> /dev/full")):
        line = f'"{sys.executable}" -m rtrace trace -d t{number} true {redirection}'
        line += f' && "{sys.executable}" -m rtrace pack -d t{number} b{number}.rpz {redirection}'
        done = subprocess.run(
            ["sh", "-c", line], check=False, capture_output=True, cwd=tmp_path, env=own_temporary(tmp_path)
        )
        assert done.returncode == 0, done
        assert (tmp_path / f"b{number}.rpz").exists()
