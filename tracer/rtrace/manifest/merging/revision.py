"""A manifest written again beside a person's own words: comments, blank lines, order, quotes and layout stay.

The earlier text is not written anew. It and what `render` makes of the new manifest are parsed, and where the two trees
differ, the characters of that place are exchanged:

    earlier tree  ┐                ┌ the same             the text stays
                  ├ pair by pair ──┼ another scalar       its characters are replaced
    rendered tree ┘                ├ only in the new one  its lines are put after those of the item before it
                                   └ only in the earlier  its lines go; comments among them stay

The result is read again before it is believed.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rtrace.errors import ManifestError
from rtrace.manifest.environments import PREFIX, find_same
from rtrace.manifest.merging.children import ChildNode, find_scalars, goes_without_saying, is_empty, list_children
from rtrace.manifest.merging.own_comments import COMMENT, GENERATED, add_comments_of
from rtrace.manifest.merging.patch import Patch
from rtrace.manifest.reading.load import load
from rtrace.manifest.reading.nodes import Mapping, Node, Scalar, Sequence, parse
from rtrace.manifest.render import FOLDER, SIZE, render, render_folders

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator

    from rtrace.manifest.model import Manifest

_SIZE_BEHIND = re.compile(rf"([ \t]*# )({SIZE.pattern})")
_PATH = r'(?:!!binary )?"(?:[^"\\\n]|\\.)*"|/\S*'
_FOLDER_LINE = re.compile(
    rf"^(?P<start>{FOLDER.pattern})(?P<path>{_PATH})[ \t]*(?P<rest>[^\r\n]*)\r?(?:\n|\Z)", re.MULTILINE
)


def write_again(manifest: Manifest, earlier: str | None) -> str:
    """Write a manifest as YAML: as `render` does, or with all that a person has put into an earlier text of it."""
    if earlier is None:
        return render(manifest)
    earlier = earlier.removeprefix("\ufeff")
    try:
        rendered = render(
            replace(manifest, folders=()), find_same(manifest.runs, _find_environments(parse(earlier, "earlier")))
        )
        revised = revise(earlier, rendered, render_folders(manifest.folders))
        if load(revised) == manifest:
            return revised
    except ManifestError:
        pass
    return add_comments_of(earlier, render(manifest))


def revise(earlier: str, rendered: str, folders: str = "") -> str:
    """Return the earlier text with the values of the rendered one, and the comment that lists folders.

    Raises ManifestError when one of them is not YAML.

    In cases that nobody is likely to write (an item of a list in brackets gone and another one come at its place) the
    result may say something else, or not be YAML: read it.
    """
    old, new = parse(earlier, "earlier"), parse(rendered, "rendered")
    revision = _Revision(earlier, rendered)
    revision.reconcile(old, new, _Anchor(flow=False, column=-2, head=0))
    if isinstance(old, Mapping):
        revision.renew_folders(old, folders)
    return revision.patch.apply()


def _find_environments(root: Node) -> dict[str, str | None]:
    """Return which run's environment each run has in an earlier text; None for one that lists its variables."""
    lists = [value for key, value in root.pairs if key.value == "runs"] if isinstance(root, Mapping) else []
    runs = [run for one in lists if isinstance(one, Sequence) for run in one.items if isinstance(run, Mapping)]
    found: dict[str, str | None] = {}
    for run in runs:
        pairs = {key.value: value for key, value in run.pairs}
        name, environ = pairs.get("id"), pairs.get("environ")
        if isinstance(name, Scalar):
            found[name.value] = environ.value.removeprefix(PREFIX) if isinstance(environ, Scalar) else None
    return found


@dataclass(frozen=True, slots=True)
class _Anchor:
    """Where a node hangs: whether in brackets, the column of the key or dash above it, and where that ends."""

    flow: bool
    column: int
    head: int


class _Revision:
    """The two texts, and what has to be changed in the earlier one."""

    def __init__(self, earlier: str, rendered: str) -> None:
        self.patch = Patch(earlier)
        self._old = earlier
        self._new = rendered
        self._source = Patch(rendered)

    def reconcile(self, old: Node, new: Node, place: _Anchor) -> None:
        """Make an earlier node say what the new one says."""
        if isinstance(old, Scalar) and isinstance(new, Scalar):
            if (old.value, old.binary) != (new.value, new.binary):
                self._replace(old, new, place)
        elif is_empty(old) or is_empty(new):
            if not (is_empty(old) and is_empty(new)):
                self._replace(old, new, place)
        elif (isinstance(old, Mapping) and isinstance(new, Mapping)) or (
            isinstance(old, Sequence) and isinstance(new, Sequence)
        ):
            self._reconcile_children(old, new, place)
        else:
            self._replace(old, new, place)

    def _reconcile_children(self, old: Mapping | Sequence, new: Mapping | Sequence, place: _Anchor) -> None:
        children = list_children(old)
        waiting: dict[Hashable, list[ChildNode]] = defaultdict(list)
        for child in reversed(children):
            waiting[child.identity].append(child)
        before: ChildNode | None = None
        before_new: ChildNode | None = None
        for wanted in list_children(new):
            if waiting[wanted.identity]:
                before = waiting[wanted.identity].pop()
                self.reconcile(before.value, wanted.value, self._place_below(old, before))
                if not old.flow and (isinstance(before.value, Scalar) or before.value.flow):
                    self._renew_size(before, wanted)
            elif wanted.key is None or not goes_without_saying(wanted):
                self._insert(old, before, new, before_new, wanted, place)
            before_new = wanted
        left_over = [child for group in waiting.values() for child in group]
        gone = [child for child in left_over if child.key is None or not goes_without_saying(child)]
        for child in gone:
            leading = all(one in gone for one in children[: children.index(child)])
            self._remove(old, children, child, leading=leading)

    def _place_below(self, holder: Mapping | Sequence, child: ChildNode) -> _Anchor:
        return _Anchor(holder.flow, self._column(child), child.key.end if child.key else child.start)

    def _column(self, child: ChildNode) -> int:
        """Return in which column a child's key or dash stands."""
        start = child.start if child.key else self._old.rfind("-", 0, child.start)
        return start - self.patch.line_start(start)

    def _end_of_lines(self, child: ChildNode) -> int:
        """Return where the lines of a child of a block end, with comments that are indented below it."""
        end = self.patch.line_end(child.start, child.value.end)
        below = re.compile(rf"[ ]{{{self._column(child) + 1},}}#[^\n]*(?:\n|\Z)")
        while found := below.match(self._old, end):
            end = found.end()
        return end

    def _insert(
        self,
        old: Mapping | Sequence,
        before: ChildNode | None,
        new: Mapping | Sequence,
        before_new: ChildNode | None,
        wanted: ChildNode,
        place: _Anchor,
    ) -> None:
        """Put a child that is new after the one that comes before it, or at the beginning."""
        if old.flow:
            text = self._in_brackets(wanted)
            if before is None:
                self.patch.insert(old.start + 1, f"{text}, ")
            else:
                self.patch.insert(before.value.end, f", {text}")
            return
        column = self._column(list_children(old)[0])
        if new.flow:
            lines = f"{' ' * column}{'' if wanted.key else '- '}{self._in_brackets(wanted)}\n"
        else:
            if before_new is None:
                start = self._source.line_start(wanted.start)
            else:  # with the blank line and the comment above it
                start = self._source.line_end(before_new.start, before_new.value.end)
            lines = self._new[start : self._source.line_end(wanted.start, wanted.value.end)]
            lines = _indent(lines, column)
        where = self._end_of_lines(before) if before else self.patch.line_end(place.head, place.head)
        self.patch.insert_lines(where, lines)

    def _in_brackets(self, child: ChildNode) -> str:
        """Write a new child as part of a list or mapping in brackets."""
        value = self._flow(child.value)
        return f"{self._new[child.key.start : child.key.end]}: {value}" if child.key else value

    def _flow(self, node: Node) -> str:
        if isinstance(node, Scalar) or node.flow:
            return self._new[node.start : node.end]
        inner = ", ".join(map(self._in_brackets, list_children(node)))
        return f"{{{inner}}}" if isinstance(node, Mapping) else f"[{inner}]"

    def _replace(self, old: Node, new: Node, place: _Anchor) -> None:
        """Exchange a whole value."""
        inline = isinstance(new, Scalar) or new.flow
        if inline or place.flow:
            text = self._flow(new)
            if old.start == old.end and not self._old[: old.start].endswith((" ", "\n")):
                text = " " + text
            self.patch.replace(old.start, old.end, text + "\n" * self._old[old.start : old.end].endswith("\n"))
            return
        start, end = self._source.line_start(new.start), self._source.line_end(new.start, new.end)
        lines = _indent(self._new[start:end], place.column + 2)
        if isinstance(old, Scalar) or old.flow:
            blank = len(self._old[: old.start].rstrip(" "))
            self.patch.replace(blank, old.end, "")
            self.patch.insert_lines(self.patch.line_end(old.start, old.end), lines)
        else:
            start, end = self.patch.line_start(old.start), self.patch.line_end(old.start, old.end)
            self.patch.replace(start, end, lines)

    def _remove(
        self, holder: Mapping | Sequence, children: list[ChildNode], child: ChildNode, *, leading: bool
    ) -> None:
        """Take a child out, with the comma behind it if it is a leading one; comments among its lines stay."""
        index = children.index(child)
        if holder.flow:
            if not leading:
                self.patch.replace(children[index - 1].value.end, child.value.end, "")
            elif index + 1 < len(children):
                self.patch.replace(child.start, children[index + 1].start, "")
            else:
                self.patch.replace(child.start, child.value.end, "")
            return
        start = self.patch.line_start(child.start)
        end = self.patch.line_end(child.start, child.value.end)
        indent = " " * self._column(child)
        comments = [comment for comment in self._comments(child, start, end) if not GENERATED.match(comment)]
        self.patch.replace(start, end, "".join(f"{indent}{comment}\n" for comment in comments))

    def _comments(self, child: ChildNode, start: int, end: int) -> Iterator[str]:
        """Yield the comments of some lines: what begins with # outside of scalars."""
        spans = list(find_scalars(child))
        for found in COMMENT.finditer(self._old, start, end):
            if not any(first <= found.start() < last for first, last in spans):
                yield found[0]

    def _renew_size(self, old: ChildNode, new: ChildNode) -> None:
        """Update the human-readable size in a line's trailing comment."""
        earlier = _SIZE_BEHIND.match(self._old, old.value.end)
        wanted = _SIZE_BEHIND.match(self._new, new.value.end)
        if earlier and wanted and earlier[2] != wanted[2]:
            self.patch.replace(earlier.start(2), earlier.end(2), wanted[2])

    def renew_folders(self, old: Mapping, block: str) -> None:
        """Update the comment that lists the experiment's folders."""
        known = list(_FOLDER_LINE.finditer(self._old))
        if known:
            behind = {line["path"]: line["rest"] for line in known if line["rest"]}
            lines = []
            for fresh in _FOLDER_LINE.finditer(block):
                note = behind.pop(fresh["path"], "")
                lines.append(f"{fresh['start']}{fresh['path']}{' ' if note else ''}{note}\n")
            lines += [f"{note if note.startswith('#') else '# ' + note}\n" for note in behind.values()]
            self.patch.replace(known[0].start(), known[0].end(), "".join(lines))
            for line in known[1:]:
                self.patch.replace(line.start(), line.end(), "")
        elif block:
            sections = {child.identity: child for child in list_children(old)}
            before = sections.get("completion") or sections.get("packages")
            self.patch.insert_lines(self._end_of_lines(before) if before else len(self._old), block)


def _indent(lines: str, column: int) -> str:
    """Move lines so that the first one that says something begins at a column."""
    have = next(len(line) - len(line.lstrip(" ")) for line in lines.split("\n") if line.strip(" ") and line[0] != "#")
    shift = column - have
    if shift >= 0:
        return re.sub(r"^(?=[ ]*[^\s#])", " " * shift, lines, flags=re.MULTILINE)
    return re.sub(rf"^[ ]{{{-shift}}}", "", lines, flags=re.MULTILINE)
