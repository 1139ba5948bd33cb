"""What a person edited survives when a run is added."""

from dataclasses import replace

from bundle_samples import RUN
from rtrace.manifest.merging.edits import keep_edits
from rtrace.manifest.model import Manifest, NamedFile, Package

SECOND = replace(RUN, id="run2", argv=(b"./second.sh",))
LIBC = Package("libc6", "2.36-9", "amd64", "dpkg", 3, 5)


def test_edits_are_kept() -> None:
    """An edited argv, patterns, packages left out, names given or taken away are as they were; new ones are added."""
    edited = Manifest(
        "0.1.0",
        (replace(RUN, argv=(b"./run.sh", b"--edited")),),
        inputs=(NamedFile("mine", b"/data/a", ("run1",)), NamedFile("c", b"/data/z", ("run1",))),
        packages=(replace(LIBC, pack=False),),
        exclude=(b"/data/cache",),
        include=(b"/data/more/**",),
    )
    draft = Manifest(
        "0.1.0",
        (RUN, SECOND),
        inputs=(
            NamedFile("a", b"/data/a", ("run1", "run2")),
            NamedFile("b", b"/data/b", ("run1",)),
            NamedFile("c", b"/data/c", ("run2",)),
        ),
        outputs=(NamedFile("out", b"/data/out", ("run2",)),),
        packages=(LIBC, replace(LIBC, name="bash")),
    )
    kept = keep_edits(draft, edited)
    assert kept.runs == (*edited.runs, SECOND)
    assert kept.inputs == (
        NamedFile("mine", b"/data/a", ("run1", "run2")),
        NamedFile("c", b"/data/z", ("run1",)),
        NamedFile("c_2", b"/data/c", ("run2",)),
    )
    assert kept.outputs == draft.outputs
    assert [package.pack for package in kept.packages] == [False, True]
    assert (kept.exclude, kept.include) == (edited.exclude, edited.include)
