"""Whether an overlay can be mounted: a folder that shows another one, and keeps what is changed apart; see mount(2)."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

from rtrace.files.workspaces import temporary
from rtrace.linux.libc import check, load_libc
from rtrace.linux.probing import try_in_child
from rtrace.printable import printable
from rtrace.replay.protocol import Ability

CLONE_NEWNS, CLONE_NEWUSER = 0x00020000, 0x10000000
MS_REC_PRIVATE = 0x4000 | 0x40000


def examine_overlay() -> Ability:
    """Mount one below the folder for temporary files, in a namespace that ends with the process that tries."""
    with temporary("doctor") as folder:
        for name in ("lower", "upper", "work", "merged"):
            (folder / name).mkdir()
        problem = try_in_child(partial(mount_overlay, folder))
        place = printable(os.fsencode(folder.parent))
    if problem is None:
        return Ability("overlay mounts", works=True, detail=f"in {place}")
    return Ability("overlay mounts", works=False, detail=f"in {place}: {problem}; a replay copies the files instead")


def mount_overlay(folder: Path) -> None:
    """Mount an overlay and write into it. Raises OSError."""
    libc = load_libc()
    user, group = os.geteuid(), os.getegid()
    check(libc.unshare(CLONE_NEWNS if user == 0 else CLONE_NEWNS | CLONE_NEWUSER))
    if user != 0:
        write("/proc/self/setgroups", "deny")
        write("/proc/self/uid_map", f"0 {user} 1")
        write("/proc/self/gid_map", f"0 {group} 1")
    check(libc.mount(b"none", b"/", None, MS_REC_PRIVATE, None))
    os.chdir(folder)
    options = b"lowerdir=lower,upperdir=upper,workdir=work"
    check(libc.mount(b"overlay", b"merged", b"overlay", 0, options))
    write("merged/file", "")


def write(path: str, text: str) -> None:
    """Write a file."""
    with open(path, "w", encoding="ascii") as file:
        file.write(text)
