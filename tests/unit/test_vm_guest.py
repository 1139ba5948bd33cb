"""What the guest of a vm target is told, and in what form."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtrace.errors import TargetError
from rtrace.limits import Limits
from rtrace.replay.grants import Grants, Port
from rtrace_unpackers.vm.guest import SCRIPT, quote, render_job
from rtrace_unpackers.vm.kernel import is_static, list_accelerators, name_module
from rtrace_unpackers.vm.machine import LEAST_MEMORY, plan_network
from rtrace_unpackers.vm.target import choose_size, list_way, refuse_grants, refuse_obstacle, tell_size

GUEST = Path(__file__).resolve().parents[2] / "unpackers/rtrace_unpackers/vm" / SCRIPT


@given(st.binary(max_size=40).filter(lambda value: b"\0" not in value))
def test_a_quoted_word_has_no_quote_that_is_open(value: bytes) -> None:
    """Without what stands for a quote, it is one pair of quotes around what has none."""
    inner = quote(value)[1:-1]
    assert b"'" not in inner.replace(b"'\\''", b"")
    assert inner.replace(b"'\\''", b"'") == value


@pytest.mark.parametrize("value", [b"it's", b"$(touch out)`touch out`", b"a\nb\n", b"\xff'\\''\n;", b"", b"'"])
def test_a_shell_takes_a_word_for_itself(value: bytes, tmp_path: Path) -> None:
    """Quotes, substitutions, line ends and bytes that are no text are nothing to the shell."""
    script = b"word=" + quote(value) + b'\nprintf %s "$word"'
    done = subprocess.run(["/bin/sh"], input=script, capture_output=True, check=True, cwd=tmp_path)
    assert done.stdout == value
    assert list(tmp_path.iterdir()) == []


def test_an_archive_has_the_job_and_its_settings() -> None:
    """A kernel finds members at multiples of four, and the trailer."""
    archive = render_job("put", {"path": b"/it's"}, b"\x7fELF")
    assert len(archive) % 4 == 0
    assert b"job/settings\0" in archive
    assert b"job='put'\npath='/it'\\''s'\n" in archive
    assert b"job/launcher\0" in archive
    assert archive.count(b"070701") == 4


def test_the_guest_is_a_script_that_a_shell_can_read() -> None:
    """The kernel of a guest shows no message about a mistake in it."""
    subprocess.run(["/bin/sh", "-n", GUEST], check=True)


def test_there_is_no_network_unless_asked_for() -> None:
    """By default a machine has no such device."""
    assert plan_network(allowed=False) == ("-nic", "none")


@pytest.mark.parametrize("grants", [Grants(display=True), Grants(gpu=True), Grants(ports=(Port(1, 2),))])
def test_what_a_machine_cannot_be_given_is_refused(grants: Grants) -> None:
    """With the unpacker that can."""
    with pytest.raises(TargetError, match="use the chroot unpacker"):
        refuse_grants(grants)


def test_a_machine_is_as_large_as_the_limits_and_no_smaller_than_its_kernel() -> None:
    """What is larger than a limit is said."""
    assert choose_size(Limits(memory=512 << 20)).memory == 512
    assert choose_size(Limits(memory=1 << 20)).memory == LEAST_MEMORY
    assert "256 MiB" in tell_size(Limits(memory=1 << 20))[0]
    assert choose_size(Limits(cpus=0.5)).processors == 1
    assert "--cpus" in tell_size(Limits(cpus=0.5))[0]
    assert tell_size(Limits(memory=512 << 20, cpus=1)) == ()


def test_what_is_in_the_way_of_a_file_is_named_by_its_number_alone() -> None:
    """Nothing that a guest says reaches the terminal as it is."""
    way = list_way(b"/a/b\n/c")
    assert way == [b"/a", b"/a/b\n"]
    refuse_obstacle(["alive", "done"], b"/a/b\n/c", way)
    with pytest.raises(TargetError, match=r"/a is a symbolic link or no folder; `rtrace reset`"):
        refuse_obstacle(["alive", "obstacle 0"], b"/a/b\n/c", way)
    with pytest.raises(TargetError) as raised:
        refuse_obstacle(["alive", "obstacle 99", "\x1b[2J"], b"/a/c", way)
    assert "\x1b" not in str(raised.value)


def test_a_wrong_word_for_the_accelerator_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """And a right one is taken."""
    monkeypatch.setenv("RTRACE_VM_ACCELERATOR", "tcg")
    assert list_accelerators() == ("tcg",)
    monkeypatch.setenv("RTRACE_VM_ACCELERATOR", "fast")
    with pytest.raises(TargetError, match="set it to kvm or tcg"):
        list_accelerators()


def test_a_program_that_needs_a_loader_is_not_static(tmp_path: Path) -> None:
    """Nor is what is no program; modules are called as they are, whatever packed them."""
    text = tmp_path / "text"
    text.write_bytes(b"#!/bin/sh\n")
    assert not is_static(text)
    assert not is_static(Path("/bin/sh").resolve())
    assert name_module("kernel/fs/ext4/crc32c-generic.ko.xz") == "crc32c_generic"
