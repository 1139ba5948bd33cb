"""What of this machine a replay is opened by name: its network, its display, its graphics processors, and no more."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from bundle_making import BundleMaker, make_run, unpack_as
from docker_making import made_target
from docker_making import replay as replay_in_container
from plain_user import PlainUser
from ports import in_background
from rtrace.errors import TargetError
from rtrace.manifest.model import Run
from rtrace.replay.grants import Grants
from rtrace.replay.protocol import Outcome, Streams
from rtrace_unpackers.chroot import UNPACKER
from rtrace_unpackers.granted.display import SOCKETS
from rtrace_unpackers.granted.graphics import find_graphics, list_closed

chroot = pytest.mark.requires("busybox", "user-namespaces")
DISPLAY, NETWORK, GPU = Grants(display=True), Grants(network=True), Grants(gpu=True)
NUMBER = 100 + os.getpid() % 50_000
"""Of a display that tests in other processes do not have."""
COOKIE = "00112233445566778899aabbccddeeff"


@pytest.fixture
def maker(tmp_path: Path) -> BundleMaker:
    """A bundle in the making, with busybox in it."""
    return BundleMaker(tmp_path / "made")


def replay(maker: BundleMaker, folder: Path, run: Run, grants: Grants) -> tuple[Outcome, bytes]:
    """Unpack, replay and destroy; return how the run ended and what it printed."""
    name = f"target-{len(os.listdir(folder))}"
    target = UNPACKER.open(UNPACKER.unpack(maker.write(run, name=f"{name}.rpz"), folder / name).target)
    try:
        with (folder / "out").open("w+b") as out, open(os.devnull, "rb") as null:
            outcome = target.run(run, grants=grants, streams=Streams(null.fileno(), out.fileno(), out.fileno()))
        return outcome, (folder / "out").read_bytes()
    finally:
        target.destroy()


@chroot
def test_the_network_comes_with_its_resolver(maker: BundleMaker, tmp_path: Path) -> None:
    """With the network a replay asks this machine's servers for names, which it cannot change; its own file stays."""
    maker.file(b"/etc/resolv.conf", b"nameserver 192.0.2.1\n", uid=0)
    script = b"cat /etc/resolv.conf; echo x 2>/dev/null > /etc/resolv.conf || echo refused"
    run = make_run(script, uid=0, gid=0, groups=())
    assert replay(maker, tmp_path, make_run(b"cat /etc/resolv.conf"), Grants())[1] == b"nameserver 192.0.2.1\n"
    said = replay(maker, tmp_path, run, NETWORK)[1]
    assert said.split() == [*Path("/etc/resolv.conf").read_bytes().split(), b"refused"]


@chroot
@pytest.mark.parametrize(
    "leads_to", [b"/work/conf", b"../../../../work/conf", b"/nowhere", b"/proc/1/environ", b"/etc"]
)
def test_a_link_in_place_of_the_resolver_leads_nowhere_outside(
    leads_to: bytes, maker: BundleMaker, tmp_path: Path
) -> None:
    """A link of the bundle's is read with the tree as the world: what it names here is not touched, nor shown."""
    maker.directory(b"/etc", uid=0)
    maker.file(b"/work/conf", b"own\n")
    maker.symlink(b"/etc/resolv.conf", leads_to)
    before = sorted(os.listdir("/etc"))
    with suppress(TargetError):  # where something is in the way, it says so
        outcome, said = replay(maker, tmp_path, make_run(b"cat /work/conf"), NETWORK)
        shown = Path("/etc/resolv.conf").read_bytes() if leads_to.endswith(b"conf") else b"own\n"
        assert (outcome.exit_code, said) == (0, shown)
    assert sorted(os.listdir("/etc")) == before


@contextmanager
def x_server(number: int, authority: Path) -> Iterator[str]:
    """Run a real X server that asks for a cookie; yield its name."""
    display = f":{number}"
    authority.touch()
    for name, cookie in ((f"{socket.gethostname()}/unix{display}", COOKIE), (f"elsewhere/unix{display}", "ff" * 16)):
        subprocess.run(["xauth", "-f", str(authority), "add", name, ".", cookie], check=True, capture_output=True)
    ready, signing = os.pipe()
    command: list[str] = ["Xvfb", display, "-auth", str(authority), "-nolisten", "tcp", "-displayfd", str(signing)]
    with subprocess.Popen(command, pass_fds=(signing,), stderr=subprocess.DEVNULL) as server:
        os.close(signing)
        try:
            assert os.read(ready, 16).strip() == str(number).encode(), "the X server did not start"
            yield display
        finally:
            os.close(ready)
            server.terminate()


def add_program(maker: BundleMaker, program: bytes) -> None:
    """Put a program with its loader and libraries into a bundle."""
    listed = subprocess.run(["ldd", program], check=True, capture_output=True).stdout
    for path in {program, *re.findall(rb"(/[^ ]+) \(0x", listed)}:
        maker.file(path, Path(os.fsdecode(path)).read_bytes(), mode=0o755, uid=0)


@chroot
@pytest.mark.requires("Xvfb", "xauth", "xdpyinfo")
def test_a_program_draws_on_the_callers_display(
    maker: BundleMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It gets the socket and this display's cookie, and no other one; without the grant it has neither."""
    add_program(maker, b"/usr/bin/xdpyinfo")
    script = b"busybox od -An -tx1 $XAUTHORITY | busybox tr -d ' \\n'; echo; /usr/bin/xdpyinfo; ls /tmp/.X11-unix"
    run = make_run(script, environ=((b"PATH", b"/bin"), (b"DISPLAY", b":5"), (b"DISPLAY", b":6")))
    with x_server(NUMBER, tmp_path / "authority") as display:
        monkeypatch.setenv("XAUTHORITY", str(tmp_path / "authority"))
        monkeypatch.setenv("DISPLAY", f"{display}.0")
        monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
        outcome, said = replay(maker, tmp_path, run, DISPLAY)
        _, without = replay(maker, tmp_path, make_run(b"/usr/bin/xdpyinfo; ls -a /tmp", environ=run.environ), Grants())
    assert outcome.exit_code == 0, said
    assert said.endswith(b"\nX%d\n" % NUMBER)
    assert b"name of display:    :%d" % NUMBER in said
    assert COOKIE.encode() in said.splitlines()[0]
    assert b"ff" * 16 not in said
    assert b"unable to open display" in without


@contextmanager
def listening_socket(path: Path) -> Iterator[socket.socket]:
    """Listen at a socket with a name, as a display does."""
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as server:
        server.bind(str(path))
        try:
            server.listen()
            yield server
        finally:
            path.unlink()


@chroot
@pytest.mark.requires("root")
@pytest.mark.parametrize(
    "attack",
    [
        {b"/tmp": b"%(canary)s"},
        {b"/tmp/.X11-unix": b"%(canary)s"},
        {b"/tmp/.X11-unix": b"../../../../../..%(canary)s"},
        {b"/tmp/.X11-unix": b"/proc/1/root/%(canary)s"},
    ],
)
def test_links_of_a_bundle_lead_no_socket_astray(
    attack: dict[bytes, bytes], maker: BundleMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever a bundle has where a display is shown, nothing is made, mounted or shown outside of its tree."""
    canary = Path(tempfile.mkdtemp(dir="/tmp"))  # where root of a replay, who is nobody here, could make files
    canary.chmod(0o777)
    maker.directory(b"/tmp", mode=0o1777, uid=0)
    for path, target in attack.items():
        maker.items.pop(path, None)
        maker.symlink(path, target % {b"canary": os.fsencode(canary)})
    Path(os.fsdecode(SOCKETS)).mkdir(mode=0o1777, exist_ok=True)
    with listening_socket(Path(os.fsdecode(SOCKETS), f"X{NUMBER}")):
        monkeypatch.setenv("DISPLAY", f":{NUMBER}")
        with suppress(TargetError):
            replay(maker, tmp_path, make_run(b"echo; ls -R /tmp", uid=0, gid=0), DISPLAY)
    canary.rmdir()  # it is empty
    mounts = Path("/proc/self/mountinfo").read_bytes().splitlines()
    assert [line for line in mounts if os.fsencode(tmp_path) in line or SOCKETS in line] == []


@chroot
@pytest.mark.requires("root")
def test_a_wayland_display_is_its_users(
    maker: BundleMaker, plain_user: PlainUser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The user whose display it is reaches its socket from a replay; root, who is somebody else there, is told so."""
    runtime = plain_user.home / "runtime"
    runtime.mkdir(mode=0o700)
    script = b"W=$WAYLAND_DISPLAY; echo $W; test -S $W && echo socket; test -w $W && echo usable"
    run = make_run(script)
    target = unpack_as(plain_user, maker.write(run))
    environ = {"XDG_RUNTIME_DIR": str(runtime), "WAYLAND_DISPLAY": "wayland-7"}
    with listening_socket(runtime / "wayland-7"):
        (runtime / "wayland-7").chmod(0o700)
        plain_user.give(runtime)
        done = plain_user.run(plain_user.rtrace, "replay", "--no-history", "--x11", target, env=environ)
        assert done.stdout.split(b"\n") == [b"/dev/rtrace/wayland", b"socket", b"usable", b""], done.stderr.decode()
        assert "sees all that is shown and typed there" in done.stderr.decode()
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        monkeypatch.delenv("DISPLAY", raising=False)
        with pytest.raises(TargetError, match="a Wayland display is its own user's alone"):
            replay(maker, tmp_path, run, DISPLAY)


@chroot
@pytest.mark.parametrize(
    "display, message",
    [
        (None, "there is no display to show: set DISPLAY"),
        (":98765", "there is no display to show"),
        ("far\x1b.example:1", r"the display far\\x1b.example:1 \(DISPLAY\) is not one of this machine"),
    ],
)
def test_a_display_that_is_not_here_is_refused(
    display: str | None, message: str, maker: BundleMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing starts where there is nothing to show, and it is said what would."""
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.delenv("DISPLAY", raising=False)
    if display is not None:
        monkeypatch.setenv("DISPLAY", display)
    with pytest.raises(TargetError, match=message):
        replay(maker, tmp_path, make_run(b"echo started"), DISPLAY)


@chroot
def test_a_machine_without_graphics_processors_says_so(maker: BundleMaker, tmp_path: Path) -> None:
    """There is nothing to show, and nothing starts."""
    with suppress(TargetError):
        pytest.skip(f"this machine has {find_graphics()}")
    with pytest.raises(TargetError, match=r"this machine has no graphics processor .* leave out --gpu"):
        replay(maker, tmp_path, make_run(b"echo started"), GPU)


@pytest.mark.requires("root")
def test_graphics_processors_are_found_by_their_devices(tmp_path: Path) -> None:
    """Devices of the names that their drivers give are found; disks, links and other files of such names are not."""
    folder = tmp_path / "dev"
    (folder / "dri").mkdir(parents=True)
    (folder / "nvidia-caps").mkdir()
    for name in ("dri/card0", "dri/renderD128", "nvidia0", "nvidiactl", "nvidia-caps/nvidia-cap1", "sda", "dri/other"):
        os.mknod(folder / name, 0o020660, os.makedev(1, 3))
    (folder / "nvidia1").write_text("a file")
    (folder / "kfd").symlink_to("nvidia0")
    os.mknod(folder / "nvidia2", 0o060660, os.makedev(7, 0))
    found = find_graphics(os.fsencode(folder))
    assert found == (b"dri/card0", b"dri/renderD128", b"nvidia-caps/nvidia-cap1", b"nvidia0", b"nvidiactl")
    assert list_closed((b"null", b"zero")) == ()


@pytest.mark.requires("busybox", "docker")
def test_a_container_is_given_no_display_and_no_processor(maker: BundleMaker, tmp_path: Path) -> None:
    """What a container that exists cannot be given is refused before it starts, with the unpacker that can."""
    run = make_run(b"echo started > /work/started")
    with made_target(maker, tmp_path, run) as target:
        for grants, what in ((DISPLAY, "--x11"), (GPU, "--gpu")):
            with pytest.raises(TargetError, match=f"{what}.*use the chroot unpacker"):
                replay_in_container(target, run, grants=grants)
        assert target.inspect([b"/work/started"], ()).found[b"/work/started"].type is None


@pytest.mark.requires("busybox", "docker")
def test_a_container_starts_changed_and_made_up_runs(maker: BundleMaker, tmp_path: Path) -> None:
    """Arguments and environment are those of the run that is given, byte for byte; nothing of it is left afterwards."""
    first = make_run(b"echo $A first; cat /.rtrace/.given 2>/dev/null | busybox wc -c")
    secret = make_run(b"echo changed", environ=((b"PATH", b"/bin"), (b"A", b"\xff s3cret\n")))
    changed = make_run(argv=(b"sh", b"-c", b'echo "$A$1"', b"zero", b"\xfe"), environ=secret.environ)
    made_up = make_run(b"echo made up; id -u; pwd", id="../pause", uid=0, gid=0, workingdir=b"/")
    with made_target(maker, tmp_path, first) as target:
        assert replay_in_container(target, changed) == (Outcome("run1", 0, None), b"\xff s3cret\n\xfe\n", b"")
        assert replay_in_container(target, first) == (Outcome("run1", 0, None), b"first\n0\n", b"")
        assert replay_in_container(target, made_up) == (Outcome("../pause", 0, None), b"made up\n0\n/\n", b"")
        assert replay_in_container(target, first)[1] == b"first\n0\n"


def answer(server: socket.socket) -> None:
    """Accept one connection and close it."""
    server.accept()[0].close()


@pytest.mark.requires("busybox", "docker")
def test_a_container_with_the_network_has_the_engines_resolver(maker: BundleMaker, tmp_path: Path) -> None:
    """An engine shows its own file of name servers, and a server of this machine is reached."""
    maker.file(b"/etc/resolv.conf", b"nameserver 192.0.2.1\n", uid=0)
    gateway = subprocess.run(
        ["docker", "network", "inspect", "bridge", "--format", "{{(index .IPAM.Config 0).Gateway}}"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    with socket.create_server((gateway, 0)) as server:
        run = make_run(b"cat /etc/resolv.conf; busybox nc -w 20 %s %d" % (gateway.encode(), server.getsockname()[1]))
        with made_target(maker, tmp_path, run) as target:
            assert replay_in_container(target, run)[0].exit_code == 1
            in_background(lambda: answer(server))
            outcome, said, _ = replay_in_container(target, run, grants=NETWORK)
    assert outcome.exit_code == 0
    assert b"192.0.2.1" not in said
