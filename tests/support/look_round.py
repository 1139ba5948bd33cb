"""Do what programs do with files that were there before, and print what they see of it, as JSON.

A program that is traced and replayed: it runs below any Python, and prints the same in every faithful file system.
"""

import ctypes
import fcntl
import json
import mmap
import os
import socket
import stat
import struct
import sys
from collections.abc import Callable

IN_MODIFY = 2
RENAME_EXCHANGE = 2
libc = ctypes.CDLL(None, use_errno=True)
seen: dict[str, object] = {}


def look(path: str) -> list[object]:
    """Return what stays the same of a file, wherever it lies."""
    status = os.lstat(path)
    return [stat.filemode(status.st_mode), status.st_uid, status.st_gid, status.st_nlink, status.st_size]


def attempt(name: str, function: Callable[[], object]) -> None:
    """Note what a function returns, or why it fails."""
    try:
        seen[name] = function()
    except OSError as error:
        seen[name] = error.strerror


def rename_folder() -> object:
    """Rename a folder with all that is in it, and look into it."""
    inode = os.stat("moved").st_ino
    os.rename("moved", "renamed")
    with open("renamed/below/two") as file:
        return [os.stat("renamed").st_ino == inode, sorted(os.listdir("renamed")), os.path.exists("moved"), file.read()]


def read_what_is_written_later() -> object:
    """Write through a second descriptor what a first one reads."""
    with open("read") as reader, open("read", "r+") as writer:
        first = reader.read(2)
        writer.seek(2)
        writer.write("written later\n")
        writer.flush()
        return [first, reader.read(), os.fstat(reader.fileno()).st_ino == os.stat("read").st_ino]


def lock() -> object:
    """Lock a file that is open for reading against one that opens it for writing."""
    with open("locked") as one, open("locked", "r+") as other:
        fcntl.flock(one, fcntl.LOCK_EX)
        try:
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return "locked"
        return "not locked"


def map_memory() -> object:
    """See through a map for reading what is written through one for writing."""
    with open("mapped", "rb") as one, open("mapped", "r+b") as other:
        reading = mmap.mmap(one.fileno(), 0, prot=mmap.PROT_READ)
        writing = mmap.mmap(other.fileno(), 0)
        writing[:4] = b"MAPS"
        return reading[:].decode()


def change_permissions() -> object:
    """Change the permissions: the time of the content stays."""
    os.chmod("touched", 0o640)
    status = os.stat("touched")
    return [stat.filemode(status.st_mode), status.st_mtime_ns]


def write_to_other_name() -> object:
    """Write to one of two names, and read by the other one."""
    with open("first", "a") as file:
        file.write("by the first name\n")
    with open("second") as file:
        return [file.read(), os.path.samefile("first", "second"), os.stat("second").st_nlink]


def open_without_writing() -> object:
    """Open for writing what is not written: the time of the last change stays."""
    before = os.stat("unwritten")
    with open("unwritten", "r+"):
        after = os.stat("unwritten")
    return [before.st_ctime_ns == after.st_ctime_ns, before.st_ino == after.st_ino]


def replace() -> object:
    """Put a new file in the place of an old one that is open."""
    with open("replaced") as old:
        with open("replaced.new", "w") as file:
            file.write("new\n")
        os.replace("replaced.new", "replaced")
        with open("replaced") as new:
            return [old.read(), new.read(), os.fstat(old.fileno()).st_nlink]


def make_again() -> object:
    """Remove a folder and make one of the same name: it is empty."""
    os.unlink("emptied/inner")
    os.rmdir("emptied")
    os.mkdir("emptied")
    return os.listdir("emptied")


def list_in_order() -> object:
    """List a folder in its own order, with a new file in it."""
    before = os.listdir("listed")
    with open("listed/another", "w") as file:
        file.write("another\n")
    after = os.listdir("listed")
    return [before, after]


def make_nameless() -> object:
    """Make a file without a name, and give it one."""
    descriptor = os.open(".", os.O_TMPFILE | os.O_RDWR, 0o600)
    os.write(descriptor, b"nameless\n")
    os.link(f"/proc/self/fd/{descriptor}", "named", follow_symlinks=True)
    return look("named")


def watch() -> object:
    """Be told by inotify(7) that a file was written that had been there before."""
    descriptor = libc.inotify_init1(os.O_NONBLOCK)
    libc.inotify_add_watch(descriptor, b"read", IN_MODIFY)
    with open("read", "a") as file:
        file.write("watched\n")
    try:
        return struct.unpack("iIII", os.read(descriptor, 16))[1]
    except BlockingIOError:
        return "nothing"


def exchange() -> object:
    """Exchange two files that were there before."""
    if libc.renameat2(-100, b"first", -100, b"read", RENAME_EXCHANGE):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    with open("first") as one, open("read") as other:
        return [one.read()[:2], other.read()[:5]]


def replace_link() -> object:
    """Put a symbolic link in the place of another one."""
    os.symlink("touched", "link.new")
    os.replace("link.new", "link")
    return os.readlink("link")


def set_attribute() -> object:
    """Set an extended attribute of a file that was there before."""
    os.setxattr("touched", "user.rtrace", b"value")
    return [os.getxattr("touched", "user.rtrace").decode(), os.listxattr("touched")]


def bind() -> object:
    """Make a socket with a name, and a FIFO."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
    os.mkfifo("fifo")
    kinds = [stat.filemode(os.lstat(name).st_mode)[0] for name in ("socket", "fifo")]
    os.unlink("socket")
    os.unlink("fifo")
    return kinds


def count_devices() -> object:
    """Count the file systems that files and folders seem to lie on."""
    places = [os.path.join(folder, name) for folder, folders, names in os.walk(".") for name in (*folders, *names)]
    return len({os.lstat(place).st_dev for place in (".", *places)})


def list_all() -> object:
    """Return all that is there, and what it is."""
    found = {}
    for folder, folders, names in os.walk("."):
        for name in sorted(names):
            found[os.path.join(folder, name)] = look(os.path.join(folder, name))
        folders.sort()
    return dict(sorted(found.items()))


for task in (
    rename_folder,
    read_what_is_written_later,
    lock,
    map_memory,
    change_permissions,
    write_to_other_name,
    open_without_writing,
    replace,
    make_again,
    list_in_order,
    make_nameless,
    watch,
    exchange,
    replace_link,
    set_attribute,
    bind,
    count_devices,
    list_all,
):
    attempt(task.__name__, task)
sys.stdout.write(json.dumps(seen, indent=1))
