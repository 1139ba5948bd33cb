"""The parts of an appendix that every venue asks for in its own order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rtrace import __version__
from rtrace.appendix.blocks import Code, Commands, Heading, Items, Paragraph, Strong, Todo, say
from rtrace.appendix.facts import UNKNOWN, format_seconds
from rtrace.printable import count, format_size, printable_text, shell_word

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rtrace.appendix.blocks import Block, Spans
    from rtrace.appendix.facts import Facts, RunFacts
    from rtrace.manifest.model import Claim

MOST_PACKAGES = 300
"""Packages that are named; a longer list is of no use to a reader, who has `rtrace info`."""
_SYSTEM = frozenset({"dpkg", "rpm", "pacman", "apk"})
_KICK = 5
"""Minutes in which a person checks a bundle and begins a replay."""


def tell_hardware(facts: Facts) -> Block:
    """Return where it ran, and what a reviewer needs."""
    ran = Items(tuple(("The runs were recorded on ", one, ".") for one in facts.hardware))
    if facts.hardware:
        return ran
    return say("The machine was not recorded. ", Todo("say what processor, memory and devices it needs"))


def tell_needs(facts: Facts) -> Block:
    """Return memory, disk and time."""
    memory = UNKNOWN if facts.memory is None else format_size(facts.memory)
    return Items(
        (
            ("Time of all runs together: ", format_seconds(facts.seconds), "."),
            ("Memory of the largest process: ", memory, "."),
            (
                f"Disk: {format_size(facts.size)} for the bundle, {format_size(facts.unpacked)} for what is unpacked, ",
                f"{format_size(facts.disk - facts.size - facts.unpacked)} for what the runs write.",
            ),
        )
    )


def tell_software(facts: Facts) -> Iterator[Block]:
    """Yield system, compilers and packages, in the versions that were used."""
    yield say(
        "A replay needs Linux 5.6 or newer, rtrace, and user namespaces, Docker or Podman. All else is in the bundle, "
        "in the very files that the runs used:"
    )
    items: list[Spans] = [("System: ", one, ".") for one in facts.system]
    items += [("Compiler or interpreter: ", one, ".") for one in facts.compilers]
    for title, wanted in (("Packages of the system", True), ("Packages of languages", False)):
        chosen = [one for one in facts.packages if (one.manager in _SYSTEM) == wanted]
        names = ", ".join(f"{one.name} {one.version}" for one in chosen[:MOST_PACKAGES])
        more = f", and {len(chosen) - MOST_PACKAGES} more" if len(chosen) > MOST_PACKAGES else ""
        if chosen:
            items.append((f"{title} ({len(chosen)}): ", printable_text(names), more, "."))
    yield Items(tuple(items))


def tell_data(facts: Facts) -> Block:
    """Return the inputs, and what is not in the bundle."""
    items: list[Spans] = [("Input in the bundle: ", one, ".") for one in facts.inputs]
    items += [("Not in the bundle, fetched and checked when it is unpacked: ", one, ".") for one in facts.elsewhere]
    return Items(tuple(items)) if items else say("The runs have no inputs with a name.")


def tell_access(facts: Facts) -> Iterator[Block]:
    """Yield where the bundle is, and by what it is known to be the right one."""
    yield say("One file, ", Code(facts.bundle), f", of {format_size(facts.size)}: ", Todo("give the DOI or the URL"))
    yield Items(
        (
            ("SHA-256 of the file: ", Code(facts.sha256), "."),
            ("Identity of what is in it: ", Code(facts.identity), "."),
            *(
                (
                    ("Source code: ", Code(remote), " at commit ", Code(commit), ".")
                    for remote, commit in facts.repositories
                )
            ),
        )
    )


def tell_installation(facts: Facts) -> Iterator[Block]:
    """Yield how a reviewer gets ready, and sees that it works."""
    yield say(
        f"Install rtrace {__version__} or newer, as its README says (", Code("pipx install ."), " in a checkout), and"
    )
    yield Commands(("rtrace doctor", f"rtrace check {quote(facts)}", f"rtrace info {quote(facts)}"))
    yield say(
        Code("rtrace check"),
        " runs nothing: it reads the whole file and compares every digest, and says the identity above. Of ",
        Code("rtrace doctor"),
        " one way to replay has to work. This takes about five minutes.",
    )


def tell_workflow(facts: Facts) -> Iterator[Block]:
    """Yield how everything is replayed and compared at once."""
    yield Commands((f"rtrace verify {quote(facts)}",))
    yield say(
        f"This replays {count(len(facts.runs), 'run')} in isolation, without a network, and compares every output with "
        "the original's. Exit status 0: all results say the same; 1: something differs, and a line says where; 3: it "
        "could not be judged. With Docker alone: ",
        Code(f"rtrace verify --unpacker docker {quote(facts)}"),
        ".",
    )


def tell_runs(facts: Facts) -> Block:
    """Return the runs with their commands and costs."""
    return Items(tuple((Strong(run.name), ": ", Code(run.command), f" ({run.cost}).") for run in facts.runs))


def list_claims(facts: Facts) -> list[tuple[str, Claim | None]]:
    """Return the claims with their numbers; one that is to be written, where there are none."""
    return [(f"C{number}", claim) for number, claim in enumerate(facts.claims, 1)] or [("C1", None)]


def tell_claims(facts: Facts) -> Iterator[Block]:
    """Yield what the paper claims, each with its experiment."""
    for name, claim in list_claims(facts):
        experiment = f"E{name[1:]}"
        if claim is None:
            todo = Todo("say what the paper claims, and add it under `claims:` in the manifest")
            yield say(Strong(f"({name})"), ": ", todo, f" It is shown by the experiment ({experiment}).")
        else:
            where = Todo("name the section, table or figure of the paper")
            yield say(Strong(f"({name})"), ": ", claim.claim, f" It is shown by the experiment ({experiment}). ", where)


def tell_experiments(facts: Facts, level: int) -> Iterator[Block]:
    """Yield for each claim the command, what it costs, and how its result is judged."""
    runs = {run.name: run for run in facts.runs}
    for name, claim in list_claims(facts):
        run = runs.get(printable_text(claim.run)) if claim is not None else None
        chosen = (run,) if run is not None else facts.runs
        number = name[1:]
        yield Heading(level, f"Experiment (E{number}), for the claim ({name})")
        yield say(tell_cost(facts, chosen))
        yield Commands((f"rtrace verify {quote(facts)}" + (f" {shell_word(run.name)}" if run is not None else ""),))
        yield say(*tell_check(claim))
        if run is not None:
            yield from tell_looking(facts, run, claim)


def tell_cost(facts: Facts, runs: tuple[RunFacts, ...]) -> str:
    """Return the time of person and machine, memory and disk."""
    seconds = sum(run.seconds or 0.0 for run in runs)
    memory = max((run.memory for run in runs if run.memory is not None), default=None)
    disk = facts.size + facts.unpacked + sum(run.written for run in runs)
    needs = "" if memory is None else f", {format_size(memory)} of memory"
    return (
        f"{_KICK} minutes of a person and about {format_seconds(seconds)} of computing (besides unpacking){needs}, "
        f"{format_size(disk)} of disk."
    )


def tell_check(claim: Claim | None) -> Spans:
    """Return how it is seen that a claim is reproduced."""
    if claim is None:
        return ("The last line is the verdict: all results are identical, or alike.",)
    within = "" if claim.tolerance is None else f" Numbers may differ by {claim.tolerance:g} of the larger one."
    shown = ", ".join(claim.outputs) or "everything that the run leaves"
    return ("A line says that the claim of ", Code(claim.run), f" is reproduced, judged by: {shown}.{within}")


def tell_looking(facts: Facts, run: RunFacts, claim: Claim | None) -> Iterator[Block]:
    """Yield how an output is fetched, to be looked at."""
    wanted = () if claim is None else claim.outputs
    names = [name for name in run.outputs if name in wanted or not wanted][:5]
    if names:
        yield say("To look at what a replay gives:")
        fetched = " ".join(f"-o {shell_word(f'{name}={name}')}" for name in names)
        yield Commands((f"rtrace run {fetched} {quote(facts)} {shell_word(run.name)}",))


def tell_customisation(facts: Facts) -> Iterator[Block]:
    """Yield how another input or parameter is tried."""
    run = facts.runs[-1].name if facts.runs else "run1"
    yield say("Inputs and parameters can be exchanged for a replay; the bundle stays as it is:")
    first = facts.inputs[0].partition(" (")[0] if facts.inputs else "NAME"
    yield Commands(
        (
            f"rtrace run -i {shell_word(f'{first}=other-file')} {quote(facts)} {shell_word(run)}",
            f"rtrace run --cmdline 'other arguments' {quote(facts)} {shell_word(run)}",
        )
    )


def tell_limits(facts: Facts) -> Block:
    """Return what could not be captured."""
    if facts.notices:
        return Items(tuple((one, ".") for one in facts.notices))
    return say("Everything that the runs used could be captured.")


def quote(facts: Facts) -> str:
    """Return the bundle's name for a shell."""
    return shell_word(facts.bundle)


def tell_abstract(facts: Facts) -> Paragraph:
    """Return what the artefact is, in short."""
    return say(
        Todo("say in two sentences what the artefact is and how it supports the paper"),
        f" It is one file, a bundle of rtrace, that holds {count(len(facts.runs), 'recorded run')} with every program, "
        "library and file that they used, as it was before the run. A replay has no network, and every output is "
        "compared with the original's.",
    )
