"""The launcher and the filter of calls: what they are made of, and that it is what the sources and tables say."""

import errno
import struct
from pathlib import Path

import pytest

from rtrace.errors import TargetError
from rtrace.limits import ALLOWABLE, NESTED_NAMESPACES
from rtrace_unpackers.isolation.kernel import refused_calls
from rtrace_unpackers.isolation.kernel.seccomp import INTERFACES, build_filter
from rtrace_unpackers.isolation.planning.first_program import build_first_program
from rtrace_unpackers.isolation.planning.steps import Steps
from rtrace_unpackers.launchers.processors import CALLS

COLUMNS = ("x86_64", "i386", "aarch64", "arm")


def read_calls(checkout: Path) -> dict[str, dict[str, int]]:
    """Return the calls' numbers by interface, as they were taken from the kernel's headers."""
    calls: dict[str, dict[str, int]] = {}
    for name in COLUMNS:
        lines = (checkout / f"fixtures/kernel-interfaces/{name}.tsv").read_text().splitlines()
        rows = [line.split("\t") for line in lines if line.startswith("call\t")]
        calls[name] = {row[1]: int(row[2]) for row in rows}
    return calls


def test_numbers_of_calls_are_the_kernels(checkout: Path) -> None:
    """Every number in the tables of steps and of refused calls is the kernel's own."""
    calls = read_calls(checkout)
    tables = [refused_calls.KERNEL, *refused_calls.BY_NAME.values(), *refused_calls.UNKNOWN_TO_PROGRAMS.values()]
    known = {name: numbers for table in tables for name, numbers in table.items()}
    known |= {
        "clone": refused_calls.CLONE,
        "socket": refused_calls.SOCKET,
        "ioctl": refused_calls.IOCTL,
        "personality": refused_calls.PERSONALITY,
        "setrlimit": refused_calls.SETRLIMIT,
        "prlimit64": refused_calls.PRLIMIT,
    }
    del known["_sysctl"]  # the headers have forgotten it
    wrong = [
        (name, column)
        for name, numbers in known.items()
        for column, number in zip(COLUMNS, numbers, strict=True)
        if calls[column].get(name) != number
    ]
    assert wrong == []
    assert [
        (machine, name) for machine, steps in CALLS.items() for name in steps if calls[machine][name] != steps[name]
    ] == []


def decide(code: bytes, architecture: int, number: int, *arguments: int) -> int:
    """Interpret a filter as the kernel does, for one call.

    Return 0 when it is allowed, -1 when it succeeds without having been made, else the errno.
    """
    data = struct.pack("<IIQ6Q", number, architecture, 0, *arguments, *[0] * (6 - len(arguments)))
    at = accumulator = 0
    while True:
        operation, if_true, if_false, value = struct.unpack_from("=HBBI", code, 8 * at)
        at += 1
        if operation == 0x20:
            (accumulator,) = struct.unpack_from("<I", data, value)
        elif operation == 0x05:
            at += value
        elif operation == 0x06:
            return 0 if value == 0x7FFF0000 else value & 0xFFFF or -1
        else:
            holds = {0x15: accumulator == value, 0x35: accumulator >= value, 0x45: bool(accumulator & value)}[operation]
            at += if_true if holds else if_false


@pytest.mark.parametrize("interface", INTERFACES, ids=lambda interface: COLUMNS[interface.column])
def test_filter_decides_as_the_table_says(interface: object, checkout: Path) -> None:
    """Of each way to call, each call is allowed or refused as the tables say; unknown ones do not exist."""
    column, machine = interface.column, interface.machine  # type: ignore[attr-defined]
    architecture = interface.audit_architecture  # type: ignore[attr-defined]
    code = build_filter(machine)
    refused = {
        numbers[column]: errno.EPERM
        for table in (refused_calls.KERNEL, *refused_calls.BY_NAME.values())
        for numbers in table.values()
    }
    refused |= {
        numbers[column]: errno.ENOSYS
        for table in refused_calls.UNKNOWN_TO_PROGRAMS.values()
        for numbers in table.values()
    }
    for name, number in read_calls(checkout)[COLUMNS[column]].items():
        beyond = refused_calls.LAST_CALL < number < 0xF0000
        expected = errno.ENOSYS if beyond else refused.get(number, 0)
        if number != refused_calls.PERSONALITY[column] or beyond:
            assert decide(code, architecture, number) == expected, name
    assert decide(code, architecture, 5000) == errno.ENOSYS
    assert decide(code, 0x1234, 1) == errno.ENOSYS
    for flag in (0x00020000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000):
        assert decide(code, architecture, refused_calls.CLONE[column] or 0, flag | 17) == errno.EPERM
    assert (
        decide(code, architecture, refused_calls.CLONE[column] or 0, 0x003D0F00) == 0
    )  # a thread of pthread_create(3)
    socket, ioctl = refused_calls.SOCKET[column] or 0, refused_calls.IOCTL[column] or 0
    assert [decide(code, architecture, socket, family) for family in (1, 2, 10, 16, 38, 40)] == [0] * 4 + [
        errno.EAFNOSUPPORT
    ] * 2
    requests = (0x5401, 0x5412, 0x541C, 0x5412 | 1 << 32)
    assert [decide(code, architecture, ioctl, 0, request) for request in requests] == [0] + [errno.EPERM] * 3
    personality = refused_calls.PERSONALITY[column] or 0
    assert [decide(code, architecture, personality, value) for value in (0, 8, 0x40000, 0xFFFFFFFF, 5)] == [0] * 4 + [
        errno.EPERM
    ]


@pytest.mark.parametrize("interface", INTERFACES, ids=lambda interface: COLUMNS[interface.column])
def test_the_limit_on_core_dumps_is_told_and_not_changed(interface: object) -> None:
    """Whoever sets the limit on core dumps is told that it is done, by either call; other limits are set and told."""
    column, machine = interface.column, interface.machine  # type: ignore[attr-defined]
    code = build_filter(machine)
    architecture = interface.audit_architecture  # type: ignore[attr-defined]
    by_one, by_other = refused_calls.SETRLIMIT[column] or 0, refused_calls.PRLIMIT[column] or 0
    assert [decide(code, architecture, by_one, limit, 0x1000) for limit in (3, 4, 5)] == [0, -1, 0]
    assert [decide(code, architecture, by_other, 0, 4, new) for new in (0, 8, 1 << 32)] == [0, -1, -1]
    assert [decide(code, architecture, by_other, 1, limit, 8) for limit in (3, 4, 5)] == [0, -1, 0]


def test_what_is_allowed_is_let_through() -> None:
    """With all that may be allowed, only what configures a kernel is refused, and what types into a terminal."""
    code = build_filter("x86_64", frozenset(ALLOWABLE))
    for table in (*refused_calls.BY_NAME.values(), *refused_calls.UNKNOWN_TO_PROGRAMS.values()):
        for name, numbers in table.items():
            assert numbers[0] is None or decide(code, 0xC000003E, numbers[0]) == 0, name
    for name, numbers in refused_calls.KERNEL.items():
        assert numbers[0] is None or decide(code, 0xC000003E, numbers[0]) == errno.EPERM, name
    assert decide(code, 0xC000003E, 16, 0, 0x5412) == errno.EPERM
    only_one = build_filter("x86_64", frozenset({NESTED_NAMESPACES}))
    assert decide(only_one, 0xC000003E, 272, 0x10000000) == 0
    assert decide(only_one, 0xC000003E, 250) == errno.EPERM
    assert decide(code, 0xC000003E, 0x40000000 | 39) == errno.ENOSYS  # x32


def test_unknown_machines_are_refused() -> None:
    """A machine for which there is no launcher is told in a sentence that names those there are."""
    with pytest.raises(TargetError, match="cannot replay on mips, only on aarch64 and x86_64; use the docker unpacker"):
        build_first_program("mips", Steps((), (), ()))
