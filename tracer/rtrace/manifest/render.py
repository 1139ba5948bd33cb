"""A manifest as YAML, commented for the person who will edit it.

An emitter of our own: the comments are half of what it writes, and `rtrace trace` ends with it and may not spend 30 ms
on importing PyYAML. `rtrace.manifest.reading.load` is its inverse.
"""

from __future__ import annotations

import re
from time import gmtime, strftime
from typing import TYPE_CHECKING

from rtrace.manifest import comments
from rtrace.manifest.environments import PREFIX, Same, find_same
from rtrace.manifest.model import MANIFEST_FORMAT
from rtrace.manifest.scalars import byte_string, quoted, text
from rtrace.printable import format_size

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rtrace.manifest.model import (
        Claim,
        Comparison,
        Completion,
        Elsewhere,
        Folder,
        Manifest,
        NamedFile,
        Notice,
        Package,
        Run,
        Secret,
    )

_LINE = 110
SIZE = re.compile(r"[0-9]+(?:\.[0-9])? (?:[KMGT]iB|[kMGT]?B)\b")
"""A size as `format_size` writes it, or as earlier versions did, in kB and MB."""
FOLDER = re.compile(rf"# +[0-9]+ files? +{SIZE.pattern}  ")
"""How the comments begin that `_completion` and `_folder` write."""
_NAME_LIMIT = 256
"""Characters of an environment variable's name that may be a key: YAML ends an implicit key at 1024."""


def render(manifest: Manifest, same: Mapping[str, Same] | None = None) -> str:
    """Write a manifest as YAML; the same manifest always gives the same text.

    ``same`` names for a run the one above it that has the same environment; where it is None, they are looked for.
    """
    found = find_same(manifest.runs) if same is None else same
    same = {run: one for run, one in found.items() if all(_key(name) is not None for name, _ in one.besides)}
    parts = [comments.HEAD, f"version: {MANIFEST_FORMAT}\nrtrace: {quoted(manifest.rtrace)}\n"]
    parts += [comments.RUNS, _list("runs", "\n".join(_run(run, same.get(run.id)) for run in manifest.runs))]
    parts += [comments.INPUTS, _list("inputs", "".join(map(_named_file, manifest.inputs)))]
    parts.append(_list("outputs", "".join(map(_named_file, manifest.outputs))))
    parts += [comments.PACKAGES, _list("packages", "".join(map(_package, manifest.packages)))]
    if manifest.completion:
        parts += [comments.COMPLETION, _list("completion", "".join(map(_completion, manifest.completion)))]
    parts.append(render_folders(manifest.folders))
    parts += [
        comments.PATTERNS,
        _list("exclude", "".join(f"  - {byte_string(pattern)}\n" for pattern in manifest.exclude)),
    ]
    parts.append(_list("include", "".join(f"  - {byte_string(pattern)}\n" for pattern in manifest.include)))
    if manifest.ignore:
        parts.append(_list("ignore", "".join(f"  - {byte_string(pattern)}\n" for pattern in manifest.ignore)))
    if manifest.claims:
        parts += [comments.CLAIMS, _list("claims", "".join(map(_claim, manifest.claims)))]
    if manifest.elsewhere:
        parts += [comments.ELSEWHERE, _list("elsewhere", "".join(map(_elsewhere, manifest.elsewhere)))]
    if manifest.secrets:
        parts += [comments.SECRETS, _list("secrets", "".join(map(_secret, manifest.secrets)))]
    if manifest.notices:
        parts += [comments.NOTICES, _list("notices", "".join(map(_notice, manifest.notices)))]
    if manifest.unowned:
        parts += [comments.UNOWNED, _list("unowned", "".join(map(_unowned, manifest.unowned)))]
    if manifest.digests:
        parts += [comments.DIGESTS, "digests:\n"]
        parts += [f"  {text(name)}: {quoted(digest)}\n" for name, digest in sorted(manifest.digests.items())]
    return "".join(parts)


def _list(key: str, items: str) -> str:
    return f"{key}:\n{items}" if items else f"{key}: []\n"


def _run(run: Run, same: Same | None) -> str:
    lines = [
        f"  - id: {text(run.id)}",
        *_sequence("argv", [byte_string(item) for item in run.argv]),
        f"    binary: {byte_string(run.binary)}",
        f"    workingdir: {byte_string(run.workingdir)}",
    ]
    if run.started is not None:
        lines.append(f"    started: {_number(run.started)}  # {_time(run.started)}")
    if run.finished is not None:
        took = "" if run.started is None else f"  # after {max(0.0, run.finished - run.started):.2f} seconds"
        lines.append(f"    finished: {_number(run.finished)}{took}")
    if run.exit_code is not None:
        lines.append(f"    exit_code: {run.exit_code}")
    if run.signal is not None:
        lines.append(f"    signal: {run.signal}")
    if run.needs:
        lines += _sequence("needs", list(map(text, run.needs)))
    lines += (*_streams(run), *_descriptors(run))
    lines += [
        f"    uid: {run.uid}",
        f"    gid: {run.gid}",
        f"    groups: [{', '.join(map(str, run.groups))}]",
        f'    umask: "{run.umask:04o}"  # octal',
        f"    hostname: {text(run.hostname)}",
        f"    architecture: {text(run.architecture)}",
        f"    system: [{text(run.system[0])}, {text(run.system[1])}]",
        f"    distribution: [{text(run.distribution[0])}, {text(run.distribution[1])}]",
        *(_environ(run.environ) if same is None else _shared(same)),
    ]
    return "\n".join(lines) + "\n"


def _streams(run: Run) -> Iterable[str]:
    """Write what standard input was, and what was written to standard output and error."""
    if run.stdin is not None:
        offset = f", offset: {run.stdin.offset}" if run.stdin.offset else ""
        pipe = ", pipe: true" if run.stdin.pipe else ""
        yield f"    stdin: {{path: {byte_string(run.stdin.path)}{offset}{pipe}}}"
    for name, output in (("stdout", run.stdout), ("stderr", run.stderr)):
        if output is None:
            continue
        parts = [f"kind: {text(output.kind)}"]
        if output.size is not None:
            parts.append(f"size: {output.size}")
        if output.window is not None:
            parts.append(f"window: [{output.window[0]}, {output.window[1]}]")
        parts += [f"{word}: true" for word in ("cut", "joined") if getattr(output, word)]
        if output.sha256 is not None:
            parts.append(f"sha256: {quoted(output.sha256)}")
        parts += render_comparison(output.compare)
        yield f"    {name}: {{{', '.join(parts)}}}"


def _descriptors(run: Run) -> Iterable[str]:
    """Write what else it found at its descriptors."""
    if run.descriptors:
        yield "    descriptors:"
    for one in run.descriptors:
        parts = [f"descriptor: {one.number}", f"kind: {text(one.kind)}"]
        if one.path is not None:
            parts.append(f"path: {byte_string(one.path)}")
        if one.offset:
            parts.append(f"offset: {one.offset}")
        if one.access != "read":
            parts.append(f"access: {text(one.access)}")
        if one.same is not None:
            parts.append(f"same: {one.same}")
        yield f"      - {{{', '.join(parts)}}}"


def _sequence(key: str, items: Sequence[str]) -> Iterable[str]:
    """Write a sequence of scalars on one line where it fits, else an item a line."""
    line = f"    {key}: [{', '.join(items)}]"
    if len(line) <= _LINE:
        return [line]
    return [f"    {key}:", *(f"      - {item}" for item in items)]


def _environ(environ: Sequence[tuple[bytes, bytes | None]]) -> Iterable[str]:
    """Write an environment as a mapping; one that cannot be a mapping (a name twice, no =) as it was passed."""
    if not environ:
        return ["    environ: {}"]
    names = [_key(name) for name, value in environ if value is not None]
    if len(set(names)) == len(environ) and None not in names:
        values = (quoted_bytes(value) for _, value in environ if value is not None)
        return ["    environ:", *(f"      {name}: {value}" for name, value in zip(names, values, strict=True))]
    items = (name if value is None else name + b"=" + value for name, value in environ)
    return ["    environ:", *(f"      - {byte_string(item)}" for item in items)]


def _shared(same: Same) -> Iterable[str]:
    """Return the run that has the same environment, and the variables that differ."""
    yield f"    environ: {PREFIX + same.run if text(same.run) == same.run else quoted(PREFIX + same.run)}"
    if same.besides:
        yield "    environ_besides:"
        yield from (f"      {_key(name)}: {quoted_bytes(value or b'')}" for name, value in same.besides)


def _key(name: bytes) -> str | None:
    """Write a variable's name as a key; None for one that cannot be a key or would be a surprising one."""
    if not name or len(name) > _NAME_LIMIT or not name.isascii():
        return None
    return text(name.decode("ascii"))


def quoted_bytes(value: bytes) -> str:
    """Write a byte string in quotes even where it needs none: values look better when all have them."""
    try:
        return quoted(value.decode())
    except UnicodeDecodeError:
        return byte_string(value)


def _named_file(file: NamedFile) -> str:
    runs = ", ".join(map(text, file.runs))
    pattern = "" if file.pattern is None else f", pattern: {byte_string(file.pattern)}"
    compare = "".join(f", {part}" for part in render_comparison(file.compare))
    return f"  - {{name: {text(file.name)}, path: {byte_string(file.path)}, runs: [{runs}]{pattern}{compare}}}\n"


def render_comparison(compare: Comparison | None) -> Iterable[str]:
    """Write how an output is compared, where that is said."""
    if compare is None:
        return
    numbers = (("tolerance", compare.tolerance), ("absolute", compare.absolute))
    parts = [f"{name}: {_number(value)}" for name, value in numbers if value is not None]
    if compare.ignore:
        parts.append(f"ignore: [{', '.join(map(quoted, compare.ignore))}]")
    parts += ["order: any"] if compare.unordered else []
    yield f"compare: {{{', '.join(parts)}}}"


def _package(package: Package) -> str:
    origin = f", origin: {text(package.origin)}" if package.origin else ""
    return (
        f"  - {{name: {text(package.name)}, version: {quoted(package.version)}, files: {package.files}, "
        f"size: {package.size}, pack: {'true' if package.pack else 'false'}, "
        f"architecture: {text(package.architecture)}, manager: {text(package.manager)}{origin}}}"
        f"  # {format_size(package.size)}\n"
    )


def _completion(completion: Completion) -> str:
    return (
        f"  - {{rule: {text(completion.rule)}, name: {text(completion.name)}, files: {completion.files}, "
        f"size: {completion.size}, pack: {'true' if completion.pack else 'false'}}}  # {format_size(completion.size)}\n"
    )


def _secret(secret: Secret) -> str:
    rule = "" if secret.rule is None else f", rule: {text(secret.rule)}"
    what = f", what: {quoted(secret.what)}" if secret.what else ""
    return f"  - {{place: {quoted(secret.place)}{rule}{what}, pack: {secret.pack.value}}}\n"


def _claim(claim: Claim) -> str:
    lines = [f"  - claim: {quoted(claim.claim)}", f"    run: {text(claim.run)}"]
    if claim.outputs:
        lines += _sequence("outputs", list(map(text, claim.outputs)))
    if claim.tolerance is not None:
        lines.append(f"    tolerance: {_number(claim.tolerance)}")
    return "\n".join(lines) + "\n"


def _elsewhere(one: Elsewhere) -> str:
    parts = [f"path: {byte_string(one.path)}"]
    if one.size is not None:
        parts.append(f"size: {one.size}")
    if one.sha256 is not None:
        parts.append(f"sha256: {quoted(one.sha256)}")
    if one.url is not None:
        parts.append(f"url: {quoted(one.url)}")
    return f"  - {{{', '.join(parts)}}}\n"


def _notice(notice: Notice) -> str:
    return f"  - kind: {text(notice.kind)}\n    what: {quoted(notice.what)}\n    advice: {quoted(notice.advice)}\n"


def render_folders(folders: Iterable[Folder]) -> str:
    """Return the comment that lists the experiment's folders; nothing where there are none."""
    lines = "".join(map(_folder, folders))
    return comments.FOLDERS + lines if lines else ""


def _folder(folder: Folder) -> str:
    files = "file " if folder.files == 1 else "files"
    return f"#   {folder.files:>7} {files} {format_size(folder.size):>10}  {byte_string(folder.path)}\n"


def _unowned(folder: Folder) -> str:
    return (
        f"  - {{path: {byte_string(folder.path)}, files: {folder.files}, size: {folder.size}}}"
        f"  # {format_size(folder.size)}\n"
    )


def _number(value: float) -> str:
    """Write a number so that YAML 1.1 takes it for one too: there, one with an exponent has a point."""
    digits, exponent, power = repr(value).partition("e")
    return f"{digits}{'.0' if exponent and '.' not in digits else ''}{exponent}{power}"


def _time(seconds: float) -> str:
    try:
        return strftime("%Y-%m-%d %H:%M:%S UTC", gmtime(seconds))
    except (OverflowError, ValueError, OSError):
        return "no date"
