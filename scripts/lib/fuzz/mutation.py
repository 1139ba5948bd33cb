"""Mutations that know what they change: one section of the open form, a line of it, a word of a line."""

import random
from collections.abc import Callable

from fuzz.sections import join, split

Mutate = Callable[[bytes, int], bytes]
"""What changes bytes, knowing nothing of them: takes the bytes and the most that may come out."""

_LETTERS = b"LDINWSFOPRXC1zgbxtBXUdoeA"
WORDS = (
    *(b"/", b"/../../etc/x", b"..", b".", b"/a/../b", b"//", b"/\0", b"/dev/null", b"/proc/self/root", b"DATA/", b"./"),
    *(b"DATA/../x", b"/etc/passwd", b"../../..", b"/" + b"n" * 256, b"/n" * 2048, b"\\ud800", b"\\u0000", b"\xff"),
    *(b"e\xcc\x81", b"\xc3\xa9", b"\xe2\x80\xae", b"\x1b[2J", b"-1", b"0", b"1", b"511", b"4095", b"4294967295"),
    *(b"9223372036854775807", b"9223372036854775808", b"-9223372036854775809", b"1e999", b"NaN", b"1" * 5000),
    *(b"true", b"null", b"[]", b"{}", b'""', b'{"base64":"AA=="}', b'{"base64":"!"}', b"[" * 500, b"file", b"fifo"),
    *(b"directory", b"symlink", b"block", b"&a", b"*a", b"!!binary", b"!!python/object:os.system", b"? ", b"- ", b"~"),
    *(b"%TAG ! x", b"---\n", b"...\n", b"<<: *a", b"|\n", b">-\n", b'"', b"'", b"#", b"\t", b"\r", b"\xc2\x85"),
    *(b'"placeholder":true', b'"link":"/a"', b'"target":"/"', b'"size":1', b'"offset":0', b'"mode":4095'),
    *(b"0|DATA/a||x", b"2|DATA/l|/etc|", b"1|DATA/h|DATA/a|", b"3|DATA/c||", b"x|p||12 path=a\n", b"L|l||name"),
)


def mutate_sections(content: bytes, most: int, seed: int, mutate: Mutate) -> bytes:
    """Change one section, by its lines or words or bytes; now and then all of it, blindly."""
    chance = random.Random(seed)  # noqa: S311 -- the fuzzer says which mutation it wants
    parts = split(content)
    if not parts or chance.random() < 0.05:  # noqa: PLR2004
        return mutate(content, most)
    if chance.random() < 0.08:  # noqa: PLR2004
        plan = bytearray(parts.get("plan", b""))
        letter = chance.choice(_LETTERS)
        parts = {
            "plan": bytes(plan.replace(bytes([letter]), b"") if letter in plan else plan + bytes([letter])),
            **parts,
        }
    name = chance.choice(list(parts))
    parts[name] = mutate_lines(parts[name], most, chance, mutate)
    return join(parts)[:most]


def mutate_lines(content: bytes, most: int, chance: random.Random, mutate: Mutate) -> bytes:
    """Change a line, or a word in one, or some bytes."""
    lines = content.splitlines(keepends=True)
    match chance.randrange(8) if lines else 7:
        case 0:
            lines.insert(chance.randrange(len(lines) + 1), chance.choice(lines))
        case 1:
            del lines[chance.randrange(len(lines))]
        case 2:
            first, second = chance.randrange(len(lines)), chance.randrange(len(lines))
            lines[first], lines[second] = lines[second], lines[first]
        case 3 | 4:
            place = chance.randrange(len(lines))
            lines[place] = _put_word(lines[place], chance)
        case 5:
            place = chance.randrange(len(lines))
            lines[place] = mutate(lines[place], len(lines[place]) + 64)
        case _:
            return mutate(content, max(1, min(most, len(content) + 256)))
    return b"".join(lines)


def _put_word(line: bytes, chance: random.Random) -> bytes:
    """Put a word in the place of a value, or anywhere."""
    borders = [place for place, byte in enumerate(line) if byte in b'":,|= '] + [len(line.rstrip(b"\n"))]
    start = chance.choice(borders) + 1
    end = next((border for border in borders if border >= start), start)
    if chance.random() < 0.3:  # noqa: PLR2004
        end = start
    return line[:start] + chance.choice(WORDS) + line[end:]
