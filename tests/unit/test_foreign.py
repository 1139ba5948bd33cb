"""Programs for another kind of processor than this machine's."""

from __future__ import annotations

from pathlib import Path

import pytest

from bundle_making import make_run
from rtrace.errors import TargetError
from rtrace.replay import foreign
from rtrace.replay.foreign import has_emulator, is_foreign, refuse_foreign, refuse_without_emulator
from rtrace.replay.grants import NOTHING, Grants

OTHER = "riscv64"


@pytest.mark.parametrize("architecture, machine, expected", [
    ("x86_64", "x86_64", False), ("i686", "x86_64", False), ("i386", "amd64", False), ("x86_64", "i686", True),
    ("aarch64", "arm64", False), ("armv7l", "aarch64", False), ("aarch64", "x86_64", True), ("x86_64", "aarch64", True),
    ("riscv64", "riscv64", False), ("../x", "x86_64", True),
])  # fmt: skip
def test_what_a_machine_runs_by_itself(architecture: str, machine: str, expected: bool) -> None:  # noqa: FBT001
    """Its own programs by any of its names, and the 32-bit ones of its family."""
    assert is_foreign(architecture, machine) is expected


def test_it_is_refused_unless_it_is_asked_for() -> None:
    """The sentence names the run, both kinds of processor and the option."""
    runs = (make_run(architecture=OTHER),)
    with pytest.raises(TargetError, match=f"^run1 has programs for {OTHER}, and this machine is .*; --emulate "):
        refuse_foreign(runs, NOTHING)
    refuse_foreign(runs, Grants(emulation=True))


@pytest.mark.parametrize("text, expected", [
    ("enabled\ninterpreter /usr/libexec/qemu-binfmt/x\nflags: POF\n", True),
    ("enabled\ninterpreter /usr/libexec/qemu-binfmt/x\nflags: P\n", False),
    ("disabled\ninterpreter /usr/libexec/qemu-binfmt/x\nflags: F\n", False),
    (None, False),
])  # fmt: skip
def test_only_an_emulator_that_the_kernel_holds_open_counts(
    text: str | None,
    expected: bool,  # noqa: FBT001
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One that is looked up in the replay's files would be the bundle's; a name of a bundle's is no path."""
    monkeypatch.setattr(foreign, "_REGISTERED", tmp_path / "registered")
    (tmp_path / "registered").mkdir()
    (tmp_path / "qemu-riscv64").write_text("enabled\nflags: F\n")
    if text is not None:
        (tmp_path / "registered/qemu-riscv64").write_text(text)
    assert has_emulator(OTHER) is expected
    assert not has_emulator("/../../qemu-riscv64")
    if not expected:
        with pytest.raises(TargetError, match="install qemu-user-static"):
            refuse_without_emulator(make_run(architecture=OTHER))
