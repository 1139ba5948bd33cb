"""Programs that differ in their debug information alone, made by a real compiler."""

import subprocess
from pathlib import Path

from rtrace.verify.kinds.model import Judgement, Rule
from rtrace.verify.kinds.programs import Elf

SOURCE = "int count(void)\n{\n    return 1;\n}\n"


def compare(folder: Path, *sources: str) -> Judgement:
    """Compile sources, one after the other under one name, and compare what comes out."""
    for number, source in enumerate(sources):
        (folder / "count.c").write_text(source)
        subprocess.run(["gcc", "-g", "-c", "count.c", "-o", f"{number}.o"], cwd=folder, check=True)
    with (folder / "0.o").open("rb") as one, (folder / "1.o").open("rb") as other:
        return Elf().compare(one, other, Rule(), (b"0.o", b"1.o"))


def test_other_lines_of_the_source_are_told(tmp_path: Path) -> None:
    """The code is the same, and a reader is told that the source is not."""
    judgement = compare(tmp_path, SOURCE, f"\n\n{SOURCE}")
    assert judgement.likeness == "equal"
    assert "debug information (.debug_line, which tells the lines of the source)" in judgement.ignored


def test_other_code_is_a_difference(tmp_path: Path) -> None:
    """What is ignored of debug information hides no other number in the code."""
    judgement = compare(tmp_path, SOURCE, SOURCE.replace("1", "2"))
    assert judgement.likeness == "different"
    assert judgement.place.startswith("section .text, byte")
