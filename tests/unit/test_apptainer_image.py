"""What an image for Apptainer is made of: definitions of hostile bundles, and which of a bundle's files it has."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundle_making import make_run
from rtrace.bundle.entry import Entry, FileType
from rtrace.errors import TargetError
from rtrace_unpackers.apptainer.definition import render_definition
from rtrace_unpackers.apptainer.own_places import choose_entries

IDENTITY = "ab" * 32


def link(path: bytes, target: bytes) -> Entry:
    """Return a symbolic link of a bundle."""
    return Entry(path, FileType.SYMLINK, 0o777, 0, 0, 0, target=target)


def regular(path: bytes) -> Entry:
    """Return an empty file of a bundle."""
    return Entry(path, FileType.REGULAR, 0o644, 0, 0, 0, 0)


@given(
    st.lists(st.binary(max_size=300), max_size=3),
    st.text(max_size=300),
    st.text(max_size=50),
)
def test_a_definition_says_nothing_but_ours(argv: list[bytes], name: str, architecture: str) -> None:
    """Whatever a bundle says, there are four sections and as many lines as ever, and labels of plain characters."""
    run = replace(make_run(), argv=tuple(argv), id=name, architecture=architecture)
    usual, found = (render_definition((one,), IDENTITY).decode("ascii").splitlines() for one in (make_run(), run))
    labels = [number for number, line in enumerate(usual) if line.startswith("    rtrace.")]
    assert [line for number, line in enumerate(found) if number not in labels] == [
        line for number, line in enumerate(usual) if number not in labels
    ]
    for number in labels:
        assert re.fullmatch(r"    rtrace\.[a-z]+ [A-Za-z0-9 ,./:=+@_-]{1,203}", found[number])


def test_a_digest_that_is_none_is_refused() -> None:
    """It stands in a comment and in a label."""
    with pytest.raises(TargetError, match="is not a digest"):
        render_definition((make_run(),), "ab\n%post\n")


@pytest.mark.parametrize("path, target", [
    (b"/etc", b"/home/me"), (b"/var", b".."), (b"/var/tmp", b"../../there"), (b"/home", b"x/../../.."),
    (b"/tmp", b"/tmp"), (b"/root", b"root"), (b"/var/tmp", b"/"),
])  # fmt: skip
def test_a_folder_that_leads_out_is_refused(path: bytes, target: bytes) -> None:
    """Apptainer would make files on the machine."""
    with pytest.raises(TargetError, match="symbolic link of the bundle"):
        choose_entries((link(path, target),))


def test_a_folder_on_the_way_that_leads_out_is_refused() -> None:
    """Through other links, too."""
    with pytest.raises(TargetError, match="/etc is, or is reached by"):
        choose_entries((link(b"/etc", b"one/two"), link(b"/one", b"./three"), link(b"/three/two", b"/home/me")))


def test_folders_that_stay_within_are_kept() -> None:
    """As some systems have them."""
    entries = (link(b"/etc", b"private/etc"), link(b"/home", b"usr/../usr/home"), link(b"/var/tmp", b"../tmp"))
    assert choose_entries(entries) == entries


def test_what_is_apptainers_own_is_left_out() -> None:
    """As of a run that was recorded in one of its containers; a file of the same name elsewhere is kept."""
    kept = (regular(b"/work/.singularity.d"), regular(b"/etc/hosts"), regular(b"/environments"))
    own = (
        link(b"/environment", b".singularity.d/env/90-environment.sh"),
        link(b"/.run", b".singularity.d/actions/run"),
        regular(b"/.singularity.d/env/90-environment.sh"),
        link(b"/etc/resolv.conf", b"/run/resolv.conf"),
    )
    assert choose_entries((*own, *kept)) == kept


@pytest.mark.parametrize("entry", [
    regular(b"/environment/file"),
    regular(b"/work/file")._replace(link=b"/.singularity.d/x"),
    regular(b"/work/file")._replace(copy_of=b"/.singularity.d/x"),
])  # fmt: skip
def test_what_cannot_be_without_it_is_refused(entry: Entry) -> None:
    """A folder in the place of a link, and another name of a file that is left out."""
    with pytest.raises(TargetError, match="use the chroot or docker unpacker"):
        choose_entries((regular(b"/.singularity.d/x"), entry))
