"""Every trick by which entries could reach outside a target is refused, each with its own sentence."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtrace.bundle.entry import Entry, FileType, Result
from rtrace.bundle.reading.validation import path_problem, validate_entries, validate_results
from rtrace.errors import HostileBundleError

ROOT = Entry(b"/", FileType.DIRECTORY, 0o755, 0, 0, 0)
FOLDER = Entry(b"/a", FileType.DIRECTORY, 0o755, 0, 0, 0)
FILE = Entry(b"/a/f", FileType.REGULAR, 0o644, 0, 0, 0, 3, "a" * 64, offset=512)
LINK = Entry(b"/a/l", FileType.SYMLINK, 0o777, 0, 0, 0, target=b"/etc/passwd")
HARD = Entry(b"/a/h", FileType.REGULAR, 0o644, 0, 0, 0, 3, "a" * 64, link=b"/a/f")
COPY = Entry(b"/a/g", FileType.REGULAR, 0o600, 1, 1, 1, 3, "a" * 64, copy_of=b"/a/f")
OUTLINE = Entry(b"/a/e", FileType.REGULAR, 0o600, 1, 1, 1, 3, placeholder=True)
REFUSED = "the extended attribute '.*', which no such file may have"

TRICKS = {
    "a relative path": ([FILE._replace(path=b"a/f")], "not absolute"),
    "an empty path": ([FILE._replace(path=b"")], "an empty path"),
    "a path that climbs": ([FILE._replace(path=b"/a/../../etc/passwd")], r"climbs with '\.\.'"),
    "a path that ends in ..": ([FILE._replace(path=b"/a/..")], r"climbs with '\.\.'"),
    "a dot": ([FILE._replace(path=b"/a/./f")], "not normalised"),
    "two slashes": ([FILE._replace(path=b"//a")], "not normalised"),
    "a slash at the end": ([FILE._replace(path=b"/a/")], "not normalised"),
    "a NUL": ([FILE._replace(path=b"/a\0b")], "NUL byte"),
    "a very long path": ([FILE._replace(path=b"/a" * 2100)], "longer than 4095"),
    "a very long name": ([FILE._replace(path=b"/" + b"a" * 256)], "name longer than 255"),
    "a path twice": ([FOLDER, FILE, FILE], "/a/f twice"),
    "paths out of order": ([FOLDER._replace(path=b"/b"), FOLDER], "/a out of order"),
    "a file below a symlink": ([LINK._replace(path=b"/a"), FILE], "below /a, which is not a directory"),
    "a file far below a symlink": (
        [LINK._replace(path=b"/a"), FILE._replace(path=b"/a/b/c/d")],
        "below /a, which is not a directory",
    ),
    "a file below a file": ([FILE._replace(path=b"/a"), FILE], "below /a, which is not a directory"),
    "a file below a FIFO": ([Entry(b"/a", FileType.FIFO, 0, 0, 0, 0), FILE], "below /a, which is not a directory"),
    "a root that is a symlink": ([LINK._replace(path=b"/")], "/ as something other than a directory"),
    "a hard link to nothing": ([FOLDER, HARD], "not a regular file before it"),
    "a hard link to what comes later": ([HARD._replace(path=b"/a/a"), FILE], "not a regular file before it"),
    "a hard link to a symlink": (
        [LINK._replace(path=b"/a/b"), HARD._replace(link=b"/a/b")],
        "not a regular file before it",
    ),
    "a hard link to a hard link": (
        [FILE, HARD, HARD._replace(path=b"/a/i", link=b"/a/h")],
        "not a regular file before it",
    ),
    "a hard link out": ([FILE, HARD._replace(link=b"/../etc/passwd")], "hard link with a path that climbs"),
    "a relative hard link": ([FILE, HARD._replace(link=b"etc/passwd")], "hard link with a path that is not absolute"),
    "a hard link to another content": ([FILE, HARD._replace(sha256="b" * 64)], "whose content differs"),
    "a hard link with content": ([FILE, HARD._replace(offset=0)], "content of its own"),
    "a directory that is a hard link": ([FOLDER._replace(link=b"/b")], "hard link, though it is not a regular file"),
    "a copy of nothing": ([FOLDER, COPY], "as a copy of /a/f, which is not a regular file before it"),
    "a copy of what comes later": (
        [COPY._replace(path=b"/a/a"), FILE],
        "as a copy of /a/f, which is not a regular file",
    ),
    "a copy of a placeholder": (
        [OUTLINE, COPY._replace(copy_of=b"/a/e")],
        "a copy of /a/e, which is not a regular file",
    ),
    "a copy of a symlink": (
        [LINK._replace(path=b"/a/b"), COPY._replace(copy_of=b"/a/b")],
        "not a regular file before it",
    ),
    "a copy of a copy": ([FILE, COPY, COPY._replace(path=b"/a/h", copy_of=b"/a/g")], "a copy of /a/g, which is no"),
    "a copy of a hard link": (
        [FILE, HARD, COPY._replace(path=b"/a/i", copy_of=b"/a/h")],
        "a copy of /a/h, which is no",
    ),
    "a copy of itself": ([COPY._replace(copy_of=b"/a/g")], "a copy of /a/g, which is not a regular file before it"),
    "a copy of what is outside": (
        [FILE, COPY._replace(copy_of=b"/../etc/shadow")],
        "as a copy with a path that climbs",
    ),
    "a copy of another size": ([FILE, COPY._replace(size=4)], "as a copy of /a/f, whose content differs"),
    "a copy of another content": (
        [FILE, COPY._replace(sha256="b" * 64)],
        "as a copy of /a/f, whose content differs",
    ),
    "a copy with content": ([FILE, COPY._replace(offset=0)], "content of its own, though it is a copy"),
    "a copy that is a hard link": ([FILE, COPY._replace(link=b"/a/f")], "the marks of a hard link and of a copy"),
    "a copy that is a placeholder": ([FILE, COPY._replace(placeholder=True)], "content, though it is a placeholder"),
    "a directory that is a copy": ([FOLDER._replace(copy_of=b"/b")], "the content of another file, though"),
    "a directory with holes": ([FOLDER._replace(segments=())], "holes, though it is not a regular file"),
    "a placeholder with parts": ([OUTLINE._replace(segments=())], "holes, though it has no content of its own"),
    "a copy with parts": ([FILE, COPY._replace(segments=())], "holes, though it has no content of its own"),
    "a hard link with parts": ([FILE, HARD._replace(segments=())], "holes, though it has no content of its own"),
    "parts that overlap": (
        [FILE._replace(size=9, segments=((0, 3), (2, 3)))],
        "parts that overlap, touch or are empty",
    ),
    "parts that touch": ([FILE._replace(size=9, segments=((0, 3), (3, 3)))], "parts that overlap, touch or are empty"),
    "a part that is empty": ([FILE._replace(segments=((0, 0),))], "parts that overlap, touch or are empty"),
    "a part that begins before the file": ([FILE._replace(segments=((-1, 1),))], "parts that overlap"),
    "parts out of order": ([FILE._replace(size=9, segments=((5, 1), (0, 1)))], "parts that overlap"),
    "a part beyond the end": ([FILE._replace(segments=((1, 3),))], "parts beyond its end"),
    "parts without holes": ([FILE._replace(segments=((0, 3),))], "parts, but no holes between them"),
    "a file of holes only for hashing": (
        [FILE._replace(size=1 << 41, segments=())],
        "and others with more than 1099511627776 bytes of holes",
    ),
    "an attribute of the file system's own": ([FILE._replace(xattrs=((b"trusted.overlay.opaque", b"y"),))], REFUSED),
    "a security module's label": (
        [FILE._replace(xattrs=((b"security.selinux", b"x"),))],
        "'security.selinux', which no",
    ),
    "a folder with a capability": ([FOLDER._replace(xattrs=((b"security.capability", b"x"),))], REFUSED),
    "a file with a default list": ([FILE._replace(xattrs=((b"system.posix_acl_default", b"x"),))], REFUSED),
    "a symlink with an attribute": ([LINK._replace(xattrs=((b"user.a", b"x"),))], REFUSED),
    "an attribute without a name": ([FILE._replace(xattrs=((b"user.", b"x"),))], REFUSED),
    "an attribute with a NUL": ([FILE._replace(xattrs=((b"user.a\0b", b"x"),))], REFUSED),
    "an attribute with a long name": ([FILE._replace(xattrs=((b"user." + b"a" * 251, b"x"),))], REFUSED),
    "an attribute twice": (
        [FILE._replace(xattrs=((b"user.a", b"x"),) * 2)],
        "extended attributes twice or out of order",
    ),
    "an attribute that is huge": ([FILE._replace(xattrs=((b"user.a", bytes(1 << 17)),))], "attribute of 131072 bytes"),
    "a hard link with an attribute": (
        [FILE, HARD._replace(xattrs=((b"user.a", b"x"),))],
        "extended attributes, though it is a hard link",
    ),
    "a mode with a file type in it": ([FILE._replace(mode=0o120777)], "the mode 0o120777"),
    "a negative mode": ([FILE._replace(mode=-1)], "the mode"),
    "a negative size": ([FILE._replace(size=-1)], "a size of -1 bytes"),
    "a size beyond any file": ([FILE._replace(size=1 << 63)], "a size of"),
    "a directory with a size": ([FOLDER._replace(size=1)], "a size, though"),
    "a directory with content": ([FOLDER._replace(offset=1)], "content, though"),
    "a negative owner": ([FILE._replace(uid=-1)], "the owner"),
    "the owner that chown takes for no change": ([FILE._replace(gid=(1 << 32) - 1)], "the owner"),
    "a time beyond 64 bits": ([FILE._replace(mtime_ns=1 << 63)], "a time"),
    "a symlink to nothing": ([LINK._replace(target=None)], "a symlink to nothing"),
    "a symlink to the empty path": ([LINK._replace(target=b"")], "a symlink to nothing"),
    "a symlink with a NUL": ([LINK._replace(target=b"a\0b")], "NUL byte in a symlink's target"),
    "a symlink that is very long": ([LINK._replace(target=b"a" * 4096)], "target longer than 4095"),
    "a file with a target": ([FILE._replace(target=b"a")], "target, though it is not a symlink"),
    "a directory with a target": ([FOLDER._replace(target=b"a")], "target, though it is not a symlink"),
    "a file without digest": ([FILE._replace(sha256=None)], "no proper SHA-256"),
    "a digest that is none": ([FILE._replace(sha256="A" * 64)], "no proper SHA-256"),
    "a file without a place": ([FILE._replace(offset=None)], "content at no place"),
    "a negative offset": ([FILE._replace(offset=-1)], "content at no place"),
    "a placeholder with content": ([FILE._replace(placeholder=True)], "though it is a placeholder"),
    "a folder as placeholder": ([FOLDER._replace(placeholder=True)], "mark of a placeholder"),
}


@pytest.mark.parametrize("name", sorted(TRICKS))
def test_tricks_are_refused(name: str) -> None:
    """The trick is refused, in words of its own."""
    entries, sentence = TRICKS[name]
    with pytest.raises(HostileBundleError, match=sentence):
        validate_entries(entries)


def test_harmless_entries_pass() -> None:
    """What a writer writes is accepted: symlinks may point anywhere, hard links follow what they link to."""
    after = FOLDER._replace(path=b"/b")
    linked_copy = HARD._replace(path=b"/a/i", link=b"/a/g")
    validate_entries([ROOT, FOLDER, FILE, COPY, HARD, linked_copy, LINK, after, FILE._replace(path=b"/b/..b")])


def test_a_neighbour_of_a_file_is_not_below_it() -> None:
    """Names that begin like a file's are no trick."""
    validate_entries([FILE._replace(path=b"/a"), FILE._replace(path=b"/a-b"), FILE._replace(path=b"/ab")])


@settings(deadline=None)
@given(st.lists(st.sampled_from([b"", b".", b"..", b"a", b".a", b"..a", b"a\0", b"b" * 255, b"b" * 256]), max_size=6))
def test_path_problem_agrees_with_its_definition(parts: list[bytes]) -> None:
    """A path is proper when it is / or every part of it is a name that a file can have."""
    path = b"/" + b"/".join(parts)
    names_are_proper = all(
        part not in {b"", b".", b".."} and b"\0" not in part and len(part) <= 255 for part in path[1:].split(b"/")
    )
    assert (path_problem(path) is None) == (path == b"/" or names_are_proper)


RESULT = Result("run1", b"/out", FileType.REGULAR, 0o644, 3, "a" * 64)


@pytest.mark.parametrize(
    "results, sentence",
    [
        ([replace(RESULT, run="run9")], "does not know"),
        ([replace(RESULT, path=b"out")], "not absolute"),
        ([RESULT, RESULT], "twice or out of order"),
        ([replace(RESULT, run="run2"), RESULT], "twice or out of order"),
        ([replace(RESULT, mode=0o10000)], "the mode"),
        ([replace(RESULT, size=-1)], "a size"),
        ([replace(RESULT, sha256="x")], "improper SHA-256"),
        ([replace(RESULT, target=b"x")], "not a symlink"),
        ([replace(RESULT, type=FileType.SYMLINK, sha256=None)], "a symlink to nothing"),
    ],
)
def test_results_are_checked(results: list[Result], sentence: str) -> None:
    """A result is for a known run and a proper path, in order, with attributes that such a file can have."""
    with pytest.raises(HostileBundleError, match=sentence):
        validate_results(results, ["run1", "run2"])


def test_proper_results_pass() -> None:
    """Runs in the manifest's order, paths sorted within each; what is gone has no type."""
    validate_results([RESULT, Result("run1", b"/p", None), replace(RESULT, run="run2")], ["run1", "run2"])
