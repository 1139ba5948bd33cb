"""Comments, blank lines, order and layout of a manifest survive whatever rtrace writes into it."""

import re
from dataclasses import replace

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from bundle_samples import RUN
from manifests import COUNT, PATH, manifests
from rtrace.manifest.environments import Same
from rtrace.manifest.merging.edits import keep_edits
from rtrace.manifest.merging.own_comments import RESCUED, has_own_comments
from rtrace.manifest.merging.revision import write_again
from rtrace.manifest.model import Completion, Folder, Manifest, NamedFile, Notice, Package
from rtrace.manifest.reading.load import load
from rtrace.manifest.render import render

LIBC = Package("libc6", "2.36-9", "amd64", "dpkg", 3, 5_000)
BASH = Package("bash", "5.2", "amd64", "dpkg", 1, 1_000)
NUMPY = Completion("python", "numpy 2.0", 3, 5_000)
EDITED = Manifest(
    "0.1.0",
    (RUN,),
    inputs=(NamedFile("a", b"/data/a", ("run1",)),),
    packages=(BASH, LIBC),
    completion=(NUMPY,),
    exclude=(b"/data/cache",),
    folders=(Folder(b"/data", 3, 500),),
)
DRAFT = Manifest(
    "0.2.0",
    (RUN, replace(RUN, id="run2")),
    inputs=(NamedFile("a", b"/data/a", ("run1", "run2")), NamedFile("b", b"/data/b", ("run2",))),
    outputs=(NamedFile("out", b"/data/out", ("run2",)),),
    packages=(BASH, replace(LIBC, name="gcc"), replace(LIBC, files=5, size=7_000), replace(LIBC, name="zlib1g")),
    completion=(replace(NUMPY, size=9_000), replace(NUMPY, rule="timezone")),
    notices=(Notice("network", "it spoke", "let it not"),),
    folders=(Folder(b"/data", 4, 700), Folder(b"/more", 1, 2)),
)


def write_draft_into(text: str, draft: Manifest = DRAFT) -> str:
    """Write a draft again beside what is in a text; check that nothing had to be rescued, and what it says."""
    wanted = keep_edits(draft, load(text))
    written = write_again(wanted, text)
    assert load(written) == wanted
    assert RESCUED not in written  # which has a line break, as no string of a manifest does
    return written


def edited(*changes: tuple[str, str]) -> str:
    """Edit a manifest as a person would."""
    text = render(EDITED)
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


def added_and_gone(before: str, after: str) -> tuple[list[str], list[str]]:
    """Return which lines are new, and which are gone."""
    earlier, later = before.splitlines(), after.splitlines()
    return [line for line in later if line not in earlier], [line for line in earlier if line not in later]


def test_what_is_not_edited_is_as_drafted() -> None:
    """A manifest that nobody touched looks as if it had been drafted with both runs at once."""
    assert write_draft_into(render(EDITED)) == render(keep_edits(DRAFT, EDITED))


def test_the_same_draft_changes_nothing() -> None:
    """A manifest that says what it said before stays byte for byte, whatever it looks like."""
    text = edited(
        ("version: 1", "# mine\nversion:   1 # one"),
        ("include: []\n", ""),
        ("true}  # 4.9 KiB", "true}  # 4.9 KiB, cheap"),
    )
    assert write_draft_into(text, EDITED) == text


BLOCK = """\
  -
    # mine 1
    name: libc6  # mine 2
    version: '2.36-9'
    architecture: amd64
    manager: dpkg
    files: 3 # mine 3
    size: 5000
    # mine 4
    pack: false"""
EDITS = {
    "at the top": [("# What was traced", "# mine 1\n\n# mine 2\n# What was traced")],
    "the head taken out": [("# What was traced, and what will be packed. Edit it, then run `rtrace pack`.\n#\n", "")],
    "above a run": [("  - id: run1", "  # mine\n  - id: run1")],
    "behind a key": [("\nruns:\n", "\nruns:   # mine\n")],
    "in a run": [("    binary:", "    # mine 1\n\n    binary:"), ("    uid: 1000\n", "    uid: 1000 # mine 2\n")],
    "in the environment": [("      PATH:", "      # mine 1\n      PATH:"), ('"/usr/bin"', "/usr/bin   # mine 2")],
    "below a run": [("\n# Inputs are files", "      # mine 1\n    # mine 2\n\n# Inputs are files")],
    "above a package": [("  - {name: libc6", "\n  # mine\n  - {name: libc6")],
    "behind a package": [("manager: dpkg}  # 4.9 KiB\n", "manager: dpkg}  # 4.9 KiB # mine\n")],
    "over several lines": [("  - {name: libc6, ", "  - {name: libc6,  # mine 1\n     # mine 2\n     ")],
    "as a block": [(next(line for line in render(EDITED).splitlines() if "libc6" in line), BLOCK)],
    "behind a size": [("true}  # 4.9 KiB", "true}  # 4.9 KiB, mine")],
    "behind nothing": [("outputs: []", "outputs: []  # mine")],
    "below nothing": [("outputs: []", "outputs:\n  # mine 1\n  # - {name: x, path: /x}  # mine 2")],
    "where two things meet": [("outputs: []", "# mine 1\n\n# mine 2\noutputs: []\n# mine 3\n\n# mine 4")],
    "of a section that is not there": [("\n# Patterns over", "\n# mine\n\n# Patterns over")],
    "among the folders": [("by folder:\n", "by folder:\n# mine\n")],
    "at the end": [("500 B  /data\n", "500 B  /data\n\n# mine")],
}


@pytest.mark.parametrize("name", sorted(EDITS))
@pytest.mark.parametrize("line_break", ["\n", "\r\n"])
def test_comments_stay_where_they_were(name: str, line_break: str) -> None:
    """A comment is there once more, in its place, and no line has changed but those that a run changes."""
    text = edited(*EDITS[name])
    written = write_draft_into(text.replace("\n", line_break))
    assert re.findall("mine(?: [0-9])?", written) == re.findall("mine(?: [0-9])?", text)
    assert written.count("\n") == written.count(line_break)
    _, gone = added_and_gone(text, written.replace(line_break, "\n"))
    changed = ("rtrace:", "name: a,", "libc6", "version: '2.36-9'",  "files: 3", "size: 5000",
        "numpy", "outputs: []", "#         3 files")  # fmt: skip
    assert [line for line in gone if not any(word in line for word in changed)] == []


def test_new_lines_go_to_their_neighbours() -> None:
    """What is new comes after what is before it in the draft, and the comment above the next item stays with that."""
    written = write_draft_into(edited(("  - {name: libc6", "\n  # for solvers\n  - {name: libc6")))
    names = re.findall(
        r"(?:- \{name: |# for )([a-z0-9]+)", written.partition("packages:\n")[2].partition("\n\n# The")[0]
    )
    assert names == ["bash", "gcc", "solvers", "libc6", "zlib1g"]


@pytest.mark.parametrize(
    "old, new",
    [
        (r"(?m)^  ((?:  )*(?:- |\w|#))", r"\1"),  # lists that begin where their key does
        (r"(?m)^(  +(?:- |\w))", r"  \1"),
        (r"(?m)^( +- )", r"\1  "),
    ],
)
def test_another_indentation_is_taken_over(old: str, new: str) -> None:
    """New lines are indented as those beside them."""
    text = render(replace(EDITED, runs=(), inputs=()))
    written = write_draft_into(re.sub(old, new, text), replace(DRAFT, runs=(), inputs=(), outputs=()))
    assert len(set(re.findall(r"(?m)^ *- (?= *\{name: [a-z]+[0-9]*[a-z]*, version)", written))) == 1


def test_other_ways_to_write_yaml() -> None:
    """Lists in brackets get their new items in the brackets, and an order that a person gave to the sections stays."""
    text = (
        "exclude: [/data/cache]   # first of all\n"
        "inputs: [ {name: a, path: /data/a, runs: [run1]} ]  # mine\n"
        "packages: []\n"
        "rtrace: 0.1.0\n"
        "version: 1\n" + "runs:\n" + render(EDITED).partition("runs:\n")[2].partition("\n\n")[0]
    )
    written = write_draft_into(text)
    assert written.startswith("exclude: [/data/cache]   # first of all\n")
    assert (
        "\ninputs: [ {name: a, path: /data/a, runs: [run1, run2]}, {name: b, path: /data/b, runs: [run2]} ]  # mine\n"
    ) in written
    assert written.index("\npackages:\n  - {name: bash") < written.index("\nrtrace: ") < written.index("\nversion: 1\n")


OTHER = replace(RUN, id="run3", environ=((b"A", b"1"),))


def test_an_environment_stays_where_a_person_has_it() -> None:
    """Variables that a run has stay its own, and a run that names another keeps to it, as long as they are the same."""
    runs = (RUN, replace(RUN, id="run2"), OTHER, replace(OTHER, id="run4"), replace(OTHER, id="run5"))
    text = render(replace(EDITED, runs=runs), {"run4": Same("run3"), "run5": Same("run4")}).replace(
        "      PATH:", "      # mine\n      PATH:"
    )
    more = (*runs, replace(RUN, id="run6"), replace(OTHER, id="run7"))
    assert write_draft_into(text, replace(EDITED, runs=runs)) == text
    written = write_draft_into(write_draft_into(text, replace(EDITED, runs=more[:-1])), replace(EDITED, runs=more))
    assert re.findall(r"(?m)^    environ: (.+)", written) == ["as run3", "as run4", "as run1", "as run3"]
    assert written.count("# mine") == 2
    changed = replace(load(text), runs=(*runs[:4], replace(OTHER, id="run5", environ=((b"A", b"2"),))))
    again = write_again(changed, text)
    assert load(again) == changed
    assert "  - id: run5\n" in again
    assert again.count("# mine") == 2


def test_what_is_another_in_an_environment_is_brought_up_to_date() -> None:
    """Variables beside a named environment change in place, come and go, with the comments of a person."""
    base = (*((b"V%d" % number, b"x") for number in range(20)),)
    first = replace(RUN, environ=base)
    second = replace(RUN, id="run2", environ=(*base, (b"RANK", b"1")))
    text = render(replace(EDITED, runs=(first, second)))
    assert '    environ: as run1\n    environ_besides:\n      RANK: "1"\n' in text
    text = text.replace("      RANK:", "      # mine\n      RANK:")
    for environ in (
        (*base, (b"RANK", b"2"), (b"SIZE", b"3")),
        (*base, (b"SIZE", b"3")),
        base,
        (*base[:19], (b"V19", b"y")),
    ):
        changed = replace(load(text), runs=(first, replace(second, environ=environ)))
        text = write_again(changed, text)
        assert load(text) == changed
        assert (text.count("environ: as run1"), text.count("# mine")) == (1, 1)


def test_what_a_person_took_out_stays_out() -> None:
    """A run that is not in the manifest any more does not come back with the next one, nor do its files."""
    three = replace(
        DRAFT,
        runs=(*DRAFT.runs, replace(RUN, id="run3")),
        outputs=(NamedFile("out", b"/data/out", ("run2", "run3")),),
    )
    kept = load(write_draft_into(render(EDITED), three))
    assert [run.id for run in kept.runs] == ["run1", "run3"]
    assert [(file.name, file.runs) for file in kept.inputs] == [("a", ("run1",))]
    assert [(file.name, file.runs) for file in kept.outputs] == [("out", ("run3",))]


def test_a_run_whose_tracer_was_killed_comes_in() -> None:
    """A run that was never in a manifest, as nobody wrote one, is there after the next."""
    killed = replace(RUN, id="run2", finished=None)
    kept = load(write_draft_into(render(EDITED), replace(DRAFT, runs=(RUN, killed, replace(RUN, id="run3")))))
    assert [run.id for run in kept.runs] == ["run1", "run2", "run3"]


def test_sizes_of_earlier_versions_are_renewed() -> None:
    """A size in kB, which earlier versions wrote, is known as theirs: it is updated, and is no person's comment."""
    text = edited(("true}  # 4.9 KiB", "true}  # 5.0 kB"))
    assert not has_own_comments(text, EDITED)
    written = write_draft_into(text, replace(DRAFT, completion=(replace(DRAFT.completion[0], size=4096),)))
    assert "true}  # 4.0 KiB\n" in written
    assert "kB" not in written


def test_a_package_that_is_gone_leaves_its_comment() -> None:
    """Words about a package that no run needs any more are kept; sizes that rtrace wrote there are not."""
    text = edited(
        ("  - {name: libc6", "  # above\n  - {name: libc6"),
        (
            "size: 5000, pack: true, architecture: amd64, manager: dpkg}  # 4.9 KiB\n",
            "size: 5000, architecture: amd64, manager: dpkg}  # mine\n",
        ),
    )
    written = write_draft_into(text, replace(DRAFT, packages=(BASH,), completion=()))
    assert "manager: dpkg}  # 1000 B\n  # above\n  # mine\n\n" in written
    assert "4.9 KiB" not in written


def test_nothing_is_lost_in_the_worst_case() -> None:
    """Where the earlier text cannot be kept (here: the runs in another order), its comments are put below the new."""
    text = render(replace(EDITED, runs=DRAFT.runs)).replace("version: 1\n", "# mine\nversion: 1\n")
    turned = replace(EDITED, runs=DRAFT.runs[::-1])
    written = write_again(turned, text)
    assert load(written) == turned
    assert written.endswith("which could not be kept as it was:\n# mine\n")


@st.composite
def decorated(draw: st.DrawFn) -> tuple[Manifest, str]:
    """Any manifest with notes between and behind its lines, each with a number of its own."""
    manifest = draw(manifests())
    lines: list[str] = []
    for line in render(manifest).splitlines():
        match draw(st.sampled_from("......abc")):
            case "a":
                lines.append(f"{' ' * draw(st.integers(0, 8))}# note {len(lines)}.")
            case "b":
                line += f" # note {len(lines)}."  # noqa: PLW2901 -- the line is what is decorated
            case "c":
                lines.append("")
        lines.append(line)
    return manifest, "\n".join(lines) + draw(st.sampled_from(["", "\n", "\n\n"]))


@st.composite
def drafts(draw: st.DrawFn, manifest: Manifest) -> Manifest:
    """What a further run may make of a manifest: all there was, with other numbers, and more of everything."""
    other = draw(manifests())
    taken = {run.id for run in manifest.runs}
    runs = [replace(run, id=f"{run.id} {len(taken)}") for run in other.runs if run.id + f" {len(taken)}" not in taken][
        :1
    ]

    def files(old: tuple[NamedFile, ...], new: tuple[NamedFile, ...]) -> tuple[NamedFile, ...]:
        return (*old, *(replace(file, runs=tuple(run.id for run in runs)) for file in new))

    return replace(
        manifest,
        rtrace=other.rtrace,
        runs=(*manifest.runs, *runs),
        inputs=files(manifest.inputs, other.inputs),
        outputs=files(manifest.outputs, other.outputs),
        packages=(
            *other.packages[:1],
            *(replace(one, size=draw(COUNT)) for one in manifest.packages),
            *other.packages[1:],
        ),
        completion=(*other.completion, *(replace(one, size=draw(COUNT)) for one in manifest.completion)),
        notices=(*manifest.notices, *other.notices),
        digests=draw(st.sampled_from([manifest.digests, manifest.digests | other.digests])),
        folders=tuple(draw(st.lists(st.builds(Folder, PATH, COUNT, COUNT), max_size=2))),
    )


def without_numbers(line: str) -> str:
    """Return a line without what a further run may change in it."""
    return re.sub(r"[0-9.]+( [kMGT]?B)?| \[\]", "", line.partition(", runs: ")[0].partition("#")[0]).strip()


def neighbours(text: str) -> dict[str, str]:
    """Return for each note that is behind something the line that it is on, without numbers."""
    found = re.finditer(r"(?m)^(.*\S.*)(# note [0-9]+\.)$", text)
    return {match[2]: without_numbers(match[1]) for match in found if not match[1].startswith(("rtrace:", "#"))}


@settings(deadline=None, max_examples=30, phases=[Phase.generate])
@given(st.data())
def test_notes_survive_any_further_run(data: st.DataObject) -> None:
    """Whatever is in a manifest and wherever the notes are: all come back in their order, beside what they were at."""
    manifest, text = data.draw(decorated())
    assert load(text) == manifest
    written = write_draft_into(text, data.draw(drafts(manifest)))
    assert re.findall(r"# note [0-9]+\.", written) == re.findall(r"# note [0-9]+\.", text)
    before, after = neighbours(text), neighbours(written)
    assert {note: line for note, line in before.items() if after[note] != line} == {}
