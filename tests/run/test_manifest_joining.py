"""`rtrace combine` takes over what persons edited in the manifests of the traces, and says what has no place."""

from __future__ import annotations

from pathlib import Path

from observing import run_rtrace
from rtrace.manifest.reading.load import load


def test_a_real_session(tmp_path: Path) -> None:
    """Two steps traced apart, both manifests edited, combined and packed; a mistake in one of them stops it at once."""
    work = tmp_path / "work"
    work.mkdir()
    (work / "data").write_text("b\na\n")
    for name, step in {"one": "sort data > sorted", "two": "wc -l < sorted > count; echo > x.tmp"}.items():
        assert run_rtrace("trace", "-d", tmp_path / name, "--", "sh", "-c", step, cwd=work).returncode == 0
    one, two = tmp_path / "one/manifest.yml", tmp_path / "two/manifest.yml"
    written = two.read_text()
    one.write_text(one.read_text().replace("name: data,", "name: letters,") + "# mine\n")
    two.write_text(written.replace("exclude: []", "exclud: ['*.tmp']"))
    refused = run_rtrace("combine", "-d", tmp_path / "both", tmp_path / "one", tmp_path / "two")
    assert (refused.returncode, refused.stderr.count(b"did you mean exclude?")) == (125, 1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "two", "work"]
    two.write_text(
        written.replace("exclude: []", "exclude: ['*.tmp']")
        .replace("name: count,", "name: lines,")
        .replace("pack: true", "pack: false")
    )
    combined = run_rtrace("combine", "-d", tmp_path / "both", tmp_path / "one", tmp_path / "two")
    assert combined.returncode == 0, combined.stderr
    said = combined.stderr.decode().splitlines()
    assert [line for line in said if "not taken over" in line] == [
        f"rtrace: not taken over: comments and layout of {one} stay there, for the manifest of all is a new one"
    ]
    manifest = load(tmp_path / "both/manifest.yml")
    assert [file.name for file in manifest.inputs] == ["letters"]
    assert [(file.name, file.runs) for file in manifest.outputs] == [
        ("lines", ("run2",)),
        ("sorted", ("run1",)),
        ("x.tmp", ("run2",)),
    ]
    assert manifest.exclude == (b"*.tmp",)
    left_out = {package.name for package in load(two).packages if not package.pack}
    assert {package.name for package in manifest.packages if not package.pack} == left_out
    packed = run_rtrace("pack", "-d", tmp_path / "both", tmp_path / "both.rpz")
    assert packed.returncode == 0, packed.stderr
