"""What a hostile bundle may try in a container: calls, the caller's descriptors and terminal, ids, arguments."""

import contextlib
import json
import os
import re
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bundle_making import USER, BundleMaker, make_run
from docker_making import docker, list_things, made_target, replay
from rtrace.errors import RtraceError, TargetError
from rtrace.limits import Limits
from rtrace.manifest.model import Input, Run
from rtrace.replay.protocol import Streams
from rtrace_unpackers.engines.container.arguments import NO_ID, PROXIES
from rtrace_unpackers.engines.docker import UNPACKER
from rtrace_unpackers.engines.engine import choice
from rtrace_unpackers.engines.image.dockerfile import render_dockerfile
from terminals import at_terminal

pytestmark = pytest.mark.requires("busybox")

# What the probe reaches, as a user and as root. Its sockets are of a network that has no interface but loopback;
# signals to the first process that its own namespace sends are ignored; the files are the container's own.
REACHED_BY_ALL = {"socket-inet", "socket-unix", "make-in-work"}
REACHED_BY_ROOT = {"chroot", "setuid-root", "kill-first", "write-etc-hosts", "make-in-root"}
STATUS = {"NoNewPrivs": "1", "Seccomp": "2", "CapBnd": "00000000800405fb"}
CALLS = 80


@pytest.fixture(scope="module")
def probe(tmp_path_factory: pytest.TempPathFactory, checkout: Path) -> bytes:
    """The probe, as a static program."""
    program = tmp_path_factory.mktemp("probe") / "probe"
    source = checkout / "tests/support/docker_probe.c"
    subprocess.run(["gcc", "-static", "-O1", "-Wall", "-Werror", "-o", program, source], check=True)
    return program.read_bytes()


@pytest.fixture
def maker(tmp_path: Path) -> BundleMaker:
    """A bundle in the making, with busybox in it."""
    return BundleMaker(tmp_path / "made")


@pytest.mark.requires("docker", "gcc")
def test_probe_reaches_what_is_listed_and_nothing_else(probe: bytes, maker: BundleMaker, tmp_path: Path) -> None:
    """Of 80 calls from inside, those of the lists succeed, and none to keyrings, namespaces, devices or the kernel."""
    maker.file(b"/bin/probe", probe, mode=0o4755, uid=0)
    maker.directory(b"/work", mode=0o777)
    user = make_run(binary=b"/bin/probe", argv=(b"probe",), id="user")
    root = make_run(binary=b"/bin/probe", argv=(b"probe",), id="root", uid=0, gid=0, groups=())
    reached = {}
    with made_target(maker, tmp_path, user, root) as target:
        for run in (user, root):
            outcome, out, _ = replay(target, run)
            assert outcome.exit_status == 0
            lines = [line.split() for line in out.decode().splitlines()]
            status = {words[1].rstrip(":"): words[2] for words in lines if words[0] == "status"}
            assert STATUS.items() <= status.items()
            assert (status["CapEff"] == "0" * 16) == (run is user)
            calls = {words[0]: words[1] for words in lines if words[0] != "status"}
            assert len(calls) >= CALLS
            reached[run.id] = {name for name, result in calls.items() if result == "ok"}
    assert reached["user"] == REACHED_BY_ALL
    assert reached["root"] == REACHED_BY_ALL | REACHED_BY_ROOT


LEADS = (b"/proc/self/exe", b"/proc/1/environ", b"/proc/kmsg", b"/proc/1/exe", b"/proc/self/fd/1", b"/proc/self/cwd")


@pytest.mark.requires("docker")
def test_standard_input_and_program_lead_nowhere(maker: BundleMaker, tmp_path: Path) -> None:
    """A bundle whose input or program is a link of /proc, by name or by symlink, gets a sentence instead of a run."""
    runs: list[Run] = []
    for number, lead in enumerate(LEADS):
        maker.symlink(b"/work/link%d" % number, lead)
        path = b"/work/link%d" % number if number % 2 else lead
        runs.append(make_run(b"cat", id=f"in{number}", stdin=Input(path), uid=0 if number in {1, 2, 4} else USER))
    programs = [make_run(id="exe", binary=b"/proc/self/exe"), make_run(id="link", binary=b"/work/link0")]
    with made_target(maker, tmp_path, *runs, *programs) as target:
        for run in runs:
            outcome, out, err = replay(target, run)
            assert (outcome.exit_status, out) == (125, b""), run
            assert err == b"rtrace: cannot open the standard input " + (run.stdin or Input(b"")).path + b"\n"
        for run in programs:
            outcome, out, err = replay(target, run)
            assert (outcome.exit_status, out) == (126, b"")
            assert err == b"rtrace: cannot execute " + run.binary + b"\n"


@pytest.mark.requires("docker")
def test_script_of_a_launcher_ends(maker: BundleMaker, tmp_path: Path) -> None:
    """A script whose interpreter is its own launcher starts one after another, and ends at the limit of processes."""
    maker.file(b"/work/script", b"#!/proc/self/exe\n", mode=0o755)
    run = make_run(binary=b"/work/script", argv=(b"script",))
    with made_target(maker, tmp_path, run) as target:
        outcome = replay(target, run, limits=Limits(processes=60, timeout=120))[0]
        assert (outcome.reached, outcome.exit_status) == (None, 126)


EXCHANGES = {
    "launcher": b"rm -f /.rtrace/first; busybox cp evil /.rtrace/first",
    "first process": b"busybox cp evil other; mv other /.rtrace/pause",
    "folder": b"mv /.rtrace /gone; busybox mkdir /.rtrace; for n in first pause; do busybox cp evil /.rtrace/$n; done",
    "symlink": b"mv /.rtrace /gone; ln -s /work /.rtrace; busybox cp evil first; busybox cp evil pause",
    "mode": b"busybox cp evil /.rtrace/first; busybox chmod 4777 /.rtrace/first; busybox chmod 0 /.rtrace",
}


@pytest.mark.requires("docker")
@pytest.mark.parametrize("way", EXCHANGES)
def test_launchers_are_not_exchanged(way: str, maker: BundleMaker, tmp_path: Path) -> None:
    """What a run puts in the place of launchers, which bring the filter of calls, is not what starts the next run."""
    maker.file(b"/work/evil", b"#!/bin/sh\necho evil; grep Seccomp_filters /proc/self/status\n", mode=0o755)
    maker.symlink(b"/bin/grep", b"busybox")
    script = b"grep Seccomp_filters /proc/self/status; " + EXCHANGES[way]
    root = {"uid": 0, "gid": 0, "groups": ()}
    first, second = make_run(script, id="first", **root), make_run(b"grep Seccomp_filters /proc/self/status", **root)
    with made_target(maker, tmp_path, first, second) as target:
        outcome, printed, err = replay(target, first)
        assert outcome.exit_status == 0, err
        for run in (second, first):
            with contextlib.suppress(TargetError):  # of what cannot be put back, nothing is started
                assert replay(target, run)[1] == printed


GRAB = (
    b"readlink /proc/$$/fd/0; readlink /proc/$$/fd/1; readlink /proc/$$/fd/2;"
    b"for n in 1 2; do busybox chmod 4777 /proc/$$/fd/$n; busybox truncate -s 0 /proc/$$/fd/$n; done 2>/dev/null;"
    b"echo end; echo end >&2"
)


@pytest.mark.requires("docker")
@pytest.mark.parametrize("flags", ["wb", "ab", "r+b"])
def test_caller_keeps_its_descriptors(flags: str, maker: BundleMaker, tmp_path: Path) -> None:
    """What `> out`, `2> err` and `>> log` open is the caller's alone: the program has pipes, and changes neither mode
    nor content.
    """  # noqa: D205 - one sentence
    run = make_run(GRAB, uid=0, gid=0, groups=())
    log, err = tmp_path / "log", tmp_path / "err"
    for file in (log, err):
        file.write_bytes(b"kept\n")
        file.chmod(0o640)
    with (
        made_target(maker, tmp_path, run) as target,
        log.open(flags) as stdout,
        err.open(flags) as stderr,
        open(os.devnull, "rb") as null,
    ):
        stdout.seek(0, os.SEEK_END)
        stderr.seek(0, os.SEEK_END)
        outcome = target.run(run, streams=Streams(null.fileno(), stdout.fileno(), stderr.fileno()))
    assert outcome.exit_status == 0
    kept = b"" if flags == "wb" else b"kept\n"
    assert re.fullmatch(kept + rb"(pipe:.*\n|/dev/null\n)pipe:.*\npipe:.*\nend\n", log.read_bytes())
    assert err.read_bytes() == kept + b"end\n"
    assert [stat.S_IMODE(file.stat().st_mode) for file in (log, err)] == [0o640, 0o640]


@pytest.mark.requires("docker")
@pytest.mark.parametrize("script", [b"kill 0", b"kill -9 -1", b"kill -TERM -1; kill -9 0", b"kill -9 1; kill -9 $PPID"])
def test_killing_everybody_stays_inside(script: bytes, maker: BundleMaker, tmp_path: Path) -> None:
    """`kill 0` and its like end processes of the container, not the caller's, and the target works afterwards."""
    runs = (make_run(script, id="killer", uid=0, gid=0), make_run(b"echo fine", id="after"))
    with made_target(maker, tmp_path, *runs) as target, subprocess.Popen(["sleep", "1000"]) as beside:
        outcome = replay(target, runs[0], limits=Limits(timeout=60))[0]
        assert outcome.reached is None
        assert beside.poll() is None
        beside.terminate()
        assert replay(target, runs[1])[1] == b"fine\n"


def list_bad_ids() -> list[Any]:
    """Runs and entries that have an id that is none."""
    bad_runs = ({"uid": NO_ID}, {"gid": NO_ID}, {"groups": (7, NO_ID)}, {"uid": NO_ID + 1})
    owners = ((NO_ID, 0), (0, NO_ID), (1 << 40, 0))
    return [
        *(pytest.param(changes, None, id=f"run-{changes}") for changes in bad_runs),
        *(pytest.param({}, owner, id=f"owner-{owner}") for owner in owners),
    ]


@pytest.mark.parametrize("changes, owner", list_bad_ids())
def test_no_id_is_refused(
    changes: dict[str, Any],
    owner: tuple[int, int] | None,
    maker: BundleMaker,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """(uid_t) -1 and what is beyond, as user, group or owner, is refused before anything is written."""
    monkeypatch.setenv(choice.VARIABLE, "/nonexistent/engine")
    maker.file(b"/work/file", b"x")
    if owner is not None:
        item = maker.items[b"/work/file"]
        maker.add(item.entry._replace(uid=owner[0], gid=owner[1]), item.source)
    bundle = maker.write(make_run(**changes))
    with pytest.raises(RtraceError):
        UNPACKER.unpack(bundle, tmp_path / "target")
    assert not (tmp_path / "target").exists()


def test_id_beyond_an_engines_is_told(maker: BundleMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An id that the kernel knows and no engine takes for a program is refused with the way out."""
    monkeypatch.setenv(choice.VARIABLE, "/nonexistent/engine")
    with pytest.raises(TargetError, match="use the chroot unpacker"):
        UNPACKER.unpack(maker.write(make_run(uid=3_000_000_000)), tmp_path / "target")


@pytest.mark.requires("docker")
def test_callers_proxies_stay_with_the_caller(
    maker: BundleMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proxies of Docker's configuration, which may hold a password, come into no image, container or program."""
    proxy = "http://name:pa55-canary@proxy.example:3128"
    proxies = dict.fromkeys(("httpProxy", "httpsProxy", "ftpProxy", "noProxy", "allProxy"), proxy)
    (tmp_path / "config").mkdir()
    (tmp_path / "config/config.json").write_text(json.dumps({"proxies": {"default": proxies}}))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "config"))
    for name in PROXIES:
        monkeypatch.setenv(name, proxy)
    run = make_run(b"cat /proc/*/environ; busybox env", uid=0, gid=0)
    with made_target(maker, tmp_path, run) as target:
        out, err = replay(target, run)[1:]
        described = docker("inspect", target.identity.container, target.identity.image)
    assert [text for text in (out.decode(), err.decode(), described) if "canary" in text] == []


UNCONFINED = """\
#!/bin/sh
case $1 in
info) docker "$@" | sed 's/name=seccomp/name=other/' ;;
*) exec docker "$@" ;;
esac
"""


@pytest.mark.requires("docker")
def test_engine_without_a_filter_is_refused(
    maker: BundleMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where an engine tells of no seccomp filter, nothing is replayed."""
    command = tmp_path / "engine"
    command.write_text(UNCONFINED)
    command.chmod(0o755)
    run = make_run(b"echo ran")
    with made_target(maker, tmp_path, run) as target:
        monkeypatch.setenv(choice.VARIABLE, str(command))
        with pytest.raises(TargetError, match="seccomp"):
            replay(target, run)


HOSTILE = (
    "x\nRUN evil",
    "syntax=evil/frontend",
    "# escape=`",
    "<<EOF",
    "a\\",
    '"]\nONBUILD RUN evil',
    "--privileged",
    "-v/:/host",
    "$(evil)",
    "\u2028RUN evil",
    "x\r\nRUN evil",
)


@pytest.mark.parametrize("text", HOSTILE)
def test_bundle_adds_no_instruction(text: str) -> None:
    """Whatever a bundle says, the Dockerfile has our instructions, in our order, and no directive for the parser."""
    value = text.encode()
    run = make_run(
        id=text, argv=(value,), binary=b"/" + value, workingdir=b"/" + value, hostname=text,
        environ=((b"A", value), (value, b"x"), (b"B" + value, value), (b"Z", b"z")),
        distribution=(text, text), system=(text, text),
    )  # fmt: skip
    text = render_dockerfile((run, run), "0" * 64, ("experiment",))
    continued = [line for line in text.split("\n") if line.endswith("\\")]
    assert [line for line in continued if not line.endswith('" \\')] == []
    lines = text.replace('" \\\n    ', '" ').split("\n")  # as the parser joins them
    assert lines[0].startswith("# The bundle 0")
    words = [line.split(" ")[0] for line in lines if line]
    expected = ["FROM", "ADD", "LABEL", "ENV", "WORKDIR", "USER", "CMD"]
    assert [word for word in words if word != "#" and word not in expected] == []
    assert [word for word in words if word not in {"#", "WORKDIR"}] == ["FROM", "ADD", "LABEL", "ENV", "USER", "CMD"]
    assert not any(line.endswith("\\") for line in lines)


def test_digest_that_is_none_is_refused() -> None:
    """The first line of the Dockerfile holds a digest and nothing else that comes from outside."""
    with pytest.raises(TargetError, match="digest"):
        render_dockerfile((make_run(),), "0\nFROM evil", ())


@pytest.mark.requires("docker")
@pytest.mark.parametrize("text", HOSTILE)
def test_bundle_adds_no_argument(text: str, maker: BundleMaker, tmp_path: Path) -> None:
    """A hostile hostname, run name, variable and directory end in no option of the engine's: the container is ours."""
    name = text.replace("\n", " ").replace("\r", " ")
    run = make_run(
        b"busybox hostname; echo fine", id=name, hostname=text, environ=((b"PATH", b"/bin"), (b"A", text.encode()))
    )
    with made_target(maker, tmp_path, run) as target:
        assert replay(target, run)[1].endswith(b"fine\n")
        (described,) = json.loads(docker("inspect", target.identity.container))
    host = described["HostConfig"]
    assert (host["Privileged"], host["Binds"], host["NetworkMode"]) == (False, None, "none")
    assert "no-new-privileges" in host["SecurityOpt"][0]


RUN_AT_TERMINAL = """\
import sys
from pathlib import Path
from rtrace_unpackers.engines.docker import UNPACKER
target = UNPACKER.open(Path(sys.argv[1]))
sys.exit(target.run(target.runs()[0]).exit_status)
"""


@pytest.fixture
def program_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a process of its own finds our modules."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path for path in sys.path if path))


# An engine tells a terminal its size a moment after the program has begun.
TALK = (
    b'until [ "$(busybox stty size 2>/dev/null)" ]; do :; done; busybox stty size; busybox tty; echo ask; read line;'
    b"trap 'busybox stty size' WINCH; echo got $line; read x; busybox stty size; exit 5"
)


@pytest.mark.requires("docker")
@pytest.mark.usefixtures("program_path")
def test_terminal_is_passed_on_and_given_back(maker: BundleMaker, tmp_path: Path) -> None:
    """At a terminal a program has one of the same size, not the caller's; keys and resizing reach it, and afterwards
    the caller's modes are what they were.
    """  # noqa: D205 - one sentence
    run = make_run(TALK)
    with (
        made_target(maker, tmp_path, run) as target,
        at_terminal(sys.executable, "-c", RUN_AT_TERMINAL, target.path, cwd=tmp_path, rows=17, columns=71) as person,
    ):
        before = person.modes()
        person.wait_for(b"17 71")
        person.wait_for(b"/dev/")
        person.wait_for(b"ask")
        person.type(b"hello\r")
        person.wait_for(b"got hello")
        person.resize(30, 90)
        person.wait_for(b"30 90")
        person.type(b"\r")
        person.wait_for(b"30 90")
        assert person.leave() == 5
        assert person.modes() == before


@pytest.mark.requires("docker")
@pytest.mark.usefixtures("program_path")
@pytest.mark.parametrize("way", ["limit", "interrupt", "terminate"])
def test_terminal_is_given_back_when_a_run_is_ended(way: str, maker: BundleMaker, tmp_path: Path) -> None:
    """Whatever ends a run at a terminal, Ctrl-C that the program does not survive included, the modes come back."""
    run = make_run(b"echo begun; while :; do sleep 1000; done")
    limit = "from rtrace.limits import Limits\n" if way == "limit" else ""
    program = RUN_AT_TERMINAL.replace("runs()[0]", "runs()[0], limits=Limits(timeout=1)") if limit else RUN_AT_TERMINAL
    with (
        made_target(maker, tmp_path, run) as target,
        at_terminal(sys.executable, "-c", limit + program, target.path, cwd=tmp_path) as person,
    ):
        before = person.modes()
        person.wait_for(b"begun")
        if way == "interrupt":
            person.type(b"\x03")
        elif way == "terminate":
            os.kill(person.pid, 15)
        assert person.leave() == {"limit": 124, "interrupt": 130, "terminate": 143}[way]
        assert person.modes() == before


@pytest.mark.requires("docker")
def test_verify_reads_nothing_that_is_typed(maker: BundleMaker, tmp_path: Path) -> None:
    """A program that `verify` replays reads an empty input, and what is typed meanwhile is the shell's to read."""
    bundle = maker.write(make_run(b"echo waiting >&2; cat; busybox head -c 1 /dev/tty; echo over >&2", stdout=None))
    command = (sys.executable, "-m", "rtrace", "verify", "--unpacker", "docker", bundle)
    with at_terminal("sh", "-c", '"$@"; read line; echo "left: $line"', "sh", *command, cwd=tmp_path) as person:
        before = person.modes()
        person.type(b"typed early\n")
        person.wait_for(b"left: typed early")
        person.leave()
        assert person.modes() == before


@pytest.mark.requires("docker")
def test_network_of_a_killed_replay_is_taken_away(maker: BundleMaker, tmp_path: Path) -> None:
    """A container that still has the network of a replay that was killed has none in the next replay."""
    if "bridge" not in docker("network", "ls", "--format", "{{.Name}}").splitlines():
        pytest.skip("needs an engine that has a network")
    run = make_run(b"ls /sys/class/net")
    with made_target(maker, tmp_path, run) as target:
        assert replay(target, run)[1] == b"lo\n"
        for state in ("none", ""):  # killed in the middle of the network's coming, and after it
            docker("network", "disconnect", "none", target.identity.container)
            if state:
                docker("network", "connect", "bridge", target.identity.container)
            assert replay(target, run)[1] == b"lo\n"
            docker("network", "connect", "none", target.identity.container)


@pytest.mark.requires("docker")
def test_nothing_stays_in_the_engine(maker: BundleMaker, tmp_path: Path) -> None:
    """Unpacking, replaying and destroying leave no image or container behind."""
    run = make_run(b"echo x > new")
    with made_target(maker, tmp_path, run) as target:
        replay(target, run)
        assert len(list_things(tmp_path)) == 2
    assert list_things(tmp_path) == frozenset()
