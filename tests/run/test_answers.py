"""What commands answer to programs: it fits the published schema, and stays as the golden files have it."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import click
import jsonschema
import pytest

from rtrace.answers.schema import ANSWERS, make_schema
from rtrace.cli.frame.commands import COMMANDS
from rtrace.cli.frame.commands import rtrace as group

GOLDEN = Path(__file__).resolve().parents[2] / "fixtures/answers"
REGENERATE = "RTRACE_WRITE_GOLDEN" in os.environ
Command = Callable[..., "CompletedProcess[bytes]"]

RECORD_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")

# What is another on every machine, and in every run.
CHANGING = {
    "architecture", "binary", "detail", "distribution", "first", "gid", "hostname", "identity", "last", "maker",
    "memory", "memory_is_most", "mode", "mtime_ns", "offset", "origin", "paths", "rtrace", "seconds", "sha256", "size",
    "started", "finished", "system", "uid", "version", "what", "advice", "block", "works", "experiment_size",
}  # fmt: skip


def mask(value: Any, root: str) -> Any:
    """Replace what changes; of lists that depend on the machine only the form of their first item is kept."""
    if isinstance(value, dict):
        return {
            key: f"<{type(one).__name__}>" if key in CHANGING and one is not None else mask(one, root)
            for key, one in value.items()
        }
    if isinstance(value, list):
        return [mask(one, root) for one in value]
    if not isinstance(value, str):
        return value
    return RECORD_ID.sub("<id>", re.sub(r"[0-9a-f]{64}", "<digest>", value.replace(root, "/ROOT")))


HISTORY = {"blame", "diff", "import", "log", "repeat", "search", "show", "sync"}
"""What answers about runs, each of which has another identifier."""
OF_A_RUN = {
    "id",
    "short",
    "parent",
    "before",
    "after",
    "wall",
    "user",
    "host",
    "directory",
    "packages",
    "machine",
    "places",
}


def neutral(value: Any) -> Any:
    """Replace what is another in each run and on each machine; of a record its keys are kept."""
    if isinstance(value, dict):
        return {
            key: {name: f"<{type(inner).__name__}>" for name, inner in one.items()}
            if key == "record"
            else f"<{type(one).__name__}>"
            if (key in OF_A_RUN or (key == "run" and isinstance(one, str))) and one is not None
            else neutral(one)
            for key, one in value.items()
        }
    return [neutral(one) for one in value] if isinstance(value, list) else value


def take(answer: dict[str, Any], command: str) -> dict[str, Any]:
    """Leave out of an answer the entries that depend on the machine's own packages and libraries."""
    if command == "replay-sweep":
        for one in answer["sweep"]["combinations"]:
            one.update(started=1.0, finished=2.0, memory=1)
    if command == "list":
        answer["files"] = [file for file in answer["files"] if file["path"].endswith((".txt", "/run.sh"))]
    if command == "info":
        answer["packages"] = answer["packages"][:1]
        answer["counts"] = dict.fromkeys(answer["counts"], 1)
        for package in answer["packages"]:
            package.update(name="<package>", manager="<manager>", files=1)
    if command == "status":
        answer.update(compared=1, hashed=0)
    if command == "trace":
        answer["record"] = f"<{type(answer['record']).__name__}>"
    if command == "pack":
        answer["counts"] = dict.fromkeys(answer["counts"], 1)
    if command == "targets":
        answer["targets"][0]["made"] = 1.0
    if command == "export":
        answer["files"] = 1
    if command == "cache":
        for one in answer["cached"]:
            one.update(path="<path>", used=0.0)
    if command in HISTORY:
        found: dict[str, Any] = neutral(answer)
        return found
    if command == "doctor":
        for key, found in answer.items():
            if isinstance(found, list):
                answer[key] = found[:1]
    return answer


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """The answer of each command, on one small experiment."""
    from figure_samples import STAMP, SVG
    from observing import run_rtrace
    from odd_registry import serve_odd_registry
    from rtrace.figures.kinds import read_figure, write_figure

    root = tmp_path_factory.mktemp("answers")
    work = root / "work"
    work.mkdir()
    (work / "in.txt").write_text("b\na\n")
    (work / "run.sh").write_text("#!/bin/sh\nsort in.txt > out.txt\necho done\n")
    (work / "run.sh").chmod(0o755)
    found: dict[str, dict[str, Any]] = {}
    own = {"RTRACE_HISTORY": str(root / "history"), "RTRACE_CACHE": str(root / "trees"), "XDG_STATE_HOME": str(root)}

    def ask(command: str, *arguments: str | Path, last: bool = False) -> None:
        done = run_rtrace(command, "--json", *arguments, cwd=work, env=os.environ | own)
        text = done.stderr.splitlines()[-1] if last else done.stdout
        try:
            found[command] = json.loads(text)
        except ValueError:
            pytest.fail(f"{command}: {done.stdout!r} {done.stderr!r}")

    ask("trace", "./run.sh", last=True)
    ask("combine", "-d", root / "joined", ".rtrace")
    ask("status")
    (work / "apt.txt").write_text("no-such-package\n")
    ask("drift")
    ask("pack", root / "b.rpz")
    ask("info", root / "b.rpz")
    ask("list", root / "b.rpz")
    ask("appendix", "-o", root / "artefact", root / "b.rpz")
    ask("check", root / "b.rpz")
    ask("audit", root / "b.rpz")
    ask("export", "--format", "reprozip", "-o", root / "r.rpz", root / "b.rpz")
    ask("extract", "-o", root / "copies", root / "b.rpz", "**/in.txt")
    (root / "plot.svg").write_bytes(write_figure(read_figure(SVG), STAMP))
    ask("figure", "--show", root / "plot.svg")
    ask("unpack", "chroot", root / "b.rpz", root / "target")
    ask("upload", root / "target")
    ask("replay", "--no-history", "--sweep", "env:A=1", root / "b.rpz", last=True)
    found["replay-sweep"] = found.pop("replay")
    ask("replay", "-o", "out.txt=fetched.txt", "--env", "A=1", root / "target", last=True)
    ask("download", root / "target", "out.txt:" + str(root / "out.txt"))
    ask("shell", root / "target", "--", "sort", "in.txt", last=True)
    ask("targets")
    ask("reset", root / "target")
    ask("destroy", root / "target")
    ask("verify", root / "b.rpz")
    ask("cache", "list")
    ask("doctor")
    ask("log")
    ask("show")
    ask("search", "in.txt")
    ask("blame", "out.txt")
    ask("repeat", last=True)
    ask("diff", "last~1", "last")
    ask("import", ".rtrace")
    ask("sync", root / "other")
    with serve_odd_registry() as registry:
        ask("push", root / "b.rpz", f"{registry.host}/study:1.0")
        ask("pull", f"{registry.host}/study:1.0", root / "pulled.rpz")
        for command in ("push", "pull"):
            found[command]["reference"] = found[command]["reference"].replace(registry.host, "HOST")
    return {command: mask(take(answer, command), str(root)) for command, answer in found.items()}


def test_every_command_that_answers_has_a_schema() -> None:
    """A command with --json is in the table of answers, and no other."""
    with_json = set()
    for name in COMMANDS:
        command = group.get_command(click.Context(group), name)
        assert command is not None
        if any("--json" in parameter.opts for parameter in command.params):
            with_json.add(name)
    assert with_json == set(ANSWERS)


@pytest.mark.parametrize("command", sorted(ANSWERS))
def test_schemas_are_schemas(command: str) -> None:
    """Each is valid by the draft that it names, and demands every key that it knows."""
    schema = make_schema(command)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert set(schema["required"]) == set(schema["properties"])  # type: ignore[call-overload]


@pytest.mark.requires("user-namespaces")
@pytest.mark.parametrize("command", sorted((*ANSWERS, "replay-sweep")))
def test_answers_fit_their_schema_and_golden_file(command: str, answers: dict[str, dict[str, Any]]) -> None:
    """Keys, words and order are as published; an answer without one of its keys would not fit."""
    golden = GOLDEN / f"{command}.json"
    text = json.dumps(answers[command], indent=2) + "\n"
    if REGENERATE:
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(text)
    assert golden.read_text() == text


@pytest.mark.requires("user-namespaces")
def test_real_answers_are_valid(rtrace: Command) -> None:
    """What a command really says fits what `rtrace schema --of` prints for it; with a key less it would not."""
    assert rtrace("trace", "-q", "sh", "-c", "echo 1 > one").returncode == 0
    assert rtrace("pack", "b.rpz").returncode == 0
    for command in ("info", "list", "check", "audit", "verify"):
        schema = json.loads(rtrace("schema", "--of", command).stdout)
        answer = json.loads(rtrace(command, "--json", "b.rpz").stdout)
        jsonschema.validate(answer, schema)
        for key in answer:
            with pytest.raises(jsonschema.ValidationError):
                jsonschema.validate({other: value for other, value in answer.items() if other != key}, schema)


def test_a_dry_run_answers_as_packing_does(rtrace: Command, tmp_path: Path) -> None:
    """The counts are those of the bundle; identity and size are not known, and there is no bundle."""
    assert rtrace("trace", "-q", "sh", "-c", "echo 1 > one").returncode == 0
    told = json.loads(rtrace("pack", "--dry-run", "--json", "b.rpz").stdout)
    assert (told["identity"], told["size"], (tmp_path / "b.rpz").exists()) == (None, None, False)
    jsonschema.validate(told, make_schema("pack"))
    packed = json.loads(rtrace("pack", "--json", "b.rpz").stdout)
    assert {key for key in packed if packed[key] != told[key]} == {"identity", "size"}
