"""The JSON Schema of an answer, made from its type: a TypedDict whose keys are all there, null where nothing is known.

https://json-schema.org/draft/2020-12/schema
"""

from __future__ import annotations

import types
from importlib import import_module
from inspect import cleandoc
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints, is_typeddict

FORMAT = 1
"""The first key of every answer. It changes when a key goes or gets another meaning; keys may be added without."""

ANSWERS = {
    "appendix": "publishing:AppendixAnswer",
    "audit": "looking:AuditAnswer",
    "blame": "history:BlameAnswer",
    "cache": "cache:CacheAnswer",
    "check": "looking:CheckAnswer",
    "combine": "recording:CombinationAnswer",
    "destroy": "replays.replaying:DestroyAnswer",
    "diff": "history:DiffAnswer",
    "doctor": "machine:DoctorAnswer",
    "download": "targets:DownloadAnswer",
    "drift": "declared:DriftAnswer",
    "export": "recording:ExportAnswer",
    "extract": "replays.replaying:ExtractAnswer",
    "figure": "publishing:FigureAnswer",
    "import": "history:ImportAnswer",
    "info": "info:InfoAnswer",
    "list": "looking:ListingAnswer",
    "log": "history:LogAnswer",
    "pack": "recording:PackAnswer",
    "pull": "publishing:PullAnswer",
    "push": "publishing:PushAnswer",
    "repeat": "history:RepeatAnswer",
    "replay": "replays.replaying:ReplayAnswer",
    "reset": "targets:ResetAnswer",
    "search": "history:SearchAnswer",
    "shell": "targets:ShellAnswer",
    "show": "history:ShowAnswer",
    "status": "machine:StatusAnswer",
    "sync": "history:SyncAnswer",
    "targets": "targets:TargetsAnswer",
    "trace": "recording:TraceAnswer",
    "unpack": "replays.replaying:UnpackAnswer",
    "upload": "targets:UploadAnswer",
    "verify": "verifying:VerificationAnswer",
}
"""Where the type of each command's answer is."""

_PLAIN = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null"}


def make_schema(command: str) -> dict[str, object]:
    """Return the schema of what a command answers with ``--json``. Raises KeyError for one that has no answer."""
    module, _, name = ANSWERS[command].partition(":")
    answer = getattr(import_module(f"rtrace.answers.{module}"), name)
    parts: dict[str, object] = {}
    schema = _describe_answer(answer, parts)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"rtrace {command} --json",
        **schema,
        "properties": {"format": {"const": FORMAT}, **schema["properties"]},
        "required": ["format", *schema["required"]],
        **({"$defs": dict(sorted(parts.items()))} if parts else {}),
    }


DOCUMENTS = {"record": "rtrace.record.document:Record"}
"""What rtrace writes besides answers, with the type of each."""


def make_document_schema(name: str) -> dict[str, object]:
    """Return the schema of a document that rtrace writes. Raises KeyError for one that it does not."""
    module, _, kind = DOCUMENTS[name].partition(":")
    parts: dict[str, object] = {}
    schema = _describe_answer(getattr(import_module(module), kind), parts)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"rtrace {name}",
        **schema,
        "$defs": dict(sorted(parts.items())),
    }


def _describe_answer(answer: type, parts: dict[str, object]) -> dict[str, Any]:
    """Return the schema of a TypedDict; those that it names are added to ``parts``."""
    hints = get_type_hints(answer, include_extras=True)
    return {
        "type": "object",
        **({"description": cleandoc(answer.__doc__)} if answer.__doc__ else {}),
        "properties": {key: _describe(hint, parts) for key, hint in hints.items()},
        "required": list(hints),
    }


def _describe(hint: Any, parts: dict[str, object]) -> dict[str, object]:  # noqa: ANN401 -- what `typing` makes
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return {**_describe(arguments[0], parts), "description": arguments[1]}
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin in {Union, types.UnionType}:
        return {"anyOf": [_describe(one, parts) for one in arguments]}
    if origin is list:
        return {"type": "array", "items": _describe(arguments[0], parts)}
    if origin is dict:
        return {"type": "object"}
    if is_typeddict(hint):
        name = hint.__name__.removesuffix("Answer")
        if name not in parts:
            parts[name] = {}  # before its own parts, which may name it
            parts[name] = _describe_answer(hint, parts)
        return {"$ref": f"#/$defs/{name}"}
    return {"type": _PLAIN[hint]}
