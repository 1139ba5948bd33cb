"""Files of holes, which take no room."""

from pathlib import Path

from fuzz.sealing import seal
from fuzz.sections import join
from hostile_kinds import parts
from rtrace.bundle import tar
from rtrace.bundle.data.layout import entry_header
from rtrace.bundle.entry import Entry, FileType
from rtrace.bundle.index.dumping import dump_entry


def write_hollow(path: Path, content: bytes = b"content\n") -> bytes:
    """Write a bundle with a file of a terabyte of holes, and give the bytes of its data."""
    folder = Entry(b"/", FileType.DIRECTORY, 0o755, 0, 0, 0)
    size = (1 << 40) - 1
    file = Entry(b"/hollow", FileType.REGULAR, 0o644, 0, 0, 0, size, "a" * 64, segments=((1 << 20, 8),))
    data = entry_header(folder) + entry_header(file)
    lines = dump_entry(folder, 0, None, None) + dump_entry(file, size, "a" * 64, len(data))
    manifest = parts()["manifest"].replace(b"path: /data/f", b"path: /hollow")
    data += content + tar.padding(len(content)) + tar.END
    path.write_bytes(seal(join({"plan": b"L", **parts(), "manifest": manifest, "files": lines.encode(), "data": data})))
    return data
