"""The machine's graphics processors: the devices by which programs use them."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator

from rtrace.errors import TargetError

_NAMES = re.compile(
    rb"(nvidia[0-9]+|nvidiactl|nvidia-uvm|nvidia-uvm-tools|nvidia-modeset|nvidia-caps/nvidia-cap[0-9]+"
    rb"|dri/(card|renderD)[0-9]+|kfd)\Z"
)
_FOLDERS = (b"", b"nvidia-caps", b"dri")


def find_graphics(devices: bytes = b"/dev") -> tuple[bytes, ...]:
    """Return the devices of graphics processors, by their names in /dev. Raises TargetError where there are none."""
    found = tuple(sorted(name for name in list_names(devices) if is_device(os.path.join(devices, name))))
    if not found:
        raise TargetError(
            "this machine has no graphics processor (no /dev/dri, /dev/nvidia* or /dev/kfd): leave out --gpu"
        )
    return found


def list_names(devices: bytes) -> Iterator[bytes]:
    """Yield what is called as the devices of graphics processors are."""
    for folder in _FOLDERS:
        try:
            names = os.listdir(os.path.join(devices, folder))
        except OSError:  # ENOENT: no such driver
            continue
        yield from (name for name in (os.path.join(folder, one) for one in names) if _NAMES.match(name))


def is_device(path: bytes) -> bool:
    """Whether a path is a character device, and no symlink."""
    try:
        return stat.S_ISCHR(os.lstat(path).st_mode)
    except OSError:  # ENOENT: it is gone meanwhile
        return False


def list_closed(names: Iterable[bytes]) -> tuple[bytes, ...]:
    """Return the devices that are not open to everybody, but to their owner and group alone."""
    both = stat.S_IROTH | stat.S_IWOTH
    return tuple(name for name in names if os.stat(b"/dev/" + name).st_mode & both != both)
