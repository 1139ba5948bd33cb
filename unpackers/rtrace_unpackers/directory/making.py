"""Make a directory target: a tree as a chroot target has it, and what its script needs."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

from rtrace.elsewhere.sources import Sources
from rtrace.errors import HostileBundleError
from rtrace.files.folders import write_new
from rtrace.files.workspaces import Workspace
from rtrace.printable import printable
from rtrace.progress import Progress
from rtrace.replay.protocol import Unpacked
from rtrace_unpackers.chroot.making import Kind, make_target, plan_target
from rtrace_unpackers.directory.starters import build_starters, render_table
from rtrace_unpackers.directory.words import ENTRY, LAUNCHERS, NAME, OWN, SCRIPT, TABLE
from rtrace_unpackers.isolation.users.rights import acts_as_root
from rtrace_unpackers.target.making import Material


def plan_directory(bundle: Path, target: Path) -> tuple[str, ...]:
    """Return what `make_directory` would write, a line for each step."""
    return (*plan_target(bundle, target), f"write {target / SCRIPT}, which replays them without rtrace")


def make_directory(bundle: Path, target: Path, progress: Progress, sources: Sources) -> Unpacked:
    """Write the bundle's files, the launchers of its runs and the script below a new folder."""
    kind = Kind(NAME, shifts=False, complete=complete)
    return make_target(bundle, target, progress, sources, kind)


def complete(material: Material, root: int, workspace: Workspace) -> None:
    """Write what the script needs beside a tree, and the folder in it where the launchers appear."""
    refuse_taken(material)
    add_entry(root)
    runs, as_root = material.manifest.runs, acts_as_root()
    os.mkdir(OWN, 0o700, dir_fd=workspace.descriptor)
    os.mkdir(LAUNCHERS, 0o755, dir_fd=workspace.descriptor)
    for kind, name, program in build_starters(runs, as_root=as_root):
        path = f"{LAUNCHERS}/{kind}"
        with contextlib.suppress(FileExistsError):  # of the run before
            os.mkdir(path, 0o755, dir_fd=workspace.descriptor)
        write_program(workspace.descriptor, f"{path}/{name}", program)
    write_new(workspace.descriptor, TABLE, render_table(runs, as_root=as_root))
    write_program(workspace.descriptor, SCRIPT, Path(__file__).with_name(SCRIPT).read_bytes())


def write_program(folder: int, path: str, content: bytes) -> None:
    """Write an executable file below an open folder of ours. Raises OSError."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with open(os.open(path, flags, 0o700, dir_fd=folder), "wb") as file:
        os.fchmod(file.fileno(), 0o755)
        file.write(content)


def add_entry(root: int) -> None:
    """Make the folder of a new tree where the launchers appear; the tree keeps its mode and time. Raises OSError."""
    before = os.fstat(root)
    os.fchmod(root, stat.S_IMODE(before.st_mode) | stat.S_IRWXU)  # a user's may be closed to its owner, too
    os.mkdir(ENTRY, 0o755, dir_fd=root)
    os.chmod(ENTRY, 0o755, dir_fd=root)  # noqa: S103 -- whoever the program is, it has to reach its launcher
    os.fchmod(root, stat.S_IMODE(before.st_mode))
    os.utime(root, ns=(before.st_atime_ns, before.st_mtime_ns))


def refuse_taken(material: Material) -> None:
    """Raise HostileBundleError when the bundle holds something where the launchers appear."""
    taken = next((entry for entry in material.entries if (entry.path + b"/").startswith(b"/" + ENTRY + b"/")), None)
    if taken is not None:
        raise HostileBundleError(f"the bundle holds {printable(taken.path)}, where rtrace puts launchers")
