"""Claims of a manifest: what is refused of them, what they become in other manifests, and how they are judged."""

from dataclasses import replace

import pytest

from bundle_samples import MANIFEST, RUN
from rtrace.errors import ManifestError
from rtrace.manifest.merging.claims import keep_claims
from rtrace.manifest.merging.edited import Edited
from rtrace.manifest.merging.edits import keep_edits
from rtrace.manifest.merging.joining import join_edits
from rtrace.manifest.model import Claim, Manifest, NamedFile
from rtrace.manifest.reading.load import load
from rtrace.manifest.render import render
from rtrace.verify.claiming.claims import Claims
from rtrace.verify.verdicts import Line, Report

OUT = NamedFile("out", b"/data/out", (RUN.id,))
PLOTS = NamedFile("plots", b"/data/plots/", (RUN.id,))
TWO = replace(RUN, id="run2", started=1700000100.0)
GOOD = Manifest("x", (RUN, TWO), outputs=(OUT, PLOTS), claims=(Claim("It works.", RUN.id, ("out", "stderr"), 0.5),))
TEXT = render(GOOD)
STATUS = Line("same", RUN.id, None)


@pytest.mark.parametrize(
    "old, new, problem",
    [
        ('claim: "It works."', 'claim: " "', "line .*: a claim is a sentence"),
        ('claim: "It works."', "clam: x", "a claim has no key 'clam'; did you mean claim"),
        ("    run: run1\n    outputs: [out, stderr]", "    outputs: [out]", "a claim lacks the key 'run'"),
        ("run: run1\n    out", "run: run7\n    out", "names the run 'run7', which is not among the runs; did you mean"),
        (
            "run: run1\n    out",
            "run: run2\n    out",
            "'out' of this claim is not of its run 'run2', but of run1",
        ),
        ("[out, stderr]", "[aut]", "line .*, column .*: .*'aut', which is not there; did you mean out"),
        ("[out, stderr]", "[qqq]", "'qqq', which is not there; there are out, plots, stdout, stderr"),
        ("[out, stderr]", "[out, out]", "names the output 'out' twice"),
        ("tolerance: 0.5", "tolerance: 2", "a tolerance is a number from 0 to 1"),
        ("tolerance: 0.5", "tolerance: -1e-6", "a tolerance is a number from 0 to 1"),
        ("tolerance: 0.5", "tolerance: 5%", "a number is expected here"),
    ],
)
def test_a_mistake_in_a_claim_is_told(old: str, new: str, problem: str) -> None:
    """With its line and what would be right."""
    assert old in TEXT
    with pytest.raises(ManifestError, match=problem):
        load(TEXT.replace(old, new))


def test_too_many_claims_are_refused() -> None:
    """A bundle may come from anybody."""
    with pytest.raises(ManifestError, match="takes 256 claims, not 257"):
        load(render(replace(GOOD, claims=GOOD.claims * 257)))


def test_claims_stay_when_a_run_is_added() -> None:
    """Runs have the names that a person gave them."""
    edited = replace(GOOD, runs=(replace(RUN, id="fit"),), outputs=(replace(OUT, runs=("fit",)),))
    edited = replace(edited, claims=(Claim("It works.", "fit", ("out",)),))
    kept = keep_edits(replace(GOOD, claims=()), edited)
    assert kept.claims == edited.claims
    assert load(render(kept)) == kept


def test_claims_of_several_manifests_are_joined() -> None:
    """On runs and outputs as they are called together; one whose result is gone is told."""
    one = replace(GOOD, runs=(RUN,), outputs=(OUT,), claims=(Claim("A.", "run1", ("out",)), Claim("B.", "run1")))
    claims = (*one.claims, Claim("C.", "run1", ("stdout",)))
    other = replace(one, outputs=(replace(OUT, path=b"/other"),), claims=claims)
    drafted = [replace(source, claims=()) for source in (one, other)]
    together = replace(GOOD, claims=(), outputs=(OUT, NamedFile("out_2", b"/other", ("run2",))))
    sources = [Edited("A", drafted[0], one, {"run1": "run1"}), Edited("B", drafted[1], other, {"run1": "run2"})]
    joined, problems = join_edits(together, sources)
    assert joined.claims == (
        Claim("A.", "run1", ("out",)),
        Claim("B.", "run1"),
        Claim("A.", "run2", ("out_2",)),
        Claim("B.", "run2"),
        Claim("C.", "run2", ("stdout",)),
    )
    assert problems == ()
    assert load(render(joined)) == joined
    without, problems = join_edits(replace(together, outputs=(OUT,)), sources)
    assert Claim("A.", "run2", ("out_2",)) not in without.claims
    assert any("a claim of B is on a result that is not one of all runs together ('A.')" in one for one in problems)


def test_a_claim_does_not_outlive_its_outputs() -> None:
    """Of an output that may not be packed there is no claim; what else shows it stays."""
    less = keep_claims(replace(GOOD, outputs=(), claims=(*GOOD.claims, Claim("Z.", "run1", ("plots",)))))
    assert less.claims == (Claim("It works.", RUN.id, ("stderr",), 0.5),)
    assert load(render(less)) == less


def judge(claim: Claim, *lines: Line, limited: bool = False) -> tuple[str, str]:
    """Return what becomes of a claim, and why."""
    (row,) = Claims(replace(GOOD, claims=(claim,))).judge(lines, ["run1"], limited=limited)
    return row.verdict, row.detail


def test_a_claim_is_as_good_as_its_worst_result() -> None:
    """The exit status counts, other outputs and other runs do not."""
    claim = Claim("It works.", "run1", ("out", "plots", "stdout"))
    printed = Line("equal", "run1", None, stream="stdout")
    out, plot = Line("same", "run1", b"/data/out"), Line("close", "run1", b"/data/plots/a/b.png")
    beside = [Line("different", "run1", b"/data/plotsy"), Line("different", "run2", b"/data/out")]
    assert judge(claim, STATUS, printed, out, plot, *beside) == ("close", "4 results")
    worse = replace(plot, verdict="different", detail="one pixel")
    assert judge(claim, STATUS, printed, out, plot, worse) == ("different", "different, /data/plots/a/b.png: one pixel")
    extra = replace(worse, verdict="extra")
    assert judge(claim, STATUS, printed, out, extra, worse)[1].endswith("(and 1 more result)")
    failed = replace(STATUS, verdict="different", detail="1, was 0")
    assert judge(claim, failed, printed, out, plot) == ("different", "different, exit status of run1: 1, was 0")
    assert judge(claim, failed, printed, out, plot, limited=True)[0] == "unknown"
    assert judge(claim, STATUS, printed, out, replace(plot, verdict="unknown"))[0] == "unknown"


def test_what_is_not_compared_shows_nothing() -> None:
    """No claim is reproduced by results that are not there, or that somebody left out."""
    claim = Claim("It works.", "run1", ("out",))
    assert judge(claim, STATUS) == ("unknown", "out was not compared")
    ignored = Line("same", "run1", b"/data/out", scope="ignored")
    assert judge(claim, STATUS, ignored) == ("unknown", "out is left out of the verdict")
    assert judge(replace(claim, outputs=())) == ("unknown", "nothing was compared that shows it")
    everything = judge(replace(claim, outputs=()), STATUS, ignored, Line("different", "run1", b"/x", scope="other"))
    assert everything == ("same", "1 result")
    assert list(Claims(GOOD).judge([STATUS], ["run2"], limited=False)) == []


def test_a_stricter_claim_is_a_difference() -> None:
    """What is close within another claim's tolerance is different within its own, and then for the verdict as well."""
    line = Line("close", "run1", b"/data/out", stricter=((0.5, Line("close", "run1", b"/data/out")),))
    line = replace(line, stricter=(*line.stricter, (None, Line("different", "run1", b"/data/out", "cell 3"))))
    lax, strict = Claim("About.", "run1", ("out",), 0.5), Claim("Exactly.", "run1", ("out",))
    assert judge(lax, STATUS, line) == ("close", "2 results")
    assert judge(strict, STATUS, line) == ("different", "different, /data/out: cell 3")
    both = Claims(replace(GOOD, claims=(lax, strict)))
    assert both.find_tolerances(line) == {0.5}
    report = Report((STATUS, line), claims=tuple(both.judge([STATUS, line], ["run1"], limited=False)))
    assert (report.verdict, report.exit_status) == ("different", 1)
    assert report.summary == "1 of 2 claims reproduced"
    report = replace(report, claims=report.claims[:1])
    assert report.verdict == "close"
    assert report.summary == "all 2 results are alike (1 same, 1 close); the claim is reproduced"


def test_the_words_of_a_claim_are_no_commands_for_a_terminal() -> None:
    """Whatever an author wrote there."""
    (row,) = Claims(replace(MANIFEST, claims=(Claim("a\x1b[31m\n", "run1"),))).judge([STATUS], ["run1"], limited=False)
    assert row.text.isprintable()
