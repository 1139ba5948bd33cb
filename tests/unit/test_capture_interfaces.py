"""The tables of each system call interface against the kernel's own headers, and the filters that are made of them.

`fixtures/kernel-interfaces` is what the headers say, see `scripts/lib/kernel_interfaces.py`.
"""

from __future__ import annotations

import ast
import ctypes
import errno
import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from kernel_headers import read_headers
from rtrace.capture.calls import place_calls, recorder
from rtrace.capture.kernel import call_table as calls
from rtrace.capture.kernel.architecture import Architecture, load_architecture, native_architectures
from rtrace.capture.kernel.call_filter import build_filter
from rtrace.capture.loop import listener
from rtrace.errors import TracingRefusedError
from rtrace.linux import bpf, credentials, descriptors, interfaces, libc, ptrace, registers, seccomp
from rtrace.linux.interfaces import SPOKEN

CAPTURE = Path(calls.__file__).parents[1]
INTERFACES = ("x86_64", "i386", "aarch64", "arm")
WORDS = {"x86_64": 8, "i386": 4, "aarch64": 8, "arm": 4}
OLDER_NAMES = {
    "newstat": "stat",
    "newlstat": "lstat",
    "stat": "oldstat",
    "lstat": "oldlstat",
    "chown": "chown32",
    "chown16": "chown",
    "lchown": "lchown32",
    "lchown16": "lchown",
    "fchown": "fchown32",
    "fchown16": "fchown",
}
HEADER_NAMES = {
    "x86_64": {},
    "i386": OLDER_NAMES | {"umount": "umount2", "umount2": "", "oldumount": "umount"},
    "aarch64": {},
    "arm": OLDER_NAMES | {"umount": "", "oldumount": "umount"},
}
"""What the headers call a call that our tables have under the name of the kernel's function."""

LATEST = 600  # no interface has a call with a higher number yet
VERDICT = bpf.SECCOMP_RET_USER_NOTIF
REFUSAL = bpf.SECCOMP_RET_ERRNO | errno.ENOSYS


def header_names(interface: str) -> dict[str, str]:
    """Return for every call that is decoded or refused what the headers would call it."""
    return {name: HEADER_NAMES[interface].get(name, name) for name in (*calls.CALLS, *calls.REFUSED)}


def run_filter(program: bytes, audit: int, number: int, arguments: tuple[int, ...] = ()) -> int:
    """Run a classic BPF program over a struct seccomp_data, as the kernel would; return its verdict."""
    padded = [value & (1 << 64) - 1 for value in (*arguments, *[0] * (6 - len(arguments)))]
    data = struct.pack("<IIQ6Q", number & 0xFFFFFFFF, audit, 0, *padded)
    code = list(struct.iter_unpack("<HBBI", program))
    accumulator = position = 0
    while True:
        operation, when_true, when_false, operand = code[position]
        position += 1
        match operation:
            case 0x20:  # ld [k]
                (accumulator,) = struct.unpack_from("<I", data, operand)
            case 0x05:  # ja k
                position += operand
            case 0x15:  # jeq #k
                position += when_true if accumulator == operand else when_false
            case 0x35:  # jge #k
                position += when_true if accumulator >= operand else when_false
            case 0x45:  # jset #k
                position += when_true if accumulator & operand else when_false
            case 0x54:  # and #k
                accumulator &= operand
            case 0x06:  # ret #k
                return int(operand)
            case _:
                pytest.fail(f"unknown operation {operation:#x}")


@pytest.fixture(params=INTERFACES)
def interface(request: pytest.FixtureRequest) -> str:
    """One interface's name."""
    return str(request.param)


@pytest.fixture
def architecture(interface: str) -> Architecture:
    """One interface's tables."""
    return load_architecture(interface)


@pytest.fixture(params=[SPOKEN["x86_64"], SPOKEN["i386"], SPOKEN["aarch64"]], ids="-".join)
def spoken(request: pytest.FixtureRequest) -> tuple[Architecture, ...]:
    """The interfaces of one machine."""
    return tuple(load_architecture(name) for name in request.param)


def test_decoded_calls_have_the_kernels_numbers(interface: str, architecture: Architecture) -> None:
    """Every call that is decoded on an interface is in the kernel's headers, under the number that we have."""
    headers = read_headers(interface)
    names = header_names(interface)
    ours = {names[name]: number for number, name in architecture.names.items()}
    assert ours == {name: headers.calls.get(name) for name in ours}
    assert architecture.refused == (headers.calls["io_uring_setup"],)


def test_no_call_of_the_headers_is_forgotten(interface: str, architecture: Architecture) -> None:
    """Every call of the kernel's headers that we can decode is decoded on that interface."""
    headers = read_headers(interface)
    theirs = {headers.calls[header] for name, header in header_names(interface).items() if header in headers.calls}
    assert theirs == {*architecture.calls, *architecture.refused}


def test_interfaces_are_told_by_the_kernels_values(interface: str, architecture: Architecture) -> None:
    """An interface's AUDIT_ARCH value is the kernel's, and its pointers have the size of its word."""
    values = read_headers(interface).values
    assert architecture.audit == values[f"AUDIT_ARCH_{interface.upper()}"]
    assert architecture.word == WORDS[interface]


def test_constants_are_the_kernels_on_every_interface(interface: str) -> None:
    """Every constant that the capture has by value is the same in the headers of all interfaces."""
    values = read_headers(interface).values
    ours = {
        name: getattr(module, name)
        for module in (calls, recorder, bpf, credentials, descriptors, interfaces, libc, ptrace, registers, seccomp)
        for name in vars(module)
        if name in values
    }
    assert ours == {name: values[name] for name in ours}
    assert {
        "O_TMPFILE",
        "AT_FDCWD",
        "PTRACE_SEIZE",
        "SECCOMP_RET_ALLOW",
        "SECCOMP_IOCTL_NOTIF_RECV",
        "RESOLVE_IN_ROOT",
    } <= set(ours)
    assert values["CLONE_NEWNS"] | values["CLONE_NEWUSER"] == place_calls.CLONE_NEW_NAMESPACES
    assert listener.NOTIFICATION.size == values["sizeof(struct seccomp_notif)"]
    assert listener.RESPONSE.size == values["sizeof(struct seccomp_notif_resp)"]
    assert struct.calcsize("<QQQ") == values["sizeof(struct open_how)"]


def test_no_flag_of_open_is_written_down_for_one_machine() -> None:
    """Flags of open come from Python, which knows its machine's; O_TMPFILE alone, the same everywhere, is ours."""
    written = set()
    for file in CAPTURE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Assign):
                written |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    assert {name for name in written if name.startswith("O_")} == {"O_TMPFILE"}
    assert len({read_headers(name).values["O_TMPFILE"] for name in INTERFACES}) == 1


def test_open_is_decoded_with_the_flags_of_its_machine(interface: str) -> None:
    """The bits of open's flags that change its meaning are those of the machine that Python runs on."""
    values = read_headers(interface).values
    names = [name for name in values if name.startswith("O_") and name != "O_TMPFILE" and hasattr(os, name)]
    script = "import os\n" + "".join(f"os.{name} = {values[name]}\n" for name in names)
    script += "from rtrace.capture.kernel.call_table import CALLS; print(CALLS['openat'].mask)"
    completed = subprocess.run([sys.executable, "-c", script], env=own_environment(), capture_output=True, check=True)
    flags = ["ACCMODE", "CREAT", "EXCL", "TRUNC", "APPEND", "NONBLOCK", "PATH", "DIRECTORY", "NOFOLLOW", "TMPFILE"]
    assert int(completed.stdout) == sum(values[f"O_{flag}"] for flag in flags)


def own_environment() -> dict[str, str]:
    """Return an environment in which a Python finds what this one does."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


def test_filter_notifies_for_every_decoded_call(spoken: tuple[Architecture, ...]) -> None:
    """A machine's filter tells of each decoded call of each interface, refuses io_uring, and lets all others run."""
    program = build_filter(spoken, VERDICT)
    some = (1, 2, 3, 4, 5, 6)
    for architecture in spoken:
        told = set(architecture.calls) - set(architecture.conditions)
        verdicts = {number: run_filter(program, architecture.audit, number, some) for number in range(LATEST)}
        plain = {number: verdict for number, verdict in verdicts.items() if number not in architecture.conditions}
        assert plain == {
            number: REFUSAL
            if number in architecture.refused
            else bpf.SECCOMP_RET_TRACE
            if number in architecture.awaited or number == architecture.clone3
            else VERDICT
            if number in told
            else bpf.SECCOMP_RET_ALLOW
            for number in plain
        }


@pytest.mark.parametrize("size,flags,address,told", [
    (29, 0x4000, 0, True),
    (282, 0x4000, 0, True),
    (283, 0x4000, 0, False),
    (29, 0, 0, False),
    (1 << 20, 0, 8, True),
    (1 << 20, 0, 8 << 32, True),
])  # fmt: skip
def test_filter_tells_of_messages(
    size: int, flags: int, address: int, *, told: bool, spoken: tuple[Architecture, ...]
) -> None:
    """A message is told that has an address, or is as small and has the flags as a question to a name server."""
    program = build_filter(spoken, VERDICT)
    (native, *_) = spoken
    (number,) = (number for number, name in native.names.items() if name == "sendto")
    verdict = run_filter(program, native.audit, number, (3, 4, size, flags, address, 16))
    assert verdict == (VERDICT if told else bpf.SECCOMP_RET_ALLOW)


def test_filter_fits_into_the_kernels_limits(spoken: tuple[Architecture, ...]) -> None:
    """A filter has at most BPF_MAXINSNS (4096) instructions, and no jump leads out of it."""
    code = list(struct.iter_unpack("<HBBI", build_filter(spoken, VERDICT)))
    assert len(code) <= 4096
    for position, (operation, when_true, when_false, operand) in enumerate(code, 1):
        if operation == bpf.JUMP:
            assert position + operand < len(code)
        elif operation in (bpf.JUMP_IF_EQUAL, bpf.JUMP_IF_NOT_BELOW, bpf.JUMP_IF_ANY_BIT):
            assert position + max(when_true, when_false) < len(code)


def test_filter_lets_fstat_through(interface: str, architecture: Architecture) -> None:
    """fstat(3) on a descriptor runs at full speed; the same call on the working folder or on a name is told."""
    program = build_filter((architecture,), VERDICT)
    at = calls.AT_FDCWD if WORDS[interface] == 4 else -100
    empty = calls.AT_EMPTY_PATH
    assert architecture.fstat_aliases
    for number, index in architecture.fstat_aliases.items():
        cases = {
            (3, empty): bpf.SECCOMP_RET_ALLOW,
            (at, empty): VERDICT,
            (3, 0): VERDICT,
            (3, empty | calls.AT_SYMLINK_NOFOLLOW): VERDICT,
        }
        found = {
            (folder, flags): run_filter(program, architecture.audit, number, (folder, *[0] * (index - 1), flags))
            for folder, flags in cases
        }
        assert found == cases


def test_filter_looks_at_the_arguments_that_matter(interface: str, architecture: Architecture) -> None:
    """A sendto without an address, and the harmless calls of socketcall, run at full speed."""
    program = build_filter((architecture,), VERDICT)
    numbers = {calls.CALLS[name].action: number for number, name in architecture.names.items()}

    def verdict(action: calls.Action, *arguments: int) -> int:
        return run_filter(program, architecture.audit, numbers[action], arguments)

    assert verdict(calls.Action.SEND, 3, 1, 2, 0, 0, 0) == bpf.SECCOMP_RET_ALLOW
    assert verdict(calls.Action.SEND, 3, 1, 2, 0, 0x1000, 16) == VERDICT
    if WORDS[interface] == 8:
        assert verdict(calls.Action.SEND, 3, 1, 2, 0, 0x700000000000, 16) == VERDICT
    if interface == "i386":  # SYS_SOCKET 1, SYS_CONNECT 3 of linux/net.h
        assert verdict(calls.Action.SOCKETCALL, 1) == bpf.SECCOMP_RET_ALLOW
        assert verdict(calls.Action.SOCKETCALL, 3) == bpf.SECCOMP_RET_TRACE  # its result is looked at, too
    else:
        assert calls.Action.SOCKETCALL not in numbers


def test_filter_stops_what_would_make_an_untraced_child(architecture: Architecture) -> None:
    """A clone with CLONE_UNTRACED stops; any other runs at full speed. Of clone3 the filter cannot know."""
    program = build_filter((architecture,), VERDICT)
    for flags, expected in ((calls.CLONE_UNTRACED | 17, bpf.SECCOMP_RET_TRACE), (17, bpf.SECCOMP_RET_ALLOW)):
        assert run_filter(program, architecture.audit, architecture.clone, (flags,)) == expected
    assert run_filter(program, architecture.audit, architecture.clone3, (0x1000, 88)) == bpf.SECCOMP_RET_TRACE


def test_filter_keeps_programs_open_to_a_tracer_without_privileges(architecture: Architecture) -> None:
    """PR_SET_DUMPABLE with 0 does nothing where that is asked for, and every other prctl is as it was."""
    plain = build_filter((architecture,), VERDICT)
    exposing = build_filter((architecture,), VERDICT, exposing=True)
    for arguments in ((4, 0), (4, 1), (3, 0), (22, 2, 0x1000), (15, 0x1000)):
        verdicts = [run_filter(code, architecture.audit, architecture.prctl, arguments) for code in (plain, exposing)]
        assert verdicts[1] == (bpf.SECCOMP_RET_ERRNO if arguments == (4, 0) else verdicts[0])
    for number in range(LATEST):
        if number != architecture.prctl:
            assert run_filter(exposing, architecture.audit, number) == run_filter(plain, architecture.audit, number)


def test_filter_tells_of_x32_on_x86_64_only(interface: str, architecture: Architecture) -> None:
    """Numbers of the x32 ABI are told where there is one; negative numbers are nobody's calls, and run into ENOSYS."""
    program = build_filter((architecture,), VERDICT)
    told = VERDICT if interface == "x86_64" else bpf.SECCOMP_RET_ALLOW
    assert run_filter(program, architecture.audit, interfaces.X32_BIT | 2) == told
    assert run_filter(program, architecture.audit, interfaces.X32_BIT | 547) == told
    for number in (-1, -100, interfaces.X32_BIT - 1, 0xF0005):  # the last is set_tls of 32-bit ARM
        assert run_filter(program, architecture.audit, number) == bpf.SECCOMP_RET_ALLOW


def test_filter_leaves_other_interfaces_alone(spoken: tuple[Architecture, ...]) -> None:
    """Calls of an interface that the filter was not made for run, whatever their number."""
    program = build_filter(spoken, VERDICT)
    known = {architecture.audit for architecture in spoken}
    others = {load_architecture(name).audit for name in INTERFACES} | {0xC00000F3} - known
    for audit in others - known:
        verdicts = {run_filter(program, audit, number) for number in range(LATEST)}
        assert verdicts == {bpf.SECCOMP_RET_ALLOW}


@pytest.mark.parametrize(
    "machine,word,expected",
    [
        ("x86_64", 8, "x86_64"),
        ("i686", 8, "x86_64"),
        ("x86_64", 4, "i386"),
        ("i686", 4, "i386"),
        ("aarch64", 8, "aarch64"),
        ("armv8l", 8, "aarch64"),
        ("armv8l", 4, "arm"),
        ("aarch64", 4, "arm"),
        ("riscv64", 8, "riscv64"),
    ],
)
def test_own_interface_is_pythons_own(machine: str, word: int, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The interface is this Python's, also where setarch(8) or a 32-bit Python make uname(2) name another machine."""
    monkeypatch.setattr(os, "uname", lambda: os.uname_result(("Linux", "host", "6.1", "1", machine)))
    monkeypatch.setattr(ctypes, "sizeof", lambda _: word)
    assert interfaces.own_interface() == expected


def test_unknown_machine_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a machine without tables nothing is run, and the message names the machines that have them."""
    monkeypatch.setattr(os, "uname", lambda: os.uname_result(("Linux", "host", "6.1", "1", "riscv64")))
    with pytest.raises(TracingRefusedError, match=r"cannot trace on riscv64 yet; .*aarch64, i386, x86_64"):
        native_architectures()
