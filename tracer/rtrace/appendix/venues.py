"""What each venue wants: the parts of its own template, in its order and under its headings.

The templates: that of ACM's artefact evaluation (also of cTuning), of USENIX Security and OSDI since 2023, of EuroSys,
of PETS (Markdown) and of the journal Programming, which wants a file, its SHA-256 and a start within half an hour.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rtrace.appendix import parts
from rtrace.appendix.blocks import Code, Commands, Heading, Items, Todo, say
from rtrace.appendix.facts import format_seconds
from rtrace.printable import count, format_size, shell_word

if TYPE_CHECKING:
    from rtrace.appendix.blocks import Block
    from rtrace.appendix.facts import Facts

_ISOLATED = "A replay has no network and sees no file of its machine. "
_FEARS = Todo("say what else there is to fear, or none")


@dataclass(frozen=True, slots=True)
class Venue:
    """A venue: its template, and whether that is LaTeX or Markdown. ``name`` is for people."""

    name: str
    write: Callable[[Facts], Iterator[Block]]
    latex: bool

    @property
    def file(self) -> str:
        """The usual name of the file."""
        return "artifact-appendix.tex" if self.latex else "ARTIFACT-APPENDIX.md"


def write_acm(facts: Facts) -> Iterator[Block]:
    """Yield an appendix for ACM."""
    yield Heading(1, "Artifact Appendix")
    yield Heading(2, "Abstract")
    yield parts.tell_abstract(facts)
    yield Heading(2, "Artifact check-list (meta-information)")
    yield Items(
        (
            ("Program: ", "; ".join(run.command for run in facts.runs)),
            ("Compilation: ", "; ".join(facts.compilers) or "none that was recorded"),
            ("Data set: ", "; ".join(facts.inputs) or "none with a name"),
            ("Run-time environment: ", "; ".join(facts.system)),
            ("Hardware: ", "; ".join(facts.hardware) or "not recorded"),
            ("Execution: ", "in isolation, without a network"),
            ("Output: ", ", ".join(name for run in facts.runs for name in run.outputs) or "what the runs leave"),
            ("Experiments: ", count(len(facts.runs), "run")),
            ("How much disk space required (approximately)?: ", format_size(facts.disk)),
            ("How much time is needed to prepare workflow (approximately)?: ", "5 minutes"),
            ("How much time is needed to complete experiments (approximately)?: ", format_seconds(facts.seconds)),
            ("Publicly available?: ", Todo("yes, and where")),
            ("Code licenses (if publicly available)?: ", Todo("the licence of the code")),
            ("Data licenses (if publicly available)?: ", Todo("the licence of the data")),
            ("Archived (provide DOI)?: ", Todo("the DOI")),
        )
    )
    yield Heading(2, "Description")
    yield from _describe(facts, 3, benchmarks="Data sets")
    yield Heading(2, "Installation")
    yield from parts.tell_installation(facts)
    yield Heading(2, "Experiment workflow")
    yield from parts.tell_workflow(facts)
    yield parts.tell_runs(facts)
    yield Heading(2, "Evaluation and expected results")
    yield from parts.tell_claims(facts)
    yield from parts.tell_experiments(facts, 3)
    yield Heading(2, "Experiment customization")
    yield from parts.tell_customisation(facts)
    yield Heading(2, "Notes")
    yield parts.tell_limits(facts)


def _tell_dangers() -> Block:
    """Return what a reviewer need not fear of a replay."""
    return say(
        "A replay has no network and sees no file of its machine. ", Todo("say what else there is to fear, or none")
    )


def _describe(facts: Facts, level: int, *, benchmarks: str) -> Iterator[Block]:
    yield Heading(level, "How to access")
    yield from parts.tell_access(facts)
    yield Heading(level, "Hardware dependencies")
    yield parts.tell_hardware(facts)
    yield parts.tell_needs(facts)
    yield Heading(level, "Software dependencies")
    yield from parts.tell_software(facts)
    yield Heading(level, benchmarks)
    yield parts.tell_data(facts)


def write_usenix(facts: Facts) -> Iterator[Block]:
    """Yield an appendix for USENIX Security and OSDI."""
    yield from _write_systems(facts, ethics=True)
    yield Heading(2, "Version")
    yield say(Todo("keep the sentence of the venue's template on its version here"))


def write_eurosys(facts: Facts) -> Iterator[Block]:
    """Yield an appendix for EuroSys."""
    yield from _write_systems(facts, ethics=False)


def _write_systems(facts: Facts, *, ethics: bool) -> Iterator[Block]:
    yield Heading(1, "Artifact Appendix")
    yield Heading(2, "Abstract")
    yield parts.tell_abstract(facts)
    yield Heading(2, "Description & Requirements")
    if ethics:
        yield Heading(3, "Security, privacy, and ethical concerns")
        yield _tell_dangers()
    yield from _describe(facts, 3, benchmarks="Benchmarks")
    yield Heading(2, "Set-up")
    yield Heading(3, "Installation")
    yield from parts.tell_installation(facts)
    yield Heading(3, "Basic test")
    yield from parts.tell_workflow(facts)
    yield Heading(2, "Evaluation workflow")
    yield Heading(3, "Major claims")
    yield from parts.tell_claims(facts)
    yield Heading(3, "Experiments")
    yield parts.tell_runs(facts)
    yield from parts.tell_experiments(facts, 4)
    yield Heading(2, "Notes on Reusability")
    yield from parts.tell_customisation(facts)
    yield parts.tell_limits(facts)


def write_pets(facts: Facts) -> Iterator[Block]:
    """Yield an appendix for PETS."""
    yield Heading(1, "Artifact Appendix")
    yield say("Paper title: ", Todo("the title"))
    yield say("Requested badges: ", Todo("Available, Functional, Reproduced"))
    yield Heading(2, "Description")
    yield parts.tell_abstract(facts)
    yield Heading(3, "Security/Privacy Issues and Ethical Concerns")
    yield _tell_dangers()
    yield Heading(2, "Basic Requirements")
    yield Heading(3, "Hardware Requirements")
    yield parts.tell_hardware(facts)
    yield Heading(3, "Software Requirements")
    yield from parts.tell_software(facts)
    yield say("Models: ", Todo("name them, or none"))
    yield say("Data sets:")
    yield parts.tell_data(facts)
    yield Heading(3, "Estimated Time and Storage Consumption")
    yield parts.tell_needs(facts)
    yield Heading(2, "Environment")
    yield Heading(3, "Accessibility")
    yield from parts.tell_access(facts)
    yield Heading(3, "Set up the environment")
    yield from parts.tell_installation(facts)
    yield Heading(3, "Testing the Environment")
    yield from parts.tell_workflow(facts)
    yield Heading(2, "Artifact Evaluation")
    yield Heading(3, "Main Results and Claims")
    yield from parts.tell_claims(facts)
    yield Heading(3, "Experiments")
    yield parts.tell_runs(facts)
    yield from parts.tell_experiments(facts, 4)
    yield Heading(2, "Limitations")
    yield parts.tell_limits(facts)
    yield Heading(2, "Notes on Reusability")
    yield from parts.tell_customisation(facts)


def write_programming(facts: Facts) -> Iterator[Block]:
    """Yield a guide for the journal Programming."""
    yield Heading(1, "Artefact")
    yield parts.tell_abstract(facts)
    yield from parts.tell_access(facts)
    yield Heading(2, "Getting Started (30 minutes or less)")
    yield from parts.tell_installation(facts)
    if facts.runs:
        quickest = min(facts.runs, key=lambda run: run.seconds or 0.0)
        yield say(f"The quickest run takes {format_seconds(quickest.seconds or 0.0)}: ", Code(quickest.command))
        yield Commands((f"rtrace verify {parts.quote(facts)} {shell_word(quickest.name)}",))
    yield Heading(2, "Requirements")
    yield parts.tell_hardware(facts)
    yield parts.tell_needs(facts)
    yield from parts.tell_software(facts)
    yield parts.tell_data(facts)
    yield Heading(2, "Claims")
    yield from parts.tell_claims(facts)
    yield Heading(2, "Step by Step")
    yield from parts.tell_workflow(facts)
    yield parts.tell_runs(facts)
    yield from parts.tell_experiments(facts, 3)
    yield Heading(2, "Reuse")
    yield from parts.tell_customisation(facts)
    yield Heading(2, "Limits")
    yield parts.tell_limits(facts)


def write_readme(facts: Facts) -> Iterator[Block]:
    """Yield a section for the README of a repository or an archive."""
    yield Heading(2, "Reproduce the results")
    yield say(
        "The bundle ", Code(facts.bundle), f" ({format_size(facts.size)}, SHA-256 ", Code(facts.sha256),
        ") holds everything that the runs used. ", Todo("say where it can be fetched"),
    )  # fmt: skip
    yield from parts.tell_installation(facts)
    yield from parts.tell_workflow(facts)
    yield parts.tell_runs(facts)
    yield parts.tell_needs(facts)
    yield Heading(3, "Recorded with")
    yield parts.tell_hardware(facts)
    yield from parts.tell_software(facts)
    yield Heading(3, "Claims")
    yield from parts.tell_claims(facts)
    yield from parts.tell_experiments(facts, 4)


VENUES = {
    "acm": Venue("ACM", write_acm, latex=True),
    "usenix": Venue("USENIX", write_usenix, latex=True),
    "eurosys": Venue("EuroSys", write_eurosys, latex=True),
    "pets": Venue("PETS", write_pets, latex=False),
    "programming": Venue("the journal Programming", write_programming, latex=False),
}
