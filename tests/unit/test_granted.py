"""What a person opens to a replay, read from the command line and from the caller's environment."""

import socket
import struct
from pathlib import Path

import pytest

from rtrace.cli.options.replay_options import read_exchange, read_port
from rtrace.errors import TargetError, UsageError
from rtrace.operations.recording.changed import list_options
from rtrace.operations.replay import Exchange
from rtrace.replay.changing import Changes
from rtrace.replay.grants import NOTHING, Grants, Port, describe_grants
from rtrace_unpackers.engines.container.arguments import refuse_grants
from rtrace_unpackers.granted.display import Display, XDisplay, find_display
from rtrace_unpackers.granted.xauthority import (
    COOKIE,
    FAMILY_LOCAL,
    FAMILY_WILD,
    Entry,
    choose_entry,
    read_entries,
    write_entry,
)
from rtrace_unpackers.isolation.planning.opened import NOTHING_OPENED, Opened, list_variables, plan_opened
from rtrace_unpackers.isolation.planning.operations import MakeDirectory, MakeFile, MakeInside, Mount, Show, WriteFile


@pytest.mark.parametrize(
    "text, port",
    [
        ("8080:80", Port(8080, 80)),
        ("8080", Port(8080, 8080)),
        ("8080:80/tcp", Port(8080, 80)),
        ("localhost:1:65535", Port(1, 65535)),
        ("0.0.0.0:8080:80", Port(8080, 80, "0.0.0.0")),  # noqa: S104 -- what a person may want
        ("[::1]:8080:80/TCP", Port(8080, 80, "::1")),
        ("[::1]:8080", Port(8080, 8080, "::1")),
        ("::1:8080:80", Port(8080, 80, "::1")),
    ],
)
def test_ports_are_read(text: str, port: Port) -> None:
    """A port of this machine, at its loopback unless told otherwise, and the replay's, which is the same by default."""
    assert read_port(text) == port


@pytest.mark.parametrize(
    "text, message",
    [
        ("8080:80/udp", "only TCP is carried"),
        ("8080:80/sctp", "is no port; write HOST:TARGET"),
        ("", "is no port"),
        (":80", "is no port"),
        ("0:80", "is no port"),
        ("65536:80", "is no port"),
        ("8080:http", "is no port"),
        ("9" * 5000, "is no port"),
        ("\u0665\u0665:80", "is no port"),
        ("example.org:8080:80", "'example.org' is no address"),
        ("[::1:8080:80", "is no port"),
    ],
)
def test_what_is_no_port_gets_a_sentence(text: str, message: str) -> None:
    """Neither a protocol that is not carried nor a name is taken for something else."""
    with pytest.raises(UsageError, match=message):
        read_port(text)


def test_exchanged_files_are_read() -> None:
    """The first sign ends a name; `-` is standard input, `all` all outputs."""
    assert read_exchange(("a=x", "b=-"), ("c=y=z", "all=folder")) == Exchange(
        (("a", Path("x")), ("b", None)), (("c", Path("y=z")),), Path("folder")
    )


@pytest.mark.parametrize(
    "inputs, outputs, message",
    [
        (("a",), (), "-i 'a' lacks a name or a file; write -i NAME=FILE"),
        (("=x",), (), "lacks a name"),
        ((), ("a=",), "-o 'a=' lacks"),
        (("a=x", "a=y"), (), "-i a is given twice"),
        (("a=-", "b=-"), (), "standard input .* can be one input only"),
        ((), ("a=-",), "standard output is the program's; name a file"),
        ((), ("a=x", "b=x"), "another output goes to this file"),
    ],
)
def test_slips_in_exchanged_files_are_told(inputs: tuple[str, ...], outputs: tuple[str, ...], message: str) -> None:
    """What cannot be meant is said before anything is unpacked."""
    with pytest.raises(UsageError, match=message):
        read_exchange(inputs, outputs)


def test_what_is_opened_is_told() -> None:
    """Each grant has its sentence, and who else can use a port is said."""
    assert describe_grants(NOTHING) == ()
    told = describe_grants(
        Grants(
            network=True, ports=(Port(1, 2), Port(3, 4, "::")), display=True, gpu=True, calls=frozenset({"perf", "bpf"})
        )
    )
    assert len(told) == 6
    assert told[1] == "127.0.0.1:1 leads to port 2 of the replay; every user of this machine can use it"
    assert told[2] == "[::]:3 leads to port 4 of the replay; everybody who reaches this address can use it"
    assert told[-1] == "the replay may use: bpf, perf"


def test_a_container_is_refused_what_it_cannot_have() -> None:
    """Network and ports it can have; a display and a processor are for another unpacker."""
    refuse_grants(Grants(network=True, ports=(Port(1, 2),)))
    for grants in (Grants(display=True), Grants(gpu=True)):
        with pytest.raises(TargetError, match="use the chroot unpacker"):
            refuse_grants(grants)


def pack(family: int, *strings: bytes) -> bytes:
    """Return an entry of an Xauthority file."""
    return struct.pack(">H", family) + b"".join(struct.pack(">H", len(string)) + string for string in strings)


LOCAL = pack(FAMILY_LOCAL, b"here", b"1", COOKIE, b"\0\xff")


def test_the_cookie_of_this_display_is_chosen() -> None:
    """Another display's, machine's or protocol's is not; an entry may be for all displays, or for all machines."""
    others = pack(FAMILY_LOCAL, b"there", b"1", COOKIE, b"t") + pack(FAMILY_LOCAL, b"here", b"2", COOKIE, b"2")
    odd = pack(0, b"\x7f\0\0\1", b"1", COOKIE, b"ip") + pack(FAMILY_LOCAL, b"here", b"1", b"XDM-AUTHORIZATION-1", b"x")
    chosen = choose_entry(others + odd + LOCAL, 1, b"here")
    assert chosen == Entry(FAMILY_LOCAL, b"here", b"1", COOKIE, b"\0\xff")
    assert choose_entry(others + odd, 1, b"here") is None
    assert choose_entry(pack(FAMILY_WILD, b"", b"", COOKIE, b"w"), 7, b"x") == Entry(
        FAMILY_WILD, b"", b"", COOKIE, b"w"
    )
    assert write_entry(chosen, 1) == pack(FAMILY_WILD, b"", b"1", COOKIE, b"\0\xff")


def test_a_damaged_file_of_cookies_ends_where_it_is_damaged() -> None:
    """What is cut off is not read, wherever it is cut."""
    for length in range(len(LOCAL)):
        assert list(read_entries(LOCAL + LOCAL[:length])) == list(read_entries(LOCAL))
    assert list(read_entries(b"\xff" * 1000)) == []


def test_a_display_is_found_by_the_environment(tmp_path: Path) -> None:
    """Wayland's socket lies in the runtime folder or where its path says; what is no socket is none."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "w"))
        place = bytes(tmp_path / "w")
        found = find_display({b"WAYLAND_DISPLAY": b"w", b"XDG_RUNTIME_DIR": bytes(tmp_path)})
        assert found == find_display({b"WAYLAND_DISPLAY": place}) == Display(wayland=place)
    (tmp_path / "file").touch()
    for environ in (
        {},
        {b"WAYLAND_DISPLAY": b"w"},
        {b"WAYLAND_DISPLAY": bytes(tmp_path / "file")},
        {b"DISPLAY": b":x"},
    ):
        with pytest.raises(TargetError, match=r"display"):
            find_display(environ)


def test_what_is_opened_is_planned() -> None:
    """Everything appears at places of ours; nothing is planned where nothing is opened."""
    assert plan_opened(NOTHING_OPENED) == ()
    assert plan_opened(Opened(network=True)) == (
        Show(b"/etc/resolv.conf", b"/etc/resolv.conf", read_only=True, optional=True),
    )
    steps = plan_opened(Opened(devices=(b"dri/card0", b"nvidia0")))
    assert [type(step) for step in steps] == [MakeDirectory, MakeFile, Mount, MakeFile, Mount]
    display = Display(XDisplay(3, b".1", b"cookie"), b"/run/user/1/wayland-0")
    assert plan_opened(Opened(display=display)) == (
        MakeDirectory(b"dev/rtrace"),
        MakeFile(b"dev/rtrace/wayland"),
        Show(b"/run/user/1/wayland-0", b"dev/rtrace/wayland"),
        MakeDirectory(b"dev/rtrace/x11"),
        MakeFile(b"dev/rtrace/x11/X3"),
        Show(b"/tmp/.X11-unix/X3", b"dev/rtrace/x11/X3"),
        WriteFile(b"dev/rtrace/Xauthority", b"cookie"),
        MakeInside(b"/", b"tmp", 0o1777),
        MakeInside(b"/tmp", b".X11-unix", 0o1777),
        Show(b"dev/rtrace/x11", b"/tmp/.X11-unix"),
    )
    assert dict(list_variables(display)) == {
        b"DISPLAY": b":3.1",
        b"XAUTHORITY": b"/dev/rtrace/Xauthority",
        b"WAYLAND_DISPLAY": b"/dev/rtrace/wayland",
    }


def test_a_record_names_what_was_changed_without_values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The history tells another run from the recorded one, and keeps no value of a variable and no token."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    token = "ghp_x9Kq2LmZ0pW7vT4rB8nY1cD5fG6hJ3sAe2uQ"  # noqa: S105 -- nobody's
    changes = Changes((b"a b", b"--token=" + token.encode()), ((b"A", b"secret"), (b"B", None)), ((b"C", b"secret"),))
    options = list_options(changes, (("data", Path("x")), ("more", None)))
    assert options[:5] == ("-i", "data=x", "-i", "more=-", "--cmdline")
    assert options[6:] == ("--env", "C=*", "--env", "A=*", "--env", "B")
    assert "'a b'" in options[5]
    assert token not in options[5]
