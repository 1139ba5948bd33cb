"""Reports of verifications with results of all kinds, hostile ones among them, and what is told beside them."""

from __future__ import annotations

import struct
import zlib

from rtrace.manifest.model import Notice
from rtrace.operations.verifying.account import Account, Beside, RunAccount, Step
from rtrace.printable import printable_text
from rtrace.verify.exhibits.model import Exhibit, Lines, Pair, Picture, Row, Side
from rtrace.verify.kinds.model import Judgement
from rtrace.verify.verdicts import Line, Replayed, Report

MARKUP = (
    "</textarea></script></title></style><script>owned = 1</script><img src=x onerror='owned = 1'>"
    "<a href='javascript:owned = 1' autofocus onfocus='owned = 1'>x</a>\"'><svg onload='owned = 1'>"
    "{{ 7 * 7 }}{% raw %}<style>*{display:none}</style><meta http-equiv=refresh content='0;url=https://evil.example'>"
    "<iframe src='https://evil.example'></iframe>&lt;b&gt;]]>"
)


REPLAYED = Replayed("run1", 0, 2.5, None, 50 << 20, is_most=True)


def make_png(width: int = 4, height: int = 3) -> bytes:
    """Return a picture that is red all over."""
    rows = zlib.compress((b"\0" + b"\xff\0\0" * width) * height)
    parts = ((b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)), (b"IDAT", rows), (b"IEND", b""))
    number = struct.Struct(">I").pack
    chunks = (number(len(data)) + name + data + number(zlib.crc32(name + data)) for name, data in parts)
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def make_report(text: str = "value", *, extra: tuple[Line, ...] = ()) -> Report:
    """Return a report with a line of each kind; the text is what is in all of it, in exhibits as they have it."""
    name, shown = text.encode("utf-8", "surrogatepass"), printable_text(text)
    sides = Side(1, shown, ((0, 1),)), Side(1, shown[::-1], ((0, 2),))
    lines = Exhibit(lines=(Lines(*sides), Lines(None, None)), note=shown)
    cells = Exhibit(columns=(shown,), rows=(Row(shown, (Pair(shown, ""),)),))
    pictures = Exhibit(pictures=tuple(Picture(one, make_png(), 4, 3) for one in ("original", "replay", "difference")))
    different = Judgement("different", "text", (text,), text, text, text, 0.5, text)
    return Report(
        (
            Line("same", "run1", None),
            Line("different", "run1", None, text, "stdout", judgement=different, exhibit=lines),
            Line("different", "run1", b"/w/" + name, text, judgement=different, exhibit=cells),
            Line("different", "run1", b"/w/1" + name, text, reasons=("size",), exhibit=pictures),
            Line("missing", "run1", b"/w/2" + name, exhibit=Exhibit(lines=(Lines(Side(1, shown), None),))),
            Line("extra", "run1", b"/w/3" + name),
            Line("unknown", "run1", b"/w/4" + name, text, reasons=("not read",)),
            Line("equal", "run1", b"/w/5" + name, text, judgement=Judgement("equal", text, (text,))),
            Line("close", "run1", b"/w/6" + name, text, judgement=Judgement("close", text, (), amount=1e-9)),
            Line("different", "run1", b"/w/7" + name, text, scope="ignored"),
            Line("different", "run1", b"/w/8" + name, text, scope="other"),
            *extra,
        ),
        notes=(text,),
        incomplete=(text,),
        others=(text,),
        seconds=12.5,
        replays=(REPLAYED,),
        not_shown=1,
    )


def make_account(text: str = "value") -> Account:
    """Return an account in which everything that a bundle says is this text."""
    return Account(
        bundle=text,
        identity=f"sha256:{'7' * 64}",
        size=1 << 20,
        maker=text,
        unpacker="chroot",
        verified=1_800_000_000.0,
        runs=(RunAccount("run1", ("python3", text), f"/w/{text}", 1_700_000_000.0, 0, 2.25, 40 << 20, REPLAYED),),
        machine=(Beside("processor", text, "another"), Beside("memory", "", "8 GiB")),
        notices=(Notice("network", text, text),),
        steps=(Step("the same verification", f"rtrace verify {text}"),),
    )
