"""What a replayed program can reach of the machine: the list, by whom replays, and whose the run was."""

import os
import shutil
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bundle_making import BundleMaker, make_run, run_python
from plain_user import PlainUser
from rtrace.replay.protocol import Streams
from rtrace_unpackers.chroot import UNPACKER
from static_programs import build_static

pytestmark = pytest.mark.requires("busybox", "user-namespaces", "gcc")

# Its own streams are pipes that nobody else has: their modes and flags are nobody's concern.
OWN_STREAMS = {
    "mode of standard output",
    "mode of standard error",
    "reopen standard output",
    "flags of standard output",
}
ANYBODY = OWN_STREAMS | {"personality without randomization", "netlink audit", "login uid"}
# Who is root inside may do what root does to its own files and processes, and in its own network.
ROOT_INSIDE = ANYBODY | {
    "packet socket",
    "kill the first process",  # the signal is not refused, and has no effect
    "become the machine's root",  # it is called 0 inside
    "set-uid root file",
    "securebits",
    "supplementary groups",
}
# With one id only the first process has it, too, and there is no other group to have.
ALONE = (ANYBODY | {"kill the first process"}) - {"login uid"}
ROOT_ALONE = ROOT_INSIDE - {"supplementary groups"}
CALLS = 120


@pytest.fixture(scope="module")
def program(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The program that tries, static."""
    return build_static(checkout, "reach", tmp_path_factory.mktemp("reach"))


@pytest.fixture
def server() -> Iterator[str]:
    """A server on the machine's loopback, and an abstract socket of it; the server's port."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as abstract:
        port = str(server.getsockname()[1])
        abstract.bind(f"\0rtrace-canary-{port}")
        abstract.listen()
        yield port


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    """A file of this machine that is in no bundle."""
    path = tmp_path / "canary"
    path.write_text("here")
    return path


def make_bundle(folder: Path, program: bytes, canary: Path, port: str, uid: int) -> Path:
    """Write a bundle whose run tries everything."""
    maker = BundleMaker(folder)
    maker.file(b"/bin/reach", program, mode=0o755, uid=uid)
    maker.directory(b"/tmp", mode=0o1777)
    argv = (b"reach", os.fsencode(canary), port.encode())
    return maker.write(make_run(binary=b"/bin/reach", argv=argv, uid=uid, gid=uid, groups=()))


def read_answers(text: str) -> dict[str, str]:
    """Return what each call came to."""
    return dict(line.split(": ", 1) for line in text.splitlines())


def list_reached(text: str) -> set[str]:
    """Return the calls that were let through; check that all were made."""
    answers = read_answers(text)
    assert len(answers) >= CALLS, text
    assert not [name for name, answer in answers.items() if answer.startswith("signal")]
    return {name for name, answer in answers.items() if answer == "ok"}


@pytest.mark.requires("root")
@pytest.mark.parametrize("uid, expected", [(0, ROOT_INSIDE), (4321, ANYBODY)])
def test_root_replays_as_nobody(
    uid: int, expected: set[str], program: bytes, canary: Path, server: str, tmp_path: Path
) -> None:
    """What root replays reaches its own files, streams and network, and nothing else of the machine."""
    target = UNPACKER.open(
        UNPACKER.unpack(make_bundle(tmp_path / "made", program, canary, server, uid), tmp_path / "target").target
    )
    with (tmp_path / "out").open("w+b") as out, open(os.devnull, "rb") as null:
        outcome = target.run(target.runs()[0], streams=Streams(null.fileno(), out.fileno(), out.fileno()))
    assert outcome.exit_code == 0
    assert list_reached((tmp_path / "out").read_text()) == expected
    target.destroy()


REPLAY = """\
import sys
from pathlib import Path
from rtrace_unpackers.chroot import UNPACKER
target = UNPACKER.open(UNPACKER.unpack(Path(sys.argv[1]), Path(sys.argv[2])).target)
outcome = target.run(target.runs()[0])
target.destroy()
assert not Path(sys.argv[2]).exists()
sys.exit(outcome.exit_status)
"""

AsUser = Callable[[PlainUser, int], str]


@pytest.fixture
def replay_as(program: bytes, canary: Path, server: str, tmp_path: Path) -> AsUser:
    """Have a user unpack, replay and destroy; return what was printed."""
    canary.parent.chmod(0o755)

    def replay(user: PlainUser, uid: int) -> str:
        bundle = user.home / "bundle.rpz"
        shutil.copyfile(make_bundle(tmp_path / "made", program, canary, server, uid), bundle)
        user.give(bundle)
        return run_python(user, REPLAY, bundle, user.home / "target")

    return replay


@pytest.mark.parametrize("uid, expected", [(0, ROOT_ALONE), (4321, ALONE)])
def test_a_user_replays_alone(uid: int, expected: set[str], replay_as: AsUser, plain_user: PlainUser) -> None:
    """What a user without subordinate ids replays reaches no more than what root replays."""
    assert list_reached(replay_as(plain_user, uid)) == expected


@pytest.mark.requires("root", "newuidmap")
@pytest.mark.parametrize("uid, expected", [(0, ROOT_INSIDE), (4321, ANYBODY)])
def test_a_user_with_others_replays(
    uid: int, expected: set[str], replay_as: AsUser, user_with_others: PlainUser
) -> None:
    """What a user with subordinate ids replays reaches no more than what root replays."""
    assert list_reached(replay_as(user_with_others, uid)) == expected
