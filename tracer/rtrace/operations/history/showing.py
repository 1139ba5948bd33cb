"""`rtrace show`: a record as lines for a person."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Sequence

from rtrace.operations.history.moments import write_moment, write_seconds
from rtrace.printable import count, format_size
from rtrace.record.document import ExecutableFact, FileFact, Json, ParameterFact, Record, StreamFact
from rtrace.record.times import read_time

SHOWN = 10
_SHOWN_DIGITS = 12
_WIDTH = 14


def describe_record(record: Record, *, whole: bool = False) -> Iterator[str]:
    """Yield the lines that tell a record: of long lists the beginning, or all of it."""
    most = 1 << 62 if whole else SHOWN
    yield f"{record['kind']} {record['id']}"
    for title, value in list_facts(record):
        if value:
            yield f"  {title:<{_WIDTH}}{value}"
    for title, lines in list_sections(record, whole=whole):
        if lines:
            yield f"{title} ({len(lines)}):"
            yield from (f"  {line}" for line in lines[:most])
            if len(lines) > most:
                yield f"  and {len(lines) - most} more (--all shows them)"
    for title, stream in (("standard output", record["stdout"]), ("standard error", record["stderr"])):
        yield from describe_stream(title, stream, most)


def list_facts(record: Record) -> Iterator[tuple[str, str | None]]:
    """Yield what is told in a line each."""
    project, machine, user = record["project"], record["machine"], record["user"]
    usage, verdict = record["usage"], record["verdict"]
    yield "label", record["label"]
    yield "project", " ".join(filter(None, (project["name"], project["url"]))) if project else None
    yield "reason", record["reason"]
    yield "outcome", record["outcome"]
    yield "tags", ", ".join(record["tags"])
    yield "status", describe_end(record)
    yield "verdict", verdict["verdict"] if verdict else None
    yield "of", record["parent"]
    yield "command", shlex.join(record["arguments"])
    yield "main", record["main"]
    yield "in", record["workingdir"]
    yield "started", write_moment(read_time(record["started"])) if record["started"] else None
    yield "took", describe_usage(record)
    yield "memory", format_size(usage["peak_memory"]) if usage["peak_memory"] is not None else None
    yield "read", format_size(usage["bytes_read"]) if usage["bytes_read"] is not None else None
    yield "wrote", format_size(usage["bytes_written"]) if usage["bytes_written"] is not None else None
    full = f" ({user['full_name']})" if user["full_name"] else ""
    mail = f" <{user['email']}>" if user["email"] else ""
    yield "user", f"{user['name'] or user['uid']}{full}{mail}" if user["name"] or user["uid"] is not None else None
    system = (machine["system"], machine["release"], machine["architecture"])
    distribution = " ".join(filter(None, (machine["distribution"], machine["distribution_version"])))
    yield "machine", ", ".join(filter(None, (machine["hostname"], distribution, " ".join(filter(None, system)))))
    cores = f"{count(machine['cores'], 'core')}" if machine["cores"] else None
    memory = format_size(machine["memory"]) if machine["memory"] else None
    gpus = ", ".join(gpu["name"] or "a GPU" for gpu in machine["gpus"])
    yield "processor", ", ".join(filter(None, (machine["processor"], cores, memory, gpus)))
    around = record["surroundings"]
    for title, facts in (("container", around["container"]), ("batch", around["batch"]), ("mpi", around["mpi"])):
        yield title, ", ".join(f"{name} {value}" for name, value in facts.items()) if facts else None
    yield "trace", f"{record['trace']} ({record['run_name']})" if record["trace"] else None
    yield "recorded by", record["created_by"]


def list_sections(record: Record, *, whole: bool) -> Iterator[tuple[str, Sequence[str]]]:
    """Yield the lists of a record, a line for each thing."""
    yield "bundles", [" ".join(filter(None, (one["path"], one["identity"], one["doi"]))) for one in record["bundles"]]
    yield (
        "repositories",
        [
            f"{one['type']} {one['path']} at {one['commit'] or 'no commit'}{describe_branch(one['branch'])}"
            f"{', with uncommitted changes' if one['dirty'] else ''}"
            for one in record["repositories"]
        ],
    )
    yield "parameters", list(map(describe_parameter, record["parameters"]))
    yield "scripts", [f"{shorten_digest(one['sha256'])}  {one['path']}" for one in record["scripts"]]
    yield "programs", list(map(describe_program, record["executables"]))
    yield "inputs", list(map(describe_file, record["inputs"]))
    yield "outputs", list(map(describe_file, record["outputs"]))
    yield "kept", [f"{one['path']} as {one['url']}" for one in record["kept"]]
    yield "ranks", list(map(describe_rank, record["ranks"]))
    yield "packages", [f"{one['kind']} {one['name']} {one['version'] or ''}".rstrip() for one in record["packages"]]
    if whole:
        yield "libraries", [f"{one['name']} {one['version'] or ''}".rstrip() for one in record["libraries"]]
        yield "environment", [f"{name}={value}" for name, value in record["environment"].items()]
        yield "processes", [f"{one['pid']} {shlex.join(one['arguments'])}" for one in record["processes"]]
        yield "settings", [f"{name}={value}" for name, value in record["machine"]["settings"].items()]
    yield "not captured", [f"{one['what']}; {one['advice']}" for one in record["notices"]]
    yield "taken out as secrets", record["redacted"]
    if record["verdict"]:
        yield "differences", record["verdict"]["differences"]
    yield "said", list(describe_annotations(record))


def describe_parameter(fact: ParameterFact) -> str:
    """Return a parameter in a line, with the file that it is from: a command line often has the same name again."""
    source = "" if fact["source"] == "command line" else f" ({fact['source']})"
    return f"{fact['name']} = {fact['value']}{source}"


def describe_program(fact: ExecutableFact) -> str:
    """Return a program in a line; one of no package with what it was compiled by."""
    built = (fact["compiler"], fact["compiler_flags"]) if fact["package"] is None else ()
    told = ", ".join(filter(None, built))
    return " ".join(filter(None, (fact["path"], fact["version"]))) + (f" ({told})" if told else "")


def describe_rank(fact: Json) -> str:
    """Return a rank of a parallel run in a line: where it ran, how it ended, how long it took."""
    usage = fact.get("usage")
    wall = usage.get("wall") if isinstance(usage, dict) else None
    code, signal = fact.get("exit_code"), fact.get("signal")
    ended = f"signal {signal}" if signal is not None else "unknown" if code is None else f"exit status {code}"
    took = f", {write_seconds(wall)}" if isinstance(wall, int | float) else ""
    return f"{fact.get('rank')} on {fact.get('host') or 'an unknown host'}: {ended}{took}"


def describe_end(record: Record) -> str:
    """Return how a run ended."""
    if record["signal"] is not None:
        return f"{record['status']} by signal {record['signal']}"
    return record["status"] if record["exit_code"] is None else f"{record['status']}, exit status {record['exit_code']}"


def describe_usage(record: Record) -> str | None:
    """Return how long a run took."""
    usage = record["usage"]
    if usage["wall"] is None:
        return None
    cpu = [f"{write_seconds(usage[key])} {key}" for key in ("user", "system") if usage[key] is not None]
    return write_seconds(usage["wall"]) + (f" ({', '.join(cpu)})" if cpu else "")


def describe_branch(branch: str | None) -> str:
    """Return the words on a branch."""
    return f" ({branch})" if branch else ""


def shorten_digest(digest: str | None) -> str:
    """Return the beginning of a digest, as wide where there is none."""
    return (digest or "-")[:_SHOWN_DIGITS].ljust(_SHOWN_DIGITS)


def describe_file(file: FileFact) -> str:
    """Return a file in a line."""
    size = "" if file["size"] is None else format_size(file["size"])
    problem = f" ({file['problem']})" if file["problem"] else ""
    return f"{shorten_digest(file['sha256'])}  {size:>10}  {file['path']}{problem}"


def describe_stream(title: str, stream: StreamFact | None, most: int) -> Iterable[str]:
    """Yield what was printed."""
    if stream is None or not stream["text"]:
        return
    lines = stream["text"].splitlines()
    yield f"{title}{' (cut)' if stream['cut'] else ''}:"
    yield from (f"  {line}" for line in lines[:most])
    if len(lines) > most:
        yield f"  and {count(len(lines) - most, 'more line')} (--all shows them)"


def describe_annotations(record: Record) -> Iterator[str]:
    """Yield who said what, and when."""
    for one in record["annotations"]:
        words = [f"{key} {one[key]!r}" for key in ("label", "reason", "outcome") if one[key] is not None]
        words += [f"+{tag}" for tag in one["add_tags"]] + [f"-{tag}" for tag in one["remove_tags"]]
        yield f"{write_moment(read_time(one['at']))} {one['by'] or 'somebody'}: {', '.join(words)}"
