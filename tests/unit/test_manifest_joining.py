"""`rtrace combine` takes over what persons edited in the manifests of the traces, and says what has no place."""

from __future__ import annotations

from dataclasses import replace

from bundle_samples import RUN
from rtrace.manifest.merging.edited import Edited
from rtrace.manifest.merging.joining import join_edits
from rtrace.manifest.model import Completion, Elsewhere, Manifest, NamedFile, Notice, Package, Secret, SecretPack

LIBC = Package("libc6", "2.36-9", "amd64", "dpkg", 3, 5_000)
NUMPY = Completion("python", "numpy 2.0", 3, 5_000)
RAW, STEP, OUT = (NamedFile(name, b"/data/" + name.encode(), ("run1",)) for name in ("raw", "step", "out"))
FIRST = Manifest("0.1.0", (RUN,), inputs=(RAW,), outputs=(STEP,), packages=(LIBC,), completion=(NUMPY,))
SECOND = replace(FIRST, inputs=(STEP,), outputs=(OUT,))
TWO = replace(RUN, id="run2")
BOTH = replace(FIRST, runs=(RUN, TWO), outputs=(STEP, replace(OUT, runs=("run2",))))


def join(first: Manifest, second: Manifest, both: Manifest = BOTH) -> tuple[Manifest, tuple[str, ...]]:
    """Join what was made of the drafts of two steps."""
    return join_edits(
        both, [Edited("A", FIRST, first, {"run1": "run1"}), Edited("B", SECOND, second, {"run1": "run2"})]
    )


def test_without_edits_the_draft_stays() -> None:
    """What no person changed is as it was drafted for all runs together."""
    assert join(FIRST, SECOND) == (BOTH, ())


def test_edits_are_taken_over() -> None:
    """Each of them is in the manifest of all, with the new ids of the runs."""
    argv = (b"./run.sh", b"--fast")
    first = replace(
        FIRST,
        inputs=(replace(RAW, name="measurements"),),
        packages=(replace(LIBC, pack=False),),
        exclude=(b"*.tmp",),
        secrets=(Secret("variable A", None, "", SecretPack.AS_IT_IS),),
        notices=(Notice("mine", "it is slow", "wait"),),
    )
    second = replace(
        SECOND,
        runs=(replace(RUN, argv=argv),),
        outputs=(replace(OUT, name="figure", pattern=b"/data/o*"), NamedFile("log", b"/data/log", ("run1",))),
        completion=(replace(NUMPY, pack=False),),
        exclude=(b"*.tmp", b"/data/cache"),
        include=(b"/data/notes",),
        elsewhere=(Elsewhere(b"/data/raw", url="https://example.org/raw"),),
    )
    assert join(first, second) == (
        replace(
            BOTH,
            runs=(RUN, replace(TWO, argv=argv)),
            inputs=(replace(RAW, name="measurements"),),
            outputs=(
                STEP,
                NamedFile("figure", b"/data/out", ("run2",), b"/data/o*"),
                NamedFile("log", b"/data/log", ("run2",)),
            ),
            packages=(replace(LIBC, pack=False),),
            completion=(replace(NUMPY, pack=False),),
            exclude=(b"*.tmp", b"/data/cache"),
            include=(b"/data/notes",),
            secrets=first.secrets,
            elsewhere=second.elsewhere,
            notices=first.notices,
        ),
        (),
    )


def test_what_was_taken_out_stays_out() -> None:
    """A run or a name that a person does not want does not come back."""
    joined, problems = join(replace(FIRST, inputs=()), replace(SECOND, runs=(), inputs=(), outputs=()))
    assert joined == replace(BOTH, runs=(RUN,), inputs=(), outputs=(STEP,))
    assert problems == ()


def test_contradictions_are_told() -> None:
    """Two words on one thing: the stricter or the first counts, and a sentence says so."""
    zlib = replace(LIBC, name="zlib1g")
    first = replace(
        FIRST,
        inputs=(replace(RAW, name="x"),),
        packages=(LIBC, replace(zlib, pack=False)),
        secrets=(Secret("variable A", None, "", SecretPack.AS_IT_IS),),
        elsewhere=(Elsewhere(b"/data/raw", url="https://example.org/raw"),),
    )
    second = replace(
        SECOND,
        runs=(RUN, replace(RUN, id="mine")),
        inputs=(replace(STEP, name="between"), NamedFile("x", b"/data/more", ()), replace(RAW, name="other")),
        secrets=(Secret("variable A", None, "", SecretPack.REDACTED),),
        elsewhere=(Elsewhere(b"/data/raw", url="https://example.org/other"),),
    )
    joined, problems = join(first, second)
    assert [(file.name, file.path) for file in joined.inputs] == [("x", b"/data/raw"), ("x_2", b"/data/more")]
    assert joined.secrets == second.secrets
    assert joined.elsewhere == first.elsewhere
    assert joined.packages == (LIBC,)
    assert set(problems) == {
        "the run mine of B was written by hand; add it to the new manifest",
        "B names /data/step between among its inputs; what one run makes for another is not one of all runs together",
        "B names /data/raw other, and A names it x, which counts",
        "B names /data/more x, as /data/raw is called already; it is x_2 now",
        "A has `pack: false` for zlib1g, which the runs together do not need in this version; look at the new manifest",
        "B has `pack: redacted` for the secret variable A, and A `true`; `redacted` counts",
        "B has something else for /data/raw under `elsewhere` than A, which counts",
    }


def test_two_words_on_a_completion() -> None:
    """Where what is large is wanted by one and not by the other, the one who leaves it out is heard."""
    large = replace(NUMPY, pack=False)
    draft = replace(FIRST, completion=(large,))
    edited = [
        Edited("A", draft, replace(draft, completion=(NUMPY,)), {"run1": "run1"}),
        Edited("B", replace(draft, completion=(NUMPY,)), draft, {"run1": "run2"}),
    ]
    joined, problems = join_edits(replace(BOTH, completion=(large,)), edited)
    assert joined.completion == (large,)
    assert problems == ("B has `pack: false` for numpy 2.0, and A the contrary; it is left out",)
