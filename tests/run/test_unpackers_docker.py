"""The docker unpacker: a deterministic build context, launchers that start a run as it was, and a real engine."""

import contextlib
import io
import json
import os
import re
import shlex
import signal
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bundle_making import TIME, USER, BundleMaker, digest, make_run, wrote
from docker_making import replay, start_run
from emulators import EMULATORS, need_emulator
from image_layers import list_members
from rtrace.bundle.entry import Entry, FileType
from rtrace.errors import HostileBundleError, TargetError, UsageError
from rtrace.manifest.model import NamedFile, Package, Run
from rtrace.opening import open_bundle
from rtrace.replay.protocol import Images, Outcome, Unpacked
from rtrace_unpackers.engines.belonging import possessions
from rtrace_unpackers.engines.belonging.identity import Identity
from rtrace_unpackers.engines.container.arguments import plan_container, plan_execution
from rtrace_unpackers.engines.docker import UNPACKER
from rtrace_unpackers.engines.engine import choice
from rtrace_unpackers.engines.engine.choice import choose_engine
from rtrace_unpackers.engines.image.base import render_base
from rtrace_unpackers.engines.image.dockerfile import name_launchers, render_dockerfile
from rtrace_unpackers.engines.image.launcher import build_launcher, build_pause
from rtrace_unpackers.engines.image.rootfs import HOLES_LIMIT, choose_empty
from rtrace_unpackers.engines.target import DockerTarget

pytestmark = pytest.mark.requires("busybox")
NO_ENGINE = "/nonexistent/engine"
NOT_UTF8 = b"/work/caf\xe9 \n\"':"

DOCKERFILE = """\
# The bundle 0123456789abcdef, made into an image by rtrace.
# A container replays the first run; the others are started by their launchers:
#     /.rtrace/run1
#     /.rtrace/run-number-2
FROM scratch
ADD packages.tar /
ADD launchers.tar /
LABEL rtrace.bundle="0123456789abcdef"
ENV PATH="/bin" \\
    ODD="\\"q\\" \\\\ \\$HOME 'x' # \u00e9 "
# 5 more variables are in the launcher only: a Dockerfile cannot hold them.
WORKDIR /work/a\\ b
USER 4321:4321
CMD ["/.rtrace/run1"]
""".replace("\\ b", " b")


def test_dockerfile_is_as_expected() -> None:
    """The Dockerfile says what a Dockerfile can say, quoted, and leaves the rest to the launcher."""
    environ = (
        (b"PATH", b"/bin"),
        (b"ODD", "\"q\" \\ $HOME 'x' # \u00e9 ".encode()),
        (b"PATH", b"/second"),
        (b"LINES", b"1\n2"),
        (b"NOT", b"\xff"),
        (b"a-b", b""),
        (b"LONG", b"x" * 40000),
    )
    runs = (make_run(environ=environ, workingdir=b"/work/a b"), make_run(id="../climbs"))
    assert render_dockerfile(runs, "0123456789abcdef", ("packages", "launchers")) == DOCKERFILE


def test_working_directory_that_cannot_be_said_is_left_out() -> None:
    """A working directory with a newline, a blank at its end, or that is not UTF-8 is the launcher's affair alone."""
    for path in (b"/a\nRUN evil", b"/a ", b"/\xff"):
        assert "\nWORKDIR" not in render_dockerfile((make_run(workingdir=path),), "0", ())


def test_launchers_have_names_that_stay_in_their_folder() -> None:
    """Whatever a run's id is, its launcher lies in /.rtrace, and not where the pause program is."""
    runs = tuple(make_run(id=name) for name in ("run1", "pause", "../x", "", "a/b", "-x", "ok.2"))
    names = list(name_launchers(runs).values())
    assert (names[0], names[-1]) == ("/.rtrace/run1", "/.rtrace/ok.2")
    assert [name for name in names if not re.fullmatch(r"/\.rtrace/[A-Za-z0-9][A-Za-z0-9.-]*", name)] == []
    assert len({*names, "/.rtrace/pause"}) == len(runs) + 1


def test_containers_are_shut_off() -> None:
    """A container gets no network, no new privileges, nothing of the registry's, and the recorded name and groups."""
    run = make_run(groups=(7, USER), hostname="box")
    identity = Identity("0" * 32, "rtrace-x:000000000000")
    words = plan_container((run,), "image", identity, {"rtrace.target": identity.number})
    assert {
        "--network=none",
        "--security-opt=no-new-privileges",
        "--pull=never",
        "--cap-drop=ALL",
        "--hostname=box",
        "--label=rtrace.target=" + identity.number,
        "--group-add=7",
    } <= set(words)
    assert not any(word.startswith(("--privileged", "--volume", "--mount", "--device", "--pid=")) for word in words)
    added = {word.partition("=")[2] for word in words if word.startswith("--cap-add")}
    assert added & {"MKNOD", "NET_RAW", "AUDIT_WRITE", "SYS_ADMIN", "SYS_PTRACE", "ALL"} == set()
    nameless = plan_container((make_run(hostname="--x"),), "image", identity, {})
    assert not any(word.startswith("--hostname") for word in nameless)
    assert f"--user={USER}:{USER}" in plan_execution(run, "c", is_terminal=False)


@pytest.fixture(params=sorted(EMULATORS))
def architecture(request: pytest.FixtureRequest) -> str:
    """An architecture whose programs this machine can execute, if need be with an emulator that it happens to have."""
    return need_emulator(request.param)


def launch(folder: Path, run: Run) -> subprocess.CompletedProcess[bytes]:
    """Write a run's launcher and run it right here."""
    launcher = folder / "launcher"
    launcher.write_bytes(build_launcher(run))
    launcher.chmod(0o755)
    return subprocess.run([*EMULATORS[run.architecture], launcher], check=False, capture_output=True)


def test_launcher_passes_everything_on(architecture: str, tmp_path: Path) -> None:
    """Argv with a free argv[0], environment of any bytes and of 300 KiB, umask and directory arrive as recorded."""
    environ = (
        *((b"V%d" % number, b"x" * 100 * 1024) for number in range(3)),
        (b"B", b"\xff\n"),
        (b"A", b"1"),
        (b"A", b"2"),
        (b"NO-VALUE", None),
    )
    folder = tmp_path / os.fsdecode(b"caf\xe9 ")
    folder.mkdir()
    run = make_run(
        argv=(b"cat", b"/proc/self/environ", b"/proc/self/cmdline", b"\xff\n", b""),
        binary=b"/bin/cat",
        workingdir=os.fsencode(folder),
        environ=environ,
        architecture=architecture,
    )
    (folder / os.fsdecode(b"\xff\n")).write_bytes(b"end")
    done = launch(tmp_path, run)
    expected = b"".join(name + (b"" if value is None else b"=" + value) + b"\0" for name, value in environ)
    expected += b"cat\0/proc/self/environ\0/proc/self/cmdline\0\xff\n\0\0" + b"end"
    assert done.stdout == expected
    script = make_run(
        argv=(b"odd", b"-c", b"umask; grep Sig /proc/self/status", b""),
        binary=b"/bin/sh", umask=0o123, workingdir=b"/", architecture=architecture,
    )  # fmt: skip
    lines = launch(tmp_path, script).stdout.split(b"\n")
    assert lines[0] == b"0123"
    if not EMULATORS[architecture]:
        assert b"SigBlk:\t0000000000000000" in lines


@pytest.mark.parametrize(
    "changes, status, stderr",
    [
        ({"binary": b"/bin/sh", "argv": (b"sh", b"-c", b"exit 7")}, 7, b""),
        ({"binary": b"/bin/sh", "argv": (b"sh", b"-c", b"kill -9 $$")}, 137, b""),
        ({"binary": b"/bin/sh", "argv": (b"sh", b"-c", b"(sleep 0.1; exit 9) & exit 7")}, 7, b""),
        ({"binary": b"/nonexistent"}, 127, b"rtrace: cannot execute /nonexistent\n"),
        ({"binary": b"/etc/passwd/x"}, 127, b"rtrace: cannot execute /etc/passwd/x\n"),
        ({"binary": b"/etc/passwd"}, 126, b"rtrace: cannot execute /etc/passwd\n"),
        ({"workingdir": b"/absent"}, 125, b"rtrace: cannot enter the working directory /absent\n"),
    ],
)
def test_launcher_tells_how_it_ended(
    changes: dict[str, Any], status: int, stderr: bytes, architecture: str, tmp_path: Path
) -> None:
    """A launcher exits as the program did, 128+N for signal N, and 125 to 127 when it could not start it."""
    done = launch(tmp_path, replace(make_run(workingdir=b"/", architecture=architecture), **changes))
    assert (done.returncode, done.stderr) == (status, stderr)


def test_launcher_is_the_runs_init(architecture: str, tmp_path: Path) -> None:
    """A launcher waits for descendants that outlive the program, and hands signals on to it."""
    script = b"trap 'echo got it; exit 9' TERM; (sleep 0.3; echo late) & echo ready; while :; do sleep 0.02; done"
    run = make_run(argv=(b"sh", b"-c", script), binary=b"/bin/sh", workingdir=b"/", architecture=architecture)
    launcher = tmp_path / "launcher"
    launcher.write_bytes(build_launcher(run))
    launcher.chmod(0o755)
    with subprocess.Popen([*EMULATORS[architecture], launcher], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.terminate()
        assert (process.stdout.read(), process.wait()) == (b"got it\nlate\n", 9)


@contextlib.contextmanager
def pausing(folder: Path, architecture: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run the pause program until it says that it waits."""
    pause = folder / "pause"
    pause.write_bytes(build_pause(architecture))
    pause.chmod(0o755)
    with subprocess.Popen(
        [*EMULATORS[architecture], pause], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
    ) as process:
        assert process.stdout is not None
        assert process.stdout.read(1) == b"\xff"
        yield process


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_pause_waits_to_be_ended(number: int, architecture: str, tmp_path: Path) -> None:
    """The pause program does nothing until a signal asks it to end, whatever else comes."""
    with pausing(tmp_path, architecture) as process:
        process.send_signal(signal.SIGUSR1)
        assert process.stdin is not None
        process.stdin.write(b"x" * 1000)
        assert process.poll() is None
        process.send_signal(number)
        assert process.wait() == 0


def test_pause_ends_with_its_input(architecture: str, tmp_path: Path) -> None:
    """When nobody holds the other end of its standard input any more, the pause program ends."""
    with pausing(tmp_path, architecture) as process:
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait() == 0


def test_unknown_architecture_is_told() -> None:
    """A run on a machine that there is no launcher for is refused with a sentence that names it and a way out."""
    with pytest.raises(TargetError, match=r"s390x.*chroot"):
        build_launcher(make_run(architecture="s390x"))


def test_large_placeholders_are_left_empty() -> None:
    """Placeholders take no more than a limit of the disk: the largest ones lose their size."""
    sizes = (HOLES_LIMIT // 2, HOLES_LIMIT // 2, 1 << 50)
    entries = [
        Entry(b"/%d" % number, FileType.REGULAR, 0o644, 0, 0, 0, size, placeholder=True)
        for number, size in enumerate(sizes)
    ]
    assert choose_empty(entries) == {entries[2]}


@pytest.fixture
def maker(tmp_path: Path) -> BundleMaker:
    """A bundle in the making, with busybox in it."""
    return BundleMaker(tmp_path / "made")


@pytest.fixture
def without_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on which no engine answers."""
    monkeypatch.setenv(choice.VARIABLE, NO_ENGINE)


@pytest.mark.usefixtures("without_engine")
def test_without_an_engine_the_context_is_left_with_the_command(maker: BundleMaker, tmp_path: Path) -> None:
    """Where no engine answers, the build context is complete, and the notes hold the one command that builds it."""
    unpacked = UNPACKER.unpack(maker.write(make_run()), tmp_path / "My Target")
    assert sorted(os.listdir(unpacked.target)) == [
        ".dockerignore", "Dockerfile", "experiment.tar", "launchers.tar", "manifest.yml", "rtrace-target.json",
        "rtrace.lock",
    ]  # fmt: skip
    assert f"{NO_ENGINE} build --tag rtrace-my-target:" in unpacked.notes[0]
    assert f"'{unpacked.target}'" in unpacked.notes[0]
    target = UNPACKER.open(unpacked.target)
    with pytest.raises(TargetError, match="no container engine answers"):
        target.run(target.runs()[0])
    target.destroy()
    assert not unpacked.target.exists()


@pytest.mark.usefixtures("without_engine")
def test_same_bundle_gives_the_same_context(maker: BundleMaker, tmp_path: Path) -> None:
    """Dockerfile, layers and .dockerignore are the same bytes for the same bundle, wherever and whenever made."""
    maker.file(NOT_UTF8, b"content")
    maker.add(Entry(b"/work/zz-hard", FileType.REGULAR, 0o644, USER, USER, TIME, 7, link=NOT_UTF8))
    bundle = maker.write(make_run())
    first, second = (UNPACKER.unpack(bundle, tmp_path / name).target for name in ("first", "second"))
    for name in ("Dockerfile", "experiment.tar", "launchers.tar", ".dockerignore"):
        assert (first / name).read_bytes() == (second / name).read_bytes()


@pytest.mark.usefixtures("without_engine")
def test_rootfs_holds_the_bundles_files(maker: BundleMaker, tmp_path: Path) -> None:
    """The tar has names of any bytes, owners, modes, times to the nanosecond, and no name that climbs."""
    maker.file(NOT_UTF8, b"content", mode=0o4750)
    maker.add(Entry(b"/work/zz-hard", FileType.REGULAR, 0o4750, USER, USER, TIME, 7, link=NOT_UTF8))
    maker.add(Entry(b"/work/hole", FileType.REGULAR, 0o644, USER, USER, -1, 1000, placeholder=True))
    maker.symlink(b"/work/link", b"\xff/x")
    target = UNPACKER.unpack(maker.write(make_run()), tmp_path / "target").target
    members = list_members(target, "experiment")
    with tarfile.open(target / "experiment.tar", errors="surrogateescape", encoding="utf-8") as tar:
        content = tar.extractfile(members[NOT_UTF8[1:]])
        assert content is not None
        assert content.read() == b"content"
    member = members[NOT_UTF8[1:]]
    assert (member.uid, member.gid, member.mode, member.pax_headers["mtime"]) == (
        USER,
        USER,
        0o4750,
        "1000000000.123456789",
    )
    assert members[b"work/hole"].pax_headers["mtime"] == "-0.000000001"
    assert (members[b"work/zz-hard"].type, os.fsencode(members[b"work/zz-hard"].linkname)) == (
        tarfile.LNKTYPE,
        NOT_UTF8[1:],
    )
    assert os.fsencode(members[b"work/link"].linkname) == b"\xff/x"
    assert members[b"work/hole"].size == 1000
    assert {b"dev", b"proc", b"sys"} <= set(members)
    assert set(list_members(target, "launchers")) == {b".rtrace", b".rtrace/run1", b".rtrace/pause"}
    assert [name for name in members if name.startswith(b"/") or b".." in name.split(b"/")] == []


def fill_layers(maker: BundleMaker, content: bytes) -> Path:
    """Return a bundle with files of a package, an input with this content, and links between them."""
    for path in (b"/opt", b"/opt/share", b"/opt/empty"):
        maker.add(Entry(path, FileType.DIRECTORY, 0o2755, 5, 6, TIME, package="tool"))
    source = maker.folder / "tool"
    source.write_bytes(b"tool")
    for name in (b"/opt/share/tool", b"/opt/share/named"):
        maker.add(Entry(name, FileType.REGULAR, 0o4755, 5, 6, TIME, 4, package="tool"), os.fsencode(source))
    maker.add(Entry(b"/work/zz-link", FileType.REGULAR, 0o4755, 5, 6, TIME, 4, link=b"/opt/share/named"))
    maker.directory(b"/opt/share/data")
    maker.file(b"/opt/share/data/in.csv", content)
    named = NamedFile("data", b"/opt/share/data", ("run1",))
    run = make_run(b"cat /opt/share/data/in.csv; stat -c '%a %u %g %Y' /opt /opt/share /opt/empty /opt/share/tool")
    return maker.write(run, inputs=(named,), name=f"{digest(content)[:8]}.rpz")


@pytest.mark.usefixtures("without_engine")
def test_a_changed_input_changes_one_layer(maker: BundleMaker, tmp_path: Path) -> None:
    """Files of packages, inputs and the rest are in layers of their own; folders are whole in each that needs them."""
    before, after = (
        UNPACKER.unpack(fill_layers(maker, content), tmp_path / name).target
        for name, content in (("before", b"1"), ("after", b"2"))
    )
    packages, experiment, inputs = (list_members(before, name) for name in ("packages", "experiment", "inputs"))
    assert set(packages) == {b"opt", b"opt/empty", b"opt/share", b"opt/share/tool"}
    assert {b"opt", b"opt/share", b"opt/share/named", b"work/zz-link", b"bin/busybox"} <= set(experiment)
    assert set(inputs) == {b"opt", b"opt/share", b"opt/share/data", b"opt/share/data/in.csv"}
    for layer in (packages, experiment, inputs):
        for name in (b"opt", b"opt/share"):
            assert (layer[name].mode, layer[name].uid, layer[name].gid) == (0o2755, 5, 6)
    assert int(inputs[b"opt"].mtime) == int(packages[b"opt/empty"].mtime) == TIME // 10**9
    changed = {
        name
        for name in ("packages.tar", "experiment.tar", "inputs.tar", "launchers.tar")
        if (before / name).read_bytes() != (after / name).read_bytes()
    }
    assert changed == {"inputs.tar"}
    added = [line for line in (before / "Dockerfile").read_text().splitlines() if line.startswith("ADD ")]
    assert added == ["ADD packages.tar /", "ADD experiment.tar /", "ADD inputs.tar /", "ADD launchers.tar /"]


@pytest.mark.usefixtures("without_engine")
def test_bundle_cannot_replace_a_launcher(maker: BundleMaker, tmp_path: Path) -> None:
    """A bundle that holds something where the launchers are to be is refused; an empty folder may be there."""
    maker.directory(b"/.rtrace")
    UNPACKER.unpack(maker.write(make_run()), tmp_path / "fine")
    maker.file(b"/.rtrace/run1", b"evil", mode=0o755)
    with pytest.raises(HostileBundleError, match=r"/\.rtrace/run1"):
        UNPACKER.unpack(maker.write(make_run(), name="hostile.rpz"), tmp_path / "target")
    assert not (tmp_path / "target").exists()


@pytest.mark.usefixtures("without_engine")
@pytest.mark.parametrize("name", [b".wh.kept", b".wh..wh..opq", b".wh..", b".wh..rtrace"])
def test_bundle_removes_nothing_from_an_image(name: bytes, maker: BundleMaker, tmp_path: Path) -> None:
    """A file whose name tells an engine to remove another file of the image is no file of an image."""
    maker.file(b"/work/kept", b"x")
    maker.file(b"/work/" + name, b"x")
    with pytest.raises(TargetError, match=r"takes for the mark of something removed; use the chroot unpacker"):
        UNPACKER.unpack(maker.write(make_run()), tmp_path / "target")
    assert not (tmp_path / "target").exists()


# From here on, with an engine.


@pytest.fixture
def unpacked() -> Iterator[list[DockerTarget]]:
    """Targets that are destroyed in the end, with all that they have in the engine."""
    targets: list[DockerTarget] = []
    yield targets
    for target in targets:
        target.destroy()
        assert not target.path.exists()
        assert not choice.choose_engine().holds("image", target.state.facts["image"])
        container = target.state.facts.get("container")
        assert container is None or not choice.choose_engine().holds("container", container)


def open_target(unpacked: Unpacked, targets: list[DockerTarget]) -> DockerTarget:
    """Open a target that will be destroyed."""
    targets.append(UNPACKER.open(unpacked.target))
    return targets[-1]


@pytest.mark.requires("docker")
def test_engine_replays_a_run_as_it_was(maker: BundleMaker, tmp_path: Path, unpacked: list[DockerTarget]) -> None:
    """In a real container: arguments, environment, ids, groups, umask, hostname, directory, and no network."""
    folder = b"/work/caf\xe9 "
    maker.directory(folder)
    maker.file(folder + b"/in\xff", b"content\n")
    script = (
        b"id -u; id -g; id -G; umask; busybox hostname; busybox pwd; cat in*; ls -1 /sys/class/net;"
        b"busybox nc -w 5 1.1.1.1 53 </dev/null 2>&1; cat /proc/$$/environ /proc/$$/cmdline; exit 3"
    )
    environ = ((b"PATH", b"/bin"), (b"B", b"\xff\n"), *((b"V%d" % number, b"x" * 100 * 1024) for number in range(3)))
    run = make_run(
        argv=(b"sh", b"-c", script, b"\xfe"), workingdir=folder, environ=environ, groups=(7, USER), umask=0o027
    )
    target = open_target(UNPACKER.unpack(maker.write(run), tmp_path / "target"), unpacked)
    outcome, out, err = replay(target, run)
    assert (outcome, err) == (Outcome("run1", 3, None), b"")
    lines, rest = out.split(b"\n", 9)[:9], out.split(b"\n", 9)[9]
    user = b"%d" % USER
    expected = [user, user, user + b" 7", b"0027", b"elsewhere", folder, b"content", b"lo"]
    assert (lines[:8], b"Network is unreachable" in lines[8]) == (expected, True)
    assert rest.startswith(b"PATH=/bin\0B=\xff\n\0V0=")
    assert rest.endswith(b"\0sh\0-c\0" + script + b"\0\xfe\0")
    assert len(rest) > 300 * 1024


@pytest.mark.requires("docker")
def test_plain_docker_run_replays_and_explores(
    maker: BundleMaker, tmp_path: Path, unpacked: list[DockerTarget]
) -> None:
    """`docker run IMAGE` replays the first run; another command starts in the recorded environment and place."""
    odd = "\"q\" \\ $HOME 'x' # \u00e9 \\"
    folder = b'/work/it\'s "a" $(b) \\c'
    maker.directory(folder)
    run = make_run(b"echo replayed; exit 5", environ=((b"PATH", b"/bin"), (b"ODD", odd.encode())), workingdir=folder)
    target = open_target(UNPACKER.unpack(maker.write(run), tmp_path / "target"), unpacked)
    image = target.state.facts["image"]
    command = ["docker", "run", "--rm", "--network=none", image]
    done = subprocess.run(command, check=False, capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (5, b"replayed\n", b"")
    done = subprocess.run([*command, "/bin/sh", "-c", 'echo "$ODD"; pwd; id -u'], check=False, capture_output=True)
    assert done.stdout.decode().split("\n")[:3] == [odd, folder.decode(), str(USER)]


@pytest.mark.requires("docker")
def test_state_carries_from_run_to_run(maker: BundleMaker, tmp_path: Path, unpacked: list[DockerTarget]) -> None:
    """A second run finds what the first one left; nothing runs in between; the files are found by an inspection."""
    maker.file(b"/work/old", b"old")
    maker.file(b"/work/gone", b"gone")
    name = b"/work/n\xe9w"
    first = make_run(
        b"rm gone; echo one > n\xe9w; ln n\xe9w ahard; ln -s x link; busybox chmod 600 old; busybox mkfifo pipe"
    )
    second = make_run(b"cat n\xe9w; echo two >> n\xe9w; kill -9 $$", id="run2")
    bundle = maker.write(first, second)
    target = open_target(UNPACKER.unpack(bundle, tmp_path / "target"), unpacked)
    assert replay(target, first)[0] == Outcome("run1", 0, None)
    running = subprocess.run(["docker", "ps", "--quiet", "--no-trunc"], check=True, capture_output=True, text=True)
    assert target.state.facts["container"] not in running.stdout
    again = UNPACKER.open(target.path)
    assert replay(again, second)[:2] == (Outcome("run2", 137, None), b"one\n")
    with open_bundle(bundle) as opened:
        entries = opened.entries
    paths = [b"/work/old", b"/work/gone", name, b"/work/link", b"/work/pipe"]
    snapshot = again.inspect(paths, entries)
    found = {
        path: (result.type, result.mode & 0o777, result.size, result.sha256, result.target)
        for path, result in snapshot.found.items()
    }
    assert found == {
        b"/work/old": (FileType.REGULAR, 0o600, 3, digest(b"old"), None),
        b"/work/gone": (None, 0, 0, None, None),
        name: (FileType.REGULAR, 0o644, 8, digest(b"one\ntwo\n"), None),
        b"/work/link": (FileType.SYMLINK, 0o777, 0, None, b"x"),
        b"/work/pipe": (FileType.FIFO, 0o644, 0, None, None),
    }
    assert set(snapshot.extra) == {b"/work/ahard"}


@pytest.mark.requires("docker")
def test_image_keeps_times_owners_and_modes(maker: BundleMaker, tmp_path: Path, unpacked: list[DockerTarget]) -> None:
    """In a container files have their recorded owner, mode and size, and their time at least to the second."""
    maker.file(NOT_UTF8, b"content", mode=0o640)
    maker.add(Entry(b"/work/hole", FileType.REGULAR, 0o604, 5, 6, TIME, 100_000, placeholder=True))
    run = make_run(
        b"for name in caf* hole /work; do stat -c '%u %g %a %s %y' \"$name\"; done",
        environ=((b"PATH", b"/bin"), (b"TZ", b"UTC")),
    )
    target = open_target(UNPACKER.unpack(maker.write(run), tmp_path / "target"), unpacked)
    lines = replay(target, run)[1].decode().splitlines()
    assert lines[0].startswith(f"{USER} {USER} 640 7 2001-09-09 01:46:40.")
    assert lines[1].startswith("5 6 604 100000 2001-09-09 01:46:40.")
    assert lines[2].startswith(f"{USER} {USER} 755 ")
    assert " 2001-09-09 01:46:40." in lines[2]


@pytest.mark.requires("docker")
def test_engines_own_files_are_no_surprise(maker: BundleMaker, tmp_path: Path, unpacked: list[DockerTarget]) -> None:
    """What engine and launchers put into a container is not reported; a note speaks of a packed /etc/hosts."""
    maker.directory(b"/etc", uid=0)
    maker.file(b"/etc/hosts", b"127.0.0.1 mine\n", uid=0)
    bundle = maker.write(make_run(b"echo x > new"))
    made = UNPACKER.unpack(bundle, tmp_path / "target")
    assert any("/etc/hosts" in note for note in made.notes)
    target = open_target(made, unpacked)
    replay(target, target.runs()[0])
    with open_bundle(bundle) as opened:
        assert target.inspect([], opened.entries).extra == (b"/work/new",)


@pytest.mark.requires("docker")
def test_daemons_are_waited_for(maker: BundleMaker, tmp_path: Path, unpacked: list[DockerTarget]) -> None:
    """A replay in a container, too, ends when the last descendant has ended."""
    run = make_run(b"(busybox setsid sh -c 'sleep 0.3; echo late > late') & exit 4")
    target = open_target(UNPACKER.unpack(maker.write(run), tmp_path / "target"), unpacked)
    assert replay(target, run)[0] == Outcome("run1", 4, None)
    assert target.inspect([b"/work/late"], []).found[b"/work/late"].sha256 == digest(b"late\n")


@pytest.mark.requires("docker")
def test_signal_ends_the_replay(maker: BundleMaker, tmp_path: Path, unpacked: list[DockerTarget]) -> None:
    """A signal that asks the caller to end ends the program in the container, and nothing runs on."""
    run = make_run(b"echo ready; while :; do sleep 1000; done")
    target = open_target(UNPACKER.unpack(maker.write(run), tmp_path / "target"), unpacked)
    with start_run(target, run) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.terminate()
        assert process.wait() == 128 + signal.SIGTERM
    target.state = UNPACKER.open(target.path).state
    state = ["docker", "container", "inspect", "--format", "{{.State.Running}}", target.state.facts["container"]]
    assert subprocess.run(state, check=True, capture_output=True).stdout == b"false\n"


@pytest.mark.requires("docker")
def test_refused_image_is_one_sentence(maker: BundleMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the engine refuses the image, its last line is in the error, and there is no target."""
    monkeypatch.setattr(possessions, "configure_image", lambda *_: b"NONSENSE")
    with pytest.raises(TargetError, match=r"load` failed: .*invalid character"):
        UNPACKER.unpack(maker.write(make_run()), tmp_path / "target")
    assert sorted(os.listdir(tmp_path)) == ["made"]


@pytest.mark.requires("docker")
def test_image_is_what_its_dockerfile_builds(maker: BundleMaker, tmp_path: Path, unpacked: list[DockerTarget]) -> None:
    """The image that is loaded has the environment, command, directory and user of the one that a person can build."""
    environ = ((b"PATH", b"/bin"), (b"ODD", "\"q\" \\ $HOME 'x' # \u00e9 \\".encode()), (b"LINES", b"1\n2"))
    run = make_run(environ=environ, workingdir=b'/work/it\'s "a" $(b) \\c')
    target = open_target(UNPACKER.unpack(maker.write(run), tmp_path / "target"), unpacked)
    built = "rtrace-test-built:by-hand"
    subprocess.run(["docker", "build", "--tag", built, target.path], check=True, capture_output=True)
    try:
        configs = [
            json.loads(subprocess.run(["docker", "image", "inspect", name], check=True, capture_output=True).stdout)
            for name in (built, target.state.facts["image"])
        ]
        for name in ("Env", "Cmd", "WorkingDir", "User", "Entrypoint"):
            assert configs[0][0]["Config"].get(name) == configs[1][0]["Config"].get(name)
        assert configs[0][0]["Config"]["Labels"].items() <= configs[1][0]["Config"]["Labels"].items()
    finally:
        subprocess.run(["docker", "rmi", built], check=True, capture_output=True)


@pytest.mark.requires("docker")
def test_two_targets_of_one_bundle_do_not_share_an_image(
    maker: BundleMaker, tmp_path: Path, unpacked: list[DockerTarget]
) -> None:
    """Destroying a target leaves the image of another target of the same bundle and name alone."""
    bundle = maker.write(
        make_run(
            b"echo x",
        ),
        results=(wrote(b"/work/x", b""),),
    )
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first = UNPACKER.open(UNPACKER.unpack(bundle, tmp_path / "a/target").target)
    second = open_target(UNPACKER.unpack(bundle, tmp_path / "b/target"), unpacked)
    assert first.state.facts["image"] != second.state.facts["image"]
    first.destroy()
    assert replay(second, second.runs()[0])[0].exit_code == 0


@pytest.mark.requires("docker")
def test_an_image_has_the_layers_of_its_context(
    maker: BundleMaker, tmp_path: Path, unpacked: list[DockerTarget]
) -> None:
    """What is loaded and what is built have the same files; images of two inputs share all layers but one."""
    told = []
    for name, content in (("one", b"1\n"), ("two", b"2\n")):
        target = open_target(UNPACKER.unpack(fill_layers(maker, content), tmp_path / name), unpacked)
        lines = replay(target, target.runs()[0])[1].splitlines()
        assert lines == [content.strip(), *[b"2755 5 6 1000000000"] * 3, b"4755 5 6 1000000000"]
        inspected = subprocess.run(
            ["docker", "image", "inspect", "--format", "{{json .RootFS.Layers}}", target.state.facts["image"]],
            check=True,
            capture_output=True,
        )
        told.append(json.loads(inspected.stdout))
    assert [one == other for one, other in zip(*told, strict=True)] == [True, True, False, True]


@pytest.mark.requires("docker")
def test_a_context_alone_is_built_later(maker: BundleMaker, tmp_path: Path, unpacked: list[DockerTarget]) -> None:
    """With --no-build the engine is not asked; `docker build` makes an image that replays, and so does a replay."""
    alone = UNPACKER.make_images(Images(build=False))
    bundle = fill_layers(maker, b"in\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", str(tmp_path))  # no engine in it
        assert alone.plan(bundle, tmp_path / "target")[-1] == "make no image: none is asked for"
        made = alone.unpack(bundle, tmp_path / "target")
    assert made.notes[0].startswith("none is asked for, so no image was made; `docker build --tag rtrace-target:")
    target = open_target(made, unpacked)
    assert not choose_engine().holds("image", target.state.facts["image"])
    built = "rtrace-test-built:alone"
    subprocess.run(["docker", "build", "--network=none", "--tag", built, target.path], check=True, capture_output=True)
    try:
        done = subprocess.run(
            ["docker", "run", "--rm", "--network=none", built], check=True, capture_output=True, text=True
        )
        assert done.stdout == "in\n" + "2755 5 6 1000000000\n" * 3 + "4755 5 6 1000000000\n"
    finally:
        subprocess.run(["docker", "rmi", built], check=True, capture_output=True)
    assert replay(target, target.runs()[0])[1] == done.stdout.encode()


def package(name: str, version: str, manager: str = "dpkg", *, pack: bool = False) -> Package:
    """Return a package that the bundle left out, or did not."""
    return Package(name, version, "amd64", manager, 1, 1, pack)


def test_packages_left_out_are_installed_as_recorded() -> None:
    """Each manager gets its packages with their versions, as words that no shell takes apart; packed ones are not."""
    packages = (
        package("libc6", "2.36-9+deb12u10"),
        package("vim", "2:9.0~1"),
        package("packed", "1", pack=True),
        package("numpy", "1.26", "pip"),
        package("bash", "5.2-1.fc39", "rpm"),
        package("musl", "1.2.4-r2", "apk"),
        package("odd", "1", "another"),
    )
    lines = render_base("debian:12", packages)
    assert lines[:3] == ["FROM debian:12", "USER 0:0", "ENTRYPOINT []"]
    steps = [json.loads(line.removeprefix("RUN ")) for line in lines[3:]]
    assert [step[:2] for step in steps] == [["/bin/sh", "-c"]] * 4
    assert [step[4:] for step in steps] == [
        ["libc6=2.36-9+deb12u10", "vim=2:9.0~1"], ["bash-5.2-1.fc39"], ["musl=1.2.4-r2"], ["numpy==1.26"],
    ]  # fmt: skip
    assert "apt-get install -y --no-install-recommends" in steps[0][2]
    assert render_base(None, packages) == ["FROM scratch"]


@pytest.mark.parametrize(
    "word", ["", "-o", "a b", "a;b", "a\nRUN b", "$(b)", "a'b", 'a"b', "a\\", "caf\u00e9", "a" * 999]
)
def test_no_package_is_an_option_or_a_command(word: str) -> None:
    """A name or a version that is none is refused, whatever manager it is of; so is an image's."""
    for manager in ("dpkg", "rpm", "apk", "pip"):
        for one in (package(word, "1", manager), package("a", word, manager)):
            with pytest.raises(HostileBundleError, match="which nothing can install"):
                render_base("debian:12", (one,))
    if word != "a" * 999:
        with pytest.raises(UsageError, match="is not the name of an image"):
            UNPACKER.make_images(Images(base=f"{word} AS x"))
    with pytest.raises(UsageError, match="is not the name of an image"):
        UNPACKER.make_images(Images(base=word))


@pytest.mark.parametrize(
    "name", ["debian", "debian:12", "localhost:5000/a/b_c:x-1.Y", "a.org/b@sha256:" + "0" * 64, "localhost/rtrace:x"]
)
def test_names_of_images_are_taken(name: str) -> None:
    """With a host, a port, a tag or a digest."""
    assert UNPACKER.make_images(Images(base=name)).images.base == name


@pytest.mark.requires("docker")
def test_an_image_is_built_on_another(maker: BundleMaker, tmp_path: Path, unpacked: list[DockerTarget]) -> None:
    """The target says how, and replays once a person has built it: the bundle's files over those of the base."""
    tree = io.BytesIO()
    with tarfile.open(fileobj=tree, mode="w") as tar:
        for name, content in (("base/only", b"of the base\n"), ("work/both", b"hidden\n")):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    base = f"rtrace-test-base:{os.getpid()}"
    changes = ("--change", "USER 99", "--change", 'ENTRYPOINT ["/no/such"]')
    subprocess.run(["docker", "import", *changes, "-", base], input=tree.getvalue(), check=True, capture_output=True)
    try:
        maker.file(b"/work/both", b"of the bundle\n")
        bundle = maker.write(make_run(b"cat /base/only both"))
        made = UNPACKER.make_images(Images(base=base)).unpack(bundle, tmp_path / "a target")
        target = open_target(made, unpacked)
        with pytest.raises(TargetError, match="has no image yet") as told:
            replay(target, target.runs()[0])
        command = str(told.value).split("`")[1]
        assert command == made.notes[0].split("`")[1]
        subprocess.run(shlex.split(command), check=True, capture_output=True)
        assert replay(target, target.runs()[0])[1] == b"of the base\nof the bundle\n"
        image = target.state.facts["image"]
        done = subprocess.run(["docker", "run", "--rm", "--network=none", image], check=True, capture_output=True)
        assert done.stdout == b"of the base\nof the bundle\n"
        subprocess.run(["docker", "rm", "--force", target.identity.container], check=True, capture_output=True)
        subprocess.run(["docker", "rmi", image], check=True, capture_output=True)
    finally:
        subprocess.run(["docker", "rmi", base], check=False, capture_output=True)
