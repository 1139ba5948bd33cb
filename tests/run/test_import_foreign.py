"""Records of Sumatra, recipy and noWorkflow, made by those tools themselves, compared field by field."""

import dbm.dumb
import hashlib
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from foreign_projects import Tool, make_noworkflow, make_recipy, make_sumatra
from rtrace.record.document import FileFact, Record
from rtrace.record.foreign.registry import find_importer
from rtrace.record.reading import read_record
from rtrace.record.writing import write_record

pytestmark = [pytest.mark.requires("git"), pytest.mark.xdist_group("foreign")]

NO_IMP = "recipy 0.3 hooks into imports in a way that Python 3.12 removed"

Said = dict[str, Any]


def read(path: Path | str) -> list[Record]:
    """Import what is at a path; each record is one that can be written and read."""
    importer = find_importer(str(path))
    assert importer is not None
    records = list(importer.read(str(path)))
    assert [read_record(write_record(record), "it") for record in records] == records
    return records


def imported(record: Record) -> Said:
    """Return what a record keeps under the tool's own keys."""
    assert record["imported"] is not None
    return record["imported"]


def digest(data: bytes, kind: str = "sha256") -> str:
    """Return the digest of bytes."""
    return hashlib.new(kind, data).hexdigest()


@dataclass(frozen=True)
class Project:
    """A project of Sumatra, and what `smt export` says of it, by label."""

    folder: Path
    exported: Mapping[str, Said]
    store: str


def make_project(name: str, folder: Path, store: str) -> Project:
    """Make a project with one of the environments that Sumatra is installed in."""
    exported = make_sumatra(Tool(name, folder / "home"), folder / "project")
    return Project(folder / "project", {run["label"]: run for run in exported}, store)


@pytest.fixture(scope="module")
def shelved(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project whose records are in a shelf."""
    return make_project("sumatra", tmp_path_factory.mktemp("shelved"), "shelve")


@pytest.fixture(
    scope="module",
    params=[
        pytest.param("sumatra", marks=pytest.mark.requires("sumatra")),
        pytest.param("sumatra-django", marks=pytest.mark.requires("sumatra-django")),
    ],
)
def project(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project of each kind of store."""
    if request.param == "sumatra":
        made: Project = request.getfixturevalue("shelved")
        return made
    return make_project("sumatra-django", tmp_path_factory.mktemp("django"), "django")


def seconds(written: str | None) -> str | None:
    """Return a time as `smt export` has it, in whole seconds, from any way of writing one."""
    return None if written is None else f"{written[:10]} {written[11:19]}+0000"


def test_every_field_of_sumatra_has_its_place(project: Project) -> None:
    """What `smt export` says of each run is in the record's own fields."""
    records = {record["label"]: record for record in read(project.folder)}
    assert set(records) == set(project.exported)
    for label, said in project.exported.items():
        record = records[label]
        assert record["created_by"] == "Sumatra 0.8.1"
        assert seconds(record["started"]) == said["timestamp"]
        assert record["usage"]["wall"] == said["duration"]
        assert (record["reason"] or "", record["outcome"] or "") == (said["reason"], said["outcome"])
        assert record["tags"] == [tag for tag in said["tags"] if not tag.startswith("_")]
        assert record["status"] == ("failed" if "_failed_" in said["tags"] else "succeeded")
        executable, mode = said["executable"], said["launch_mode"]["parameters"]
        (program,) = record["executables"]
        assert (program["path"], program["name"], program["version"]) == (
            executable["path"],
            executable["name"],
            executable["version"],
        )
        assert record["arguments"] == [executable["path"], said["main_file"], said["script_arguments"]]
        assert (record["workingdir"], record["launch"]) == (mode["working_directory"], "serial")
        assert record["main"] == f"{project.folder}/main.py"
        (repository,) = record["repositories"]
        assert repository["type"] == "git"
        assert repository["path"] == said["repository"]["url"]
        assert repository["remote"] == said["repository"]["upstream"]
        assert (repository["commit"], repository["diff"] or "") == (said["version"], said["diff"])
        assert repository["dirty"] is (label == "dirty")
        assert f"{record['user']['full_name']} <{record['user']['email']}>" == said["user"]
        assert record["project"] == {"name": "Project-of-ours", "description": None, "url": None}
        check_machine(record, said)
        check_files(record["inputs"], said["input_data"], str(project.folder))
        check_files(record["outputs"], said["output_data"], f"{project.folder}/Data")
        assert record["stdout"] is not None
        assert record["stdout"]["text"] == said["stdout_stderr"]
        assert {item["name"] for item in record["libraries"]} == {"ours", "yaml"}
        assert [(item["name"], item["path"], item["version"]) for item in record["libraries"]] == [
            (item["name"], item["path"], item["version"]) for item in said["dependencies"]
        ]


def check_machine(record: Record, said: Said) -> None:
    """Compare the machine with the platform of a run."""
    (platform,) = said["platforms"]
    machine = record["machine"]
    assert machine["addresses"] == [platform["ip_addr"]]
    assert f"{machine['bits']}bit" == platform["architecture_bits"]
    for name, theirs in {
        "hostname": "network_name",
        "system": "system_name",
        "release": "release",
        "version": "version",
        "architecture": "machine",
        "linkage": "architecture_linkage",
        "processor": "processor",
    }.items():
        assert (machine[name] or "") == platform[theirs]  # type: ignore[literal-required]


def check_files(facts: list[FileFact], said: list[Said], root: str) -> None:
    """Compare files with data keys; one that is still as it was has the SHA-256 of its content."""
    assert [fact["path"] for fact in facts] == [os.path.join(root, key["path"]) for key in said]
    for fact, key in zip(facts, said, strict=True):
        data = Path(fact["path"]).read_bytes()
        assert fact["size"] == key["metadata"]["size"]
        assert fact["media_type"] == key["metadata"]["mimetype"]
        assert seconds(fact["modified"]) == key["creation"]
        if digest(data, "sha1") == key["digest"]:
            assert (fact["sha256"], fact["problem"]) == (digest(data), None)
        else:
            assert fact["sha256"] is None
            assert fact["problem"] == f"Sumatra noted its SHA-1 alone, {key['digest']}; it has changed since"


def test_nothing_of_sumatra_is_lost(project: Project) -> None:
    """Under `imported` is all that `smt export` says, under its own keys, and the project's own file."""
    for record in read(project.folder):
        kept = imported(record)
        assert kept["tool"] == "sumatra 0.8.1"
        assert kept["store"] == project.store
        assert kept["project"] == json.loads((project.folder / ".smt/project").read_text())
        said = dict(project.exported[record["label"] or ""])
        found = dict(kept["record"])
        assert seconds(found.pop("timestamp")) == said.pop("timestamp")
        parameters = said.pop("parameters")
        assert found["parameters"]["type"] == parameters["type"]
        for name in ("input_data", "output_data"):
            for theirs, ours in zip(said.pop(name), found[name], strict=True):
                assert {**ours, "creation": seconds(ours["creation"])} == theirs
        assert {name: found[name] for name in said} == said


def test_parameters_are_names_and_values(project: Project) -> None:
    """Parameter files of every kind are names and values, with those that the command line replaced."""
    records = {record["label"]: record for record in read(project.folder)}
    values = {
        label: {fact["name"]: fact["value"] for fact in record["parameters"]} for label, record in records.items()
    }
    assert values["one"] == {"a": 2, "b": "two", "c": 3.5}
    assert values["two"] == {"n": 4, "nested.x[0]": 1, "nested.x[1]": 2, "nested.y": True}
    assert values["three"] == {"n": 3, "deep.q": None}
    assert values["four"] == {"part.n": 3, "part.name": "été"}
    assert values["bad"] == {}
    assert {fact["type"] for label in ("one", "two", "three", "four") for fact in records[label]["parameters"]} == {
        "key=value",
        "yaml",
        "json",
        "ini",
    }


def test_a_repeated_run_knows_its_parent(project: Project) -> None:
    """What Sumatra calls `repeats` is the parent, by identifier."""
    records = read(project.folder)
    ids = {record["label"]: record["id"] for record in records}
    assert {record["label"]: record["parent"] for record in records if record["parent"]} == {
        label: ids["one"] for label, said in project.exported.items() if said["repeats"]
    }
    assert len({record["id"] for record in records}) == len(records)


def test_importing_twice_makes_the_same_record(project: Project) -> None:
    """Whichever way a run comes, its identifier is the same: the folder, `.smt`, what `smt export` wrote."""
    folder = read(project.folder)
    assert read(project.folder / ".smt") == folder
    exported = read(project.folder / ".smt/records_export.json")
    assert {record["label"]: record["id"] for record in exported} == {
        record["label"]: record["id"] for record in folder
    }
    if project.store == "django":
        assert read(project.folder / ".smt/records") == folder


def test_a_project_may_have_moved(project: Project, tmp_path: Path) -> None:
    """Its own file names the old place of the store, which is not there any more: the one beside it is read."""
    shutil.copytree(project.folder / ".smt", tmp_path / "elsewhere/.smt")
    place = tmp_path / "elsewhere/.smt/project"
    place.write_text(place.read_text().replace(str(project.folder), f"{tmp_path}/gone"))
    assert [record["id"] for record in read(tmp_path / "elsewhere")] == [
        record["id"] for record in read(project.folder)
    ]


COPY = """\
import dbm.dumb, importlib, sys
kind, source, target = sys.argv[1:]
with dbm.dumb.open(source, "r") as old, importlib.import_module(kind).open(target, "n") as new:
    for key in old.keys():
        new[key] = old[key]
"""


@pytest.mark.requires("sumatra")
@pytest.mark.parametrize("kind", ["dbm.gnu", "dbm.ndbm", "dbm.sqlite3"])
def test_every_kind_of_shelf_is_read(kind: str, shelved: Project, tmp_path: Path) -> None:
    """A shelf of gdbm, of Berkeley DB and of SQLite holds what the plain one does, written by Debian's own Python."""
    shutil.copytree(shelved.folder / ".smt", tmp_path / ".smt")
    place = tmp_path / ".smt/project"
    place.write_text(place.read_text().replace(str(shelved.folder), f"{tmp_path}/gone"))
    source, target = shelved.folder / ".smt/records", tmp_path / ".smt/records"
    for path in tmp_path.glob(".smt/records.*"):
        path.unlink()
    if kind == "dbm.sqlite3":  # Python 3.13's, in the layout that its source has
        with closing(sqlite3.connect(target)) as connection, connection, dbm.dumb.open(str(source), "r") as items:
            connection.execute("CREATE TABLE Dict (key BLOB UNIQUE NOT NULL, value BLOB NOT NULL)")
            connection.executemany("INSERT INTO Dict VALUES (?, ?)", [(key, items[key]) for key in items.keys()])  # noqa: SIM118
    else:
        subprocess.run(["/usr/bin/python3", "-c", COPY, kind, source, target], check=True, timeout=60)
    assert {record["label"] for record in read(tmp_path)} == set(shelved.exported)


@pytest.fixture(scope="module")
def recipy_log(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Said]]:
    """A log of recipy, and what recipy says of its runs."""
    folder = tmp_path_factory.mktemp("recipy")
    said = make_recipy(Tool("recipy", folder / "home"), folder / "study")
    return folder, said


@pytest.mark.skipif(sys.version_info >= (3, 12), reason=NO_IMP)
@pytest.mark.requires("recipy")
def test_every_field_of_recipy_has_its_place(recipy_log: tuple[Path, list[Said]]) -> None:
    """What `recipy search --json` says of each run is in the record's own fields."""
    folder, runs = recipy_log
    records = read(folder / "home/.recipy/recipyDB.json")
    assert [imported(record)["run"]["unique_id"] for record in records] == [said["unique_id"] for said in runs]
    for record, said in zip(records, runs, strict=True):
        assert record["created_by"] == "recipy 0.3.0"
        assert (record["started"], record["finished"]) == (f"{said['date']}.000000Z", f"{said['exit_date']}.000000Z")
        assert record["user"]["name"] == said["author"]
        assert record["arguments"] == [said["command"], said["script"], *said["command_args"].split()]
        assert record["main"] == said["script"]
        assert [f"{item['name']} v{item['version']}" for item in record["libraries"]] == said["libraries"]
        (repository,) = record["repositories"]
        assert (repository["path"], repository["commit"]) == (said["gitrepo"], said["gitcommit"])
        assert (repository["diff"] or "") == said["diff"]
        assert repository["remote"] == "https://example.org/ours.git"
        system, python = said["environment"]
        machine = record["machine"]
        assert system.startswith(f"{machine['system']}-{machine['release']}-{machine['architecture']}-with-")
        assert python.startswith(f"python {record['executables'][0]['version']} ")
        for facts, files in ((record["inputs"], said["inputs"]), (record["outputs"], said["outputs"])):
            assert [fact["path"] for fact in facts] == [path for path, _ in files]
            for fact, (path, sha1) in zip(facts, files, strict=True):
                assert digest(Path(path).read_bytes(), "sha1") == sha1
                assert fact["sha256"] == digest(Path(path).read_bytes())
    good, bad = records
    assert good["status"] == "succeeded"
    assert {fact["name"]: fact["value"] for fact in good["parameters"]} == {"#2": "x", "y": 3}
    assert bad["status"] == "failed"
    assert [notice["what"] for notice in bad["notices"]] == ["ValueError: no, néver"]
    assert bad["repositories"][0]["dirty"] is True


@pytest.mark.skipif(sys.version_info >= (3, 12), reason=NO_IMP)
@pytest.mark.requires("recipy")
def test_nothing_of_recipy_is_lost_but_a_password(recipy_log: tuple[Path, list[Said]]) -> None:
    """Under `imported` is the run as the log has it; the password in the address of the repository is nowhere."""
    folder, runs = recipy_log
    for path in (folder / "home", folder / "home/.recipy"):
        for record, said in zip(read(path), runs, strict=True):
            kept = imported(record)["run"]
            assert b"hunter2secret" not in write_record(record)
            assert kept.pop("gitorigin") == "https://example.org/ours.git"
            rest = {name: value for name, value in said.items() if name != "gitorigin"}
            dates = {name: "{TinyDate}:" + said[name] for name in ("date", "exit_date")}
            assert kept == {**rest, **dates}
            assert "imported.run.gitorigin: password in a URL" in record["redacted"]


@pytest.fixture(scope="module")
def trials(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A folder with two trials of noWorkflow, and what `now show` says of the first."""
    folder = tmp_path_factory.mktemp("noworkflow")
    shown = make_noworkflow(Tool("noworkflow", folder / "home"), folder / "study")
    return folder / "study", shown


@pytest.mark.requires("noworkflow")
def test_every_field_of_noworkflow_has_its_place(trials: tuple[Path, str]) -> None:
    """What `now show` says of a trial, its modules, environment and files is in the record's own fields."""
    folder, shown = trials
    good, bad = read(folder)
    facts = dict(re.findall(r"^  (\w[\w ]*): (.*)$", shown, re.MULTILINE))
    assert good["started"] == show_local(facts["Start"])
    assert good["finished"] == show_local(facts["Finish"])
    assert (good["status"], bad["status"]) == ("succeeded", "failed")
    assert good["reason"] == "to see"
    assert good["arguments"] == ["python", "study.py", "5"]
    assert (good["main"], good["workingdir"]) == (f"{folder}/study.py", str(folder))
    assert good["created_by"] == f"noWorkflow {facts['NOWORKFLOW_VERSION']}"
    assert good["tags"] == re.findall(r"  Tag: (\S+)", shown)
    assert [(item["name"], item["version"], item["path"]) for item in good["libraries"]] == re.findall(
        r"  Name: (.*)\n    Version: (.*)\n    Path: (.*)\n", shown
    )
    machine = good["machine"]
    assert (machine["hostname"], machine["release"]) == (facts["HOSTNAME"], facts["OS_RELEASE"])
    settings = {name: value for name, value in facts.items() if re.fullmatch("(SC|CS)_.*", name)}
    assert machine["settings"] == settings
    assert good["executables"][0]["version"] == facts["PYTHON_VERSION"]
    assert good["environment"]["PATH"] == facts["PATH"]
    accesses = re.findall(
        r"  Name: (.*)\n    Mode: (.*)\n    Buffering: .*\n"
        r"    Content hash before: (.*)\n    Content hash after: (.*)\n",
        shown,
    )
    assert [fact["path"] for fact in good["inputs"]] == [
        f"{folder}/{name}" for name, mode, *_ in accesses if mode == "r"
    ]
    assert [fact["path"] for fact in good["outputs"]] == [
        f"{folder}/{name}" for name, mode, *_ in accesses if mode != "r"
    ]
    assert all(fact["sha256"] for fact in (*good["inputs"], *good["outputs"]))
    assert [(script["path"], script["text"]) for script in good["scripts"]] == [
        (str(folder / name), (folder / name).read_text()) for name in ("study.py", "helping.py")
    ]


def show_local(written: str) -> str:
    """Return a time of this machine as a record has it."""
    when = datetime.fromisoformat(written).astimezone(timezone.utc)
    return f"{when:%Y-%m-%dT%H:%M:%S.%f}Z"


@pytest.mark.requires("noworkflow")
def test_nothing_of_noworkflow_is_lost(trials: tuple[Path, str]) -> None:
    """Under `imported` is every row of every table that belongs to a trial."""
    folder, _ = trials
    with closing(sqlite3.connect(folder / ".noworkflow/db.sqlite")) as connection:
        for record in read(folder / ".noworkflow/db.sqlite"):
            kept = imported(record)
            identifier = kept["trial"]["id"]
            tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
            for (table,) in tables:
                columns = [row[1] for row in connection.execute(f'PRAGMA table_info("{table}")')]
                if "trial_id" not in columns or table == "environment_attr":
                    continue
                rows = connection.execute(f'SELECT * FROM "{table}" WHERE trial_id = ?', (identifier,))  # noqa: S608
                theirs = [dict(zip(columns, row, strict=True)) for row in rows]
                mine = kept["tables"].get(table, {"columns": [], "rows": []})
                ours = [dict(zip(mine["columns"], row, strict=True)) for row in mine["rows"]]
                assert [{"trial_id": identifier, **row} for row in ours] == theirs
            names = connection.execute("SELECT name, value FROM environment_attr WHERE trial_id = ?", (identifier,))
            assert kept["environment"] == {name: value or "" for name, value in names}


@pytest.mark.requires("sumatra")
def test_the_command_imports_once(
    rtrace: Callable[..., subprocess.CompletedProcess[bytes]], shelved: Project, tmp_path: Path
) -> None:
    """`rtrace import` takes a project into the history, `blame` knows its runs, and a second time adds none."""
    environ = {"RTRACE_HISTORY": str(tmp_path / "history"), "XDG_CONFIG_HOME": str(tmp_path)}
    number = len(shelved.exported)
    first = rtrace("import", shelved.folder, env=environ)
    assert (first.returncode, first.stderr.decode()) == (0, f"rtrace: imported {number} records\n")
    again = rtrace("import", shelved.folder, env=environ)
    assert again.stderr.decode() == f"rtrace: imported 0 records; {number} were there already\n"
    shown = json.loads(rtrace("show", "one", "--json", env=environ).stdout)
    assert "to see what a does" in json.dumps(shown)
    found = rtrace("blame", shelved.folder / "Data/out.txt", env=environ)
    assert found.returncode == 0
    assert b"succeeded" in found.stdout


def test_a_damaged_project_is_told(rtrace: Callable[..., subprocess.CompletedProcess[bytes]], tmp_path: Path) -> None:
    """A project whose store is not one costs a sentence and status 1, and names the way out."""
    (tmp_path / "study/.smt").mkdir(parents=True)
    (tmp_path / "study/.smt/project").write_text('{"name": "p"}')
    (tmp_path / "study/.smt/records").write_bytes(b"\0" * 100)
    done = rtrace("import", tmp_path / "study", env={"RTRACE_HISTORY": str(tmp_path / "history")})
    assert done.returncode == 1
    assert done.stderr.decode().startswith(
        f"rtrace: {tmp_path}/study/.smt holds no records of Sumatra: records is a kind"
    )
    assert b"smt export" in done.stderr
    assert b"Traceback" not in done.stderr
