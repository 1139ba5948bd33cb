"""What a machine needs of this one: qemu, a kernel with its modules, a static busybox, tools for disks."""

from __future__ import annotations

import gzip
import lzma
import os
import platform
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rtrace.errors import TargetError

KERNEL_VARIABLE = "RTRACE_VM_KERNEL"
"""The environment variable that names another kernel, a file ``vmlinuz-VERSION`` with modules in /lib/modules."""
ACCELERATOR_VARIABLE = "RTRACE_VM_ACCELERATOR"
"""The environment variable that says how machines are run: `kvm` or `tcg`, which is emulated."""
KVM = "/dev/kvm"
BOOT, MODULES = Path("/boot"), Path("/lib/modules")
PREFIX = "vmlinuz-"
LARGEST_KERNEL = 256 << 20

QEMU, IMAGES, FORMATTING = "qemu-system-x86_64", "qemu-img", "mke2fs"
PACKAGES = {QEMU: "qemu-system-x86", IMAGES: "qemu-utils", FORMATTING: "e2fsprogs", "setpriv": "util-linux"}
"""Programs, and Debian's packages of them."""
SYSTEM_PLACES = "/usr/sbin:/sbin"
MACHINES = frozenset({"x86_64", "amd64"})
PROGRAMS_FOR = frozenset({*MACHINES, "i386", "i486", "i586", "i686"})
"""The processors whose programs such a kernel runs."""

WANTED = ("virtio_pci", "virtio_blk", "virtio_console", "virtio_net", "crc32c_generic", "ext4")
"""Modules, where the kernel has not got them built in."""
ELF_TYPE, EXECUTABLE, SHARED = slice(16, 18), b"\2\0", b"\3\0"


@dataclass(frozen=True, slots=True)
class Kernel:
    """A kernel, and the folder of its modules."""

    path: Path
    modules: Path


def find_program(name: str) -> str | None:
    """Return the path of a program; those for administrators may be in nobody's PATH."""
    return shutil.which(name) or shutil.which(name, path=SYSTEM_PLACES)


def demand_program(name: str) -> str:
    """Return the path of a program. Raises TargetError that names its package."""
    found = find_program(name)
    if found is None:
        raise TargetError(f"the vm unpacker needs {name}, which is not installed: `apt-get install {PACKAGES[name]}`")
    return found


def find_problem() -> str | None:
    """Return why no machine can be started here, with the next step, to follow a colon; None where one can."""
    if platform.machine() not in MACHINES:
        return "machines are made on x86-64 only, so use chroot or docker"
    try:
        for name in PACKAGES:
            demand_program(name)
        find_kernel()
        find_busybox()
    except TargetError as error:
        return str(error)
    return None


def list_accelerators() -> tuple[str, ...]:
    """Return how a machine may be run, the best first. Raises TargetError for a word that is none of them."""
    named = os.environ.get(ACCELERATOR_VARIABLE)
    if named in {"kvm", "tcg"}:
        return (named,)
    if named:
        raise TargetError(f"{ACCELERATOR_VARIABLE} is {named!r}: set it to kvm or tcg, or to nothing")
    return ("kvm", "tcg") if os.access(KVM, os.R_OK | os.W_OK) else ("tcg",)


def find_kernel() -> Kernel:
    """Return the newest kernel that can be read and has modules, or the one that a person names. Raises TargetError."""
    named = os.environ.get(KERNEL_VARIABLE)
    if named:
        path = Path(named)
        modules = MODULES / path.name.removeprefix(PREFIX)
        if not (path.is_file() and modules.is_dir()):
            raise TargetError(
                f"{KERNEL_VARIABLE} names {path}, but there is no such file, or no folder {modules} with its modules: "
                f"name a file {PREFIX}VERSION that has one"
            )
        return Kernel(path, modules)
    kernels = sorted(BOOT.glob(f"{PREFIX}*"), key=version_key, reverse=True)
    for path in kernels:
        modules = MODULES / path.name.removeprefix(PREFIX)
        if os.access(path, os.R_OK) and (modules / "modules.dep").is_file():
            return Kernel(path, modules)
    if kernels:
        raise TargetError(
            f"the kernels in {BOOT} cannot be read, or have no modules: name a copy of one in {KERNEL_VARIABLE}"
        )
    raise TargetError(
        f"the vm unpacker needs a kernel, and {BOOT} has none: `apt-get install linux-image-amd64`, "
        f"or name one in {KERNEL_VARIABLE}"
    )


def version_key(path: Path) -> tuple[int, ...]:
    """Return a key that sorts kernels by their numbers."""
    return tuple(map(int, re.findall(r"\d+", path.name)))


def find_busybox() -> Path:
    """Return the path of a busybox that needs no libraries. Raises TargetError."""
    for place in (shutil.which("busybox.static"), shutil.which("busybox")):
        if place is not None and is_static(Path(place)):
            return Path(place)
    raise TargetError("the vm unpacker needs a busybox without libraries: `apt-get install busybox-static`")


def is_static(path: Path) -> bool:
    """Whether an ELF program is started without a loader: none of its segments names one."""
    try:
        with path.open("rb") as file:
            head = file.read(4096)
    except OSError:
        return False
    start, size, count = (int.from_bytes(head[a:b], "little") for a, b in ((32, 40), (54, 56), (56, 58)))
    kinds = [int.from_bytes(head[start + at * size : start + at * size + 4], "little") for at in range(count)]
    return head[:5] == b"\x7fELF\x02" and head[ELF_TYPE] in {EXECUTABLE, SHARED} and 3 not in kinds  # noqa: PLR2004 -- PT_INTERP


def read_modules(kernel: Kernel) -> Iterator[tuple[str, bytes]]:
    """Yield the modules that the guest needs, by name and in the order of loading. Raises TargetError."""
    needs: dict[str, tuple[str, ...]] = {}
    for line in (kernel.modules / "modules.dep").read_text(encoding="utf-8").splitlines():
        path, _, others = line.partition(":")
        needs[path] = tuple(reversed(others.split()))
    paths = {name_module(path): path for path in needs}
    done: set[str] = set()
    for name in WANTED:
        found = paths.get(name)
        if found is None:  # built in
            continue
        for one in (*needs[found], found):
            if one not in done:
                done.add(one)
                yield name_module(one), read_module(kernel.modules / one)


def name_module(path: str) -> str:
    """Return the name of a module by its path."""
    return os.path.basename(path).partition(".ko")[0].replace("-", "_")


def read_module(path: Path) -> bytes:
    """Return the content of a module. Raises TargetError."""
    try:
        content = path.read_bytes()
        if path.suffix == ".xz":
            return lzma.decompress(content)
        if path.suffix == ".gz":
            return gzip.decompress(content)
    except (OSError, lzma.LZMAError) as error:
        raise TargetError(f"the kernel's module {path} cannot be read: {error}; install the kernel again") from None
    if path.suffix != ".ko":
        raise TargetError(
            f"the kernel's module {path} is compressed in a way that rtrace does not read; name another kernel in "
            f"{KERNEL_VARIABLE}"
        )
    return content
