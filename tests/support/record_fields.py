"""The tables of docs/reference/fields.md, and what they have to list: every field of three other tools' records."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs/reference/fields.md"
_ROW = re.compile(r"^\| (?P<theirs>.+?) \| (?P<ours>.+?) \| ?(?P<why>.*?) ?\|$", re.MULTILINE)
_CODE = re.compile(r"`([^`]+)`")

SUMATRA = [
    "label",
    "timestamp",
    "reason",
    "duration",
    "main_file",
    "version",
    "script_arguments",
    "outcome",
    "stdout_stderr",
    "tags",
    "diff",
    "user",
    "on_changed",
    "repeats",
    "executable.path",
    "executable.version",
    "executable.name",
    "executable.options",
    "repository.url",
    "repository.type",
    "repository.upstream",
    "parameters.content",
    "parameters.type",
    "launch_mode.type",
    "launch_mode.parameters",
    "datastore.type",
    "datastore.parameters",
    "input_datastore.type",
    "input_datastore.parameters",
    "input_data[].path",
    "input_data[].digest",
    "input_data[].metadata",
    "input_data[].creation",
    "output_data[].path",
    "output_data[].digest",
    "output_data[].metadata",
    "output_data[].creation",
    "dependencies[].path",
    "dependencies[].version",
    "dependencies[].name",
    "dependencies[].module",
    "dependencies[].diff",
    "dependencies[].source",
    "platforms[].system_name",
    "platforms[].ip_addr",
    "platforms[].architecture_bits",
    "platforms[].machine",
    "platforms[].architecture_linkage",
    "platforms[].version",
    "platforms[].release",
    "platforms[].network_name",
    "platforms[].processor",
    "project.id",
    "project.name",
    "project.description",
]
"""What `sumatra.formatting.record2dict` has, and the Django model of a project."""

NOWORKFLOW = [
    "trial.id",
    "trial.sequence_key",
    "trial.script",
    "trial.start",
    "trial.finish",
    "trial.command",
    "trial.path",
    "trial.status",
    "trial.modules_inherited_from_trial_id",
    "trial.parent_id",
    "trial.main_id",
    "trial.experiment_id",
    "trial.user_id",
    "environment_attr",
    "argument.name",
    "argument.value",
    "module.name",
    "module.version",
    "module.path",
    "module.fullpath",
    "module.code_block_id",
    "module.transformed",
    "file_access.name",
    "file_access.mode",
    "file_access.buffering",
    "file_access.content_hash_before",
    "file_access.content_hash_after",
    "file_access.checkpoint",
    "file_access.activation_id",
    "code_block.code_hash",
    "code_block.docstring",
    "code_component.*",
    "activation.*",
    "evaluation.*",
    "composition.*",
    "dependency.*",
    "member.*",
    "stage_tags.*",
    "tag.type",
    "tag.name",
    "tag.timestamp",
    "head.*",
    "graph_cache.*",
    "remote.*",
    "experiment.id",
    "experiment.name",
    "experiment.description",
    "user.id",
    "user.userLogin",
    "group.name",
    "memberOfGroup.userId",
    "memberOfGroup.groupId",
    "extendedAnnotation.annotation",
    "extendedAnnotation.description",
    "extendedAnnotation.annotationFormat",
    "extendedAnnotation.provenanceType",
    "extendedAnnotation.annotationLevel",
    "extendedAnnotation.relatedExperiment",
    "extendedAnnotation.relatedTrial",
    "OS_NAME",
    "OS_RELEASE",
    "OS_VERSION",
    "USER",
    "PWD",
    "PID",
    "HOSTNAME",
    "ARCH",
    "PROCESSOR",
    "PYTHON_IMPLEMENTATION",
    "PYTHON_VERSION",
    "NOWORKFLOW_VERSION",
]
"""The columns of noWorkflow's tables, and the attributes that its `_collect_environment_provenance` adds."""

RECIPY = [
    "unique_id",
    "author",
    "description",
    "inputs",
    "outputs",
    "script",
    "command",
    "command_args",
    "environment",
    "date",
    "exit_date",
    "libraries",
    "warnings",
    "exception.type",
    "exception.message",
    "exception.traceback",
    "gitrepo",
    "gitcommit",
    "gitorigin",
    "diff",
    "notes",
    "filediffs",
    "patches",
]
"""What `recipy.log` and `recipyCommon.version_control` put into a run, and the other tables of its database."""


def read_rows() -> dict[str, list[tuple[str, list[str], str]]]:
    """Return the rows of each table by its heading: the other tool's cell, our paths, and the remark."""
    sections = PAGE.read_text("utf-8").split("\n## ")[1:]
    return {
        section.split("\n", 1)[0]: [
            (match["theirs"], _CODE.findall(match["ours"]), match["why"])
            for match in list(_ROW.finditer(section))[1:]
            if not set(match["theirs"]) <= set("-|")
        ]
        for section in sections
    }


def list_paths() -> list[str]:
    """Return the paths into a record that the page names, each once."""
    return sorted({path for rows in read_rows().values() for _theirs, paths, _why in rows for path in paths})


def name_fields(heading: str) -> set[str]:
    """Return the fields of the other tool that a table has."""
    return {name for theirs, _paths, _why in read_rows()[heading] for name in _CODE.findall(theirs)}


def look_up(value: object, path: str) -> list[object]:
    """Return what a path leads to in a record: `a[]` is each item of a list, `a{}` the mapping itself."""
    return list(_walk(value, path.split(".")))


def _walk(value: object, steps: list[str]) -> Iterator[object]:
    if not steps:
        yield value
        return
    name = steps[0].removesuffix("[]").removesuffix("{}")
    assert isinstance(value, Mapping), f"there is nothing below {name}"
    inner = value[name]
    if not steps[0].endswith("[]"):
        yield from _walk(inner, steps[1:])
        return
    assert isinstance(inner, list)
    for item in inner:
        yield from _walk(item, steps[1:])
