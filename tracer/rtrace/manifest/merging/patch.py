"""Changes of a text, noted by offset and made all at once."""

from __future__ import annotations


class Patch:
    """A text and what is to be changed in it; new lines end as its first one does."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._edits: list[tuple[int, int, str]] = []
        self._break = "\r\n" if text.partition("\n")[0].endswith("\r") else "\n"

    def line_start(self, offset: int) -> int:
        """Return where the line begins that an offset is in."""
        return self._text.rfind("\n", 0, offset) + 1

    def line_end(self, start: int, end: int) -> int:
        """Return where the last line of something ends, its line break included."""
        found = self._text.find("\n", max(start, end - 1))
        return len(self._text) if found < 0 else found + 1

    def replace(self, start: int, end: int, text: str) -> None:
        """Put a text in the place of another."""
        self._edits.append((start, end, text.replace("\n", self._break)))

    def insert(self, offset: int, text: str) -> None:
        """Put a text between two characters, after what was inserted there before."""
        self.replace(offset, offset, text)

    def insert_lines(self, offset: int, lines: str) -> None:
        """Put whole lines where a line begins, or after a last line that has no end."""
        at_start = offset == 0 or self._text[offset - 1] == "\n"
        self.insert(offset, lines if at_start else "\n" + lines)

    def apply(self) -> str:
        """Return the changed text."""
        parts = []
        done = 0
        for start, end, text in sorted(self._edits, key=lambda edit: edit[:2]):
            parts += [self._text[done:start], text]
            done = max(done, end)
        return "".join((*parts, self._text[done:]))
