"""What `rtrace appendix` writes: every venue's parts, nothing of a bundle as markup, and metadata of known keys."""

import json
import re

import pytest
import yaml

from rtrace.appendix.blocks import Code, Commands, Heading, Items, Todo, find_todos, say
from rtrace.appendix.facts import Facts, RunFacts, format_seconds
from rtrace.appendix.latex import escape as escape_latex
from rtrace.appendix.latex import write_latex
from rtrace.appendix.markdown import escape as escape_markdown
from rtrace.appendix.markdown import write_markdown
from rtrace.appendix.metadata import write_citation, write_codemeta, write_zenodo
from rtrace.appendix.venues import VENUES, write_readme
from rtrace.manifest.model import Claim, Package

HOSTILE = "\\input{/etc/passwd} $x^2$ 50% a_b #1 & ~ <script>alert(1)</script> `r` ![i](u) -- ,, [x] \u4e2d \"'{}|"
RUN = RunFacts("run1", f"./run.sh '{HOSTILE}'", "/work", 0, 90.0, 100.0, 3 << 20, 5000, ("fit.csv",))
FACTS = Facts(
    bundle="study.rpz",
    identity="sha256:" + "a" * 64,
    sha256="b" * 64,
    size=10 << 20,
    unpacked=30 << 20,
    runs=(RUN,),
    claims=(Claim(f"It works {HOSTILE}", "run1", ("fit.csv",), 0.05), Claim("All of it.", "run1")),
    system=("debian 12, Linux 6.1.0, x86_64, glibc 2.36",),
    hardware=("Processor X, 4 processors, 8.0 GiB of memory",),
    compilers=("run was compiled by GCC: (Debian 12.2.0-14) 12.2.0",),
    packages=(Package("libc6", "2.36-9", "amd64", "dpkg", 3, 5), Package("numpy", "2.0", "", "python", 3, 5)),
    inputs=("data.csv (/work/data.csv)",),
    elsewhere=("/work/big, https://example.org/big",),
    notices=("it spoke; let it not",),
    repositories=(("https://example.org/study.git", "c" * 40),),
    languages=("Python",),
    ended=1_700_000_000.0,
)
CODEMETA_KEYS = {
    *("name", "description", "author", "license", "identifier", "fileSize", "dateCreated", "codeRepository"),
    *("programmingLanguage", "operatingSystem", "runtimePlatform", "processorRequirements", "memoryRequirements"),
    *("storageRequirements", "softwareRequirements", "keywords"),
}
"""Of those in the context of CodeMeta 3.0."""
HEADINGS = {
    "acm": ["Abstract", "Artifact check-list (meta-information)", "Description", "Installation", "Experiment workflow",
            "Evaluation and expected results", "Experiment customization", "Notes"],
    "usenix": ["Abstract", "Description & Requirements", "Set-up", "Evaluation workflow", "Notes on Reusability",
               "Version"],
    "eurosys": ["Abstract", "Description & Requirements", "Set-up", "Evaluation workflow", "Notes on Reusability"],
    "pets": ["Description", "Basic Requirements", "Environment", "Artifact Evaluation", "Limitations",
             "Notes on Reusability"],
    "programming": ["Getting Started (30 minutes or less)", "Requirements", "Claims", "Step by Step", "Reuse",
                    "Limits"],
}  # fmt: skip


@pytest.mark.parametrize("venue", VENUES)
def test_each_venue_has_its_parts(venue: str) -> None:
    """In the order of its own template, with facts of the bundle, a command for each claim, and marks."""
    blocks = list(VENUES[venue].write(FACTS))
    assert [block.text for block in blocks if isinstance(block, Heading) and block.level == 2] == HEADINGS[venue]
    lines = [line for block in blocks if isinstance(block, Commands) for line in block.lines]
    assert lines.count("rtrace verify study.rpz run1") >= len(FACTS.claims)
    assert "rtrace run -o fit.csv=fit.csv study.rpz run1" in lines
    assert list(find_todos(blocks))
    text = write_markdown(blocks, "")
    facts = ("2.36-9", "numpy 2.0", "Processor X", "GCC", "3.0 MiB", "90 seconds", FACTS.identity, FACTS.sha256)
    assert [fact for fact in facts if fact not in text.replace("\\", "")] == []


def test_without_claims_the_author_is_told() -> None:
    """An appendix has one to be written."""
    from dataclasses import replace

    blocks = list(VENUES["usenix"].write(replace(FACTS, claims=())))
    assert any("`claims:` in the manifest" in todo for todo in find_todos(blocks))


def test_latex_has_no_command_of_a_bundle_s() -> None:
    """Each backslash and each special character is ours."""
    text = escape_latex(HOSTILE)
    assert "\\input" not in text
    ours = re.sub(r"\\(?:text[a-z]+\{\}|char\d+\{\}|[{}$&#_%])|\{[\[\]]\}|([-,])\{\}", "", text)
    assert not set(ours) & set("\\{}$&#_%^~<>\"'`|[]"), ours
    assert escape_latex("\u4e2d") == "{[}U+4E2D{]}"
    assert escape_latex("a--b,,c \u2013 \u00e9") == "a-{}-b,{},c \\textendash{} \u00e9"
    assert write_latex([Items((("[x] a",),))], "x\ny").splitlines()[:2] == ["% x", "% y"]
    assert "\\item {}{[}x{]} a" in write_latex([Items((("[x] a",),))], "")


def test_markdown_shows_just_what_is_there() -> None:
    """No tag, link or heading of a bundle's; fences are longer than any run of backticks."""
    text = escape_markdown(HOSTILE)
    assert "<script>" not in text
    assert "\\!\\[i\\]\\(u\\)" in text
    assert escape_markdown("# x\n* y") == "\\# x \\* y"
    assert write_markdown([say(Code("a`b``c"))], "-->").endswith("\n``` a`b``c ```\n")
    assert write_markdown([say(Code("x"))], "-->").startswith("<!-- - -> -->")
    fenced = write_markdown([Commands(("a ```` b",))], "")
    assert "`````sh\na ```` b\n`````" in fenced
    assert "**TODO\\(author\\):** say it" in write_markdown([say(Todo("say it"))], "")


def test_metadata_are_of_known_keys() -> None:
    """Hostile words are values, and no key is invented."""
    citation = yaml.safe_load(write_citation(FACTS))
    assert citation["cff-version"] == "1.2.0"
    assert citation["identifiers"][0]["value"] == FACTS.identity
    assert HOSTILE in citation["abstract"]
    assert citation["repository-code"] == "https://example.org/study.git"
    codemeta = json.loads(write_codemeta(FACTS))
    assert codemeta.pop("@context") == "https://w3id.org/codemeta/3.0"
    assert codemeta.pop("@type") == "SoftwareSourceCode"
    assert codemeta.keys() <= CODEMETA_KEYS
    assert {"name": "numpy", "version": "2.0"}.items() <= codemeta["softwareRequirements"][1].items()
    assert codemeta["dateCreated"] == "2023-11-14"
    zenodo = json.loads(write_zenodo(FACTS))
    assert zenodo["upload_type"] == "dataset"
    assert "<script>" not in zenodo["description"]
    assert zenodo["creators"][0]["name"].startswith("TODO(author)")


def test_a_readme_section_is_a_section() -> None:
    """It begins below a title, so that it can be put into a README."""
    assert write_markdown(write_readme(FACTS), "x").startswith("<!-- x -->\n\n## Reproduce the results\n")


@pytest.mark.parametrize("seconds, text", [(0.1, "1 second"), (1, "1 second"), (90, "90 seconds"), (7300, "2.0 hours")])
def test_durations_are_said_as_a_person_would(seconds: float, text: str) -> None:
    """Never none at all."""
    assert format_seconds(seconds) == text
