"""What of a trace is secret and what becomes of it: decided as the manifest says, and carried out on what ran."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from rtrace.files.patterns import Patterns
from rtrace.manifest.model import Notice, Secret, SecretPack, locate_program
from rtrace.printable import printable
from rtrace.privacy.rewriting import DatabaseRewriter
from rtrace.privacy.rules.spellings import find_values, make_known_rule
from rtrace.privacy.searching.matching import IN_ARGUMENTS, Matcher, make_matcher
from rtrace.privacy.searching.scan import find_in_arguments, find_in_variable

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Iterable, Sequence
    from pathlib import Path

    from rtrace.manifest.model import Run
    from rtrace.privacy.rules.rule import Rule
    from rtrace.privacy.searching.matching import Span

REDACTED = b"redacted"
_MOST_KNOWN = 2_000
"""Values that are looked for everywhere; with more of them, what is found looks like secrets and is none."""

Environ = tuple[tuple[bytes, "bytes | None"], ...]


class Concealment:
    """Decides on secrets as they are found, and remembers them.

    Values that look random are known from then on, wherever else they stand. What is found is listed by `secrets`.
    """

    def __init__(self, asked: Iterable[Secret]) -> None:
        """Take what a manifest says of secrets."""
        self._asked = tuple(asked)
        self._patterns = {
            secret: Patterns([secret.place[5:].encode("utf-8", "surrogateescape")])
            for secret in self._asked
            if secret.place.startswith("file /")
        }
        self._used: set[Secret] = set()
        self._found: dict[tuple[str, str], Secret] = {}
        self._known: set[bytes] = set()
        self._allowed: set[bytes] = set()
        self._matcher: Matcher | None = None
        self.concerns_trace = False
        """Whether there is something to be changed in the trace database."""

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """What was found, sorted by place, and what became of it."""
        return tuple(self._found[key] for key in sorted(self._found))

    @property
    def unused(self) -> tuple[Notice, ...]:
        """Tell what the manifest says of secrets that are not there."""
        return tuple(
            Notice("secret", f"nothing secret was found for {secret.place}", "correct it under `secrets:`")
            for secret in self._asked
            if secret not in self._used
        )

    @property
    def known(self) -> tuple[bytes, ...]:
        """Values that are secret wherever they stand, sorted."""
        return tuple(sorted(self._known))

    def decide(self, place: str, rule: Rule, what: str, default: SecretPack, path: bytes | None = None) -> SecretPack:
        """Say what becomes of a secret: the first thing that the manifest says of it, else the default."""
        known = self._found.get((place, rule.id))
        if known is not None:
            return known.pack
        pack = default
        for secret in self._asked:
            if secret.rule not in {None, rule.id}:
                continue
            pattern = self._patterns.get(secret)
            if secret.place == place or (path is not None and pattern is not None and pattern.match(path)):
                self._used.add(secret)
                pack = secret.pack
                break
        self._found[place, rule.id] = Secret(place, rule.id, what, pack)
        return pack

    def conceal_environment(self, environ: Environ) -> Environ:
        """Give an environment without its secrets."""
        kept: list[tuple[bytes, bytes | None]] = []
        for number, (name, value) in enumerate(environ, 1):
            text = name if value is None else name + b"=" + value
            spans = find_in_variable(name, value) or self._find_known(text)
            if spans:
                place = f"item {number} of the environment" if value is None else f"variable {printable(name)}"
                rules = dict.fromkeys(span.rule for span in spans)
                packs = {self.decide(place, rule, rule.what, SecretPack.REDACTED) for rule in rules}
                self._learn([name if value is None else value, *(text[span.begin : span.end] for span in spans)], packs)
                if SecretPack.LEFT_OUT in packs:
                    continue
                if SecretPack.REDACTED in packs:
                    kept.append((REDACTED, None) if value is None else (name, REDACTED))
                    continue
            kept.append((name, value))
        return tuple(kept)

    def conceal_arguments(self, program: bytes, argv: Sequence[bytes]) -> tuple[bytes, ...]:
        """Give the arguments of a program without their secrets."""
        cuts: dict[int, list[tuple[int, int]]] = {}
        for found in find_in_arguments(argv):
            place = f"argument {found.number} of {printable(program)}"
            pack = self.decide(place, found.rule, found.rule.what, SecretPack.REDACTED)
            self._learn([argv[found.holder][found.begin : found.end]], {pack})
            if pack is not SecretPack.AS_IT_IS:
                cuts.setdefault(found.holder, []).append((found.begin, found.end))
        for number, item in enumerate(argv) if self._known else ():
            for span in self._find_known(item):
                if not any(begin <= span.begin and span.end <= end for begin, end in cuts.get(number, ())):
                    place = f"argument {number} of {printable(program)}"
                    pack = self.decide(place, span.rule, span.rule.what, SecretPack.REDACTED)
                    self._learn([item[span.begin : span.end]], {pack})
                    if pack is not SecretPack.AS_IT_IS:
                        cuts.setdefault(number, []).append((span.begin, span.end))
        if not cuts:
            return tuple(argv)
        return tuple(_cut(item, cuts.get(number, ())) for number, item in enumerate(argv))

    def conceal_run(self, run: Run) -> Run:
        """Give a run without the secrets of its arguments and environment."""
        return replace(
            run,
            argv=self.conceal_arguments(run.program, run.argv),
            environ=self.conceal_environment(run.environ),
        )

    def look_at_trace(self, connection: sqlite3.Connection) -> None:
        """Find the secrets of every execution."""
        executed = connection.execute(
            "SELECT DISTINCT paths.path, argv, x'2f' FROM executions JOIN paths ON paths.id = executions.path"
            " UNION SELECT binary, argv, workingdir FROM runs"
        )
        for binary, argv, workingdir in executed:
            program = locate_program(binary, workingdir)
            self.concerns_trace |= self._conceal_argv(program, argv) != argv
        for (content,) in connection.execute("SELECT content FROM environments UNION SELECT environ FROM runs"):
            self.concerns_trace |= self._conceal_environ(content) != content

    def conceal_database(self, database: Path) -> None:
        """Take the secrets out of a copy of the trace database, leaving nothing of them in free pages."""
        if not (self.concerns_trace or self._known):
            return
        rewriter = DatabaseRewriter(database)
        rewriter.rewrite_column(
            "SELECT executions.id, argv, paths.path FROM executions JOIN paths ON paths.id = executions.path",
            "UPDATE executions SET argv = ? WHERE id = ?",
            lambda row: self._conceal_argv(row[2], row[1]),
        )
        rewriter.rewrite_column(
            "SELECT id, argv, binary, workingdir FROM runs",
            "UPDATE runs SET argv = ? WHERE id = ?",
            lambda row: self._conceal_argv(locate_program(row[2], row[3]), row[1]),
        )
        for table, column in (("environments", "content"), ("runs", "environ")):
            rewriter.rewrite_column(
                f"SELECT id, {column} FROM {table}",  # noqa: S608 -- names that stand here
                f"UPDATE {table} SET {column} = ? WHERE id = ?",  # noqa: S608
                lambda row: self._conceal_environ(row[1]),
            )
        if self._known:
            rewriter.rewrite_everything(self.conceal)
        rewriter.finish()

    def conceal_address(self, place: str, address: str) -> str:
        """Give an address without its secrets."""
        text = address.encode("utf-8", "surrogateescape")
        cuts = []
        for span in make_matcher(IN_ARGUMENTS).find(text):
            pack = self.decide(place, span.rule, span.rule.what, SecretPack.REDACTED)
            self._learn([text[span.begin : span.end]], {pack})
            if pack is not SecretPack.AS_IT_IS:
                cuts.append((span.begin, span.end))
        return _cut(text, cuts).decode("utf-8", "surrogateescape")

    def learn(self, values: Iterable[bytes], packs: Collection[SecretPack]) -> None:
        """Know values from now on, or that they may stand wherever nothing else finds them."""
        found = set(values)
        if set(packs) == {SecretPack.AS_IT_IS}:
            self._allowed |= found
        elif len(self._known) < _MOST_KNOWN:
            self._known |= found
        self._known -= self._allowed
        self._matcher = None

    def is_known_in(self, content: bytes) -> bool:
        """Tell whether bytes hold a known value."""
        return bool(self._find_known(content))

    def conceal(self, content: bytes) -> bytes:
        """Give bytes without the known values."""
        return _cut(content, [(span.begin, span.end) for span in self._find_known(content)])

    def _find_known(self, content: bytes) -> list[Span]:
        if not self._known:
            return []
        if self._matcher is None:
            self._matcher = Matcher([make_known_rule(self._known)])
        return self._matcher.find(content)

    def _learn(self, texts: Iterable[bytes], packs: Collection[SecretPack]) -> None:
        """Know what tells of these secrets."""
        self.learn([value for text in texts for value in find_values(text)], packs)

    def _conceal_argv(self, program: bytes, blob: bytes) -> bytes:
        items = blob.removesuffix(b"\0").split(b"\0") if blob else []
        return b"".join(item + b"\0" for item in self.conceal_arguments(program, items))

    def _conceal_environ(self, blob: bytes) -> bytes:
        items = (item.partition(b"=") for item in (blob.removesuffix(b"\0").split(b"\0") if blob else []))
        kept = self.conceal_environment(tuple((name, value if equals else None) for name, equals, value in items))
        return b"".join((name if value is None else name + b"=" + value) + b"\0" for name, value in kept)


def _cut(item: bytes, places: Collection[tuple[int, int]]) -> bytes:
    """Write REDACTED in some places of a text, which may overlap."""
    if not places:
        return item
    done, parts = 0, []
    for begin, end in sorted(places):
        if begin >= done:
            parts += [item[done:begin], REDACTED]
        done = max(done, end)
    return b"".join((*parts, item[done:]))
