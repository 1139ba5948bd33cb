"""The coverage report: what could not be captured is said once, in plain words; else there is silence."""

from __future__ import annotations

import os
import sqlite3
import stat
from pathlib import Path

import pytest

from rtrace.capture.books.devices import describe_device
from rtrace.capture.books.journal import Journal
from rtrace.capture.books.notices import ESCAPES, NoticeBook
from rtrace.capture.books.services import find_service

MISCELLANEOUS = 10  # a major number that every kernel has


@pytest.fixture
def book(tmp_path: Path) -> NoticeBook:
    """An empty book of notices, for a trace into `tmp_path`."""
    return NoticeBook(Journal(sqlite3.connect(":memory:")), 1, tmp_path)


@pytest.mark.parametrize(
    "path,device,word",
    [
        (b"/dev/nvidia0", (195, 0), "GPU"),
        (b"/dev/dri/renderD128", (226, 128), "GPU"),
        (b"/dev/kfd", (234, 0), "GPU"),
        (b"/dev/ttyUSB0", (188, 0), "/dev/ttyUSB0"),
        (b"/dev/ttyS0", (4, 64), "/dev/ttyS0"),
        (b"/dev/sda", (8, 0), "/dev/sda"),
        (b"/dev/kmsg", (1, 11), "/dev/kmsg"),
        (b"/dev/mem", (1, 1), "/dev/mem"),
        (b"/dev/null", (1, 3), None),
        (b"/dev/urandom", (1, 9), None),
        (b"/dev/tty", (5, 0), None),
        (b"/dev/pts/3", (136, 3), None),
        (b"/dev/tty1", (4, 1), None),
    ],
)
def test_devices_that_a_replay_lacks_are_told(path: bytes, device: tuple[int, int], word: str | None) -> None:
    """GPUs and other devices of this machine are told by name; what every machine has is not."""
    told = describe_device(path, os.makedev(*device))
    assert (told is None) == (word is None)
    assert told is None or (word and word in told[0])


def test_several_programs_are_told_in_the_plural(book: NoticeBook) -> None:
    """One notice for several programs reads as English."""
    for program in ("su", "passwd"):
        book.add_privileges("set-uid", program)
    book.finish()
    assert book.sums[0][0].startswith("su and passwd are set-uid or set-gid, and")


def test_opened_device_is_told_once(book: NoticeBook) -> None:
    """The second opening of a device says nothing new, and one that no driver answers for says nothing."""
    loop, nothing = os.makedev(MISCELLANEOUS, 237), os.makedev(4000, 0)
    for device in (loop, loop, nothing):
        status = os.stat_result((stat.S_IFCHR | 0o666, 0, 0, 1, 0, 0, 0, 0, 0, 0), {"st_rdev": device})
        book.watch_opening(b"/dev/nvidia0", status, os.O_RDONLY)
    assert [row[1] for row in book.rows] == ["device"]


@pytest.mark.parametrize(
    "address,word",
    [
        ("/run/dbus/system_bus_socket", "D-Bus"),
        ("/run/user/1000/bus", "D-Bus"),
        ("@/tmp/dbus-Ab12", "D-Bus"),
        ("/run/systemd/private", "systemd"),
        ("/run/user/1000/systemd/private", "systemd"),
        ("/var/run/docker.sock", "container engine"),
        ("/run/user/1000/podman/podman.sock", "container engine"),
        ("@/tmp/.X11-unix/X0", "screen"),
        ("/run/user/1000/wayland-0", "screen"),
        ("/srv/database.sock", "connected to /srv/database.sock"),
        ("/run/nscd/socket", None),
        ("/var/run/nscd/socket", None),
        ("/run/systemd/userdb/io.systemd.DynamicUser", None),
        ("/run/systemd/journal/dev-log", None),
        ("/dev/log", None),
    ],
)
def test_servers_of_this_machine_are_told_in_their_own_words(address: str, word: str | None, book: NoticeBook) -> None:
    """Servers that start programs out of sight are told as such; name services and logs are not worth a word."""
    book.add_service("program", address)
    told = [row[2] for row in book.rows]
    assert (word is None) == (not told)
    assert word is None or (word in told[0] and len(told) == 1)
    assert word in {None, "screen"} or address in told[0]
    assert word != "D-Bus" or find_service(address) is not None


def test_every_notice_tells_what_to_do(book: NoticeBook) -> None:
    """No notice is without advice, and none ends in a full stop: the command line joins the two with a semicolon."""
    for call in ESCAPES:
        book.add_escape(call, "program")
    assert all(what and advice and not advice.endswith(".") for _, _, what, advice in book.rows)
