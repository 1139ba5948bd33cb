"""Kinds of secrets: each is found where people leave it, and what only looks like one is not."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import pickle
import re
import sqlite3
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from rtrace.privacy.rules.table import RULES
from rtrace.privacy.searching import containers
from rtrace.privacy.searching.scan import find_in_file, scan_file
from secret_kinds import CLEAN, PLANTED, Kind, read_gitleaks_kinds
from secret_planting import ANYWHERE, ARGUMENTS, FILES, VARIABLES, Planter

HOME = b"/home/reader/"
LEAST = 10
"""Bytes from which on a made-up value is a secret, and no number of a secret."""


def hide(path: bytes, content: bytes) -> bytes:
    """Return a content with what was found to be secret made unreadable; nothing of a file that is one as a whole."""
    left = bytearray(content)
    for found in find_in_file(path, [content]):
        if found.rule.pattern is None:
            return b""
        left[found.begin : found.end] = b"\1" * (found.end - found.begin)
    return bytes(left)


@pytest.mark.parametrize("number", range(len(PLANTED)), ids=[name for name, _ in PLANTED])
def test_a_secret_is_found_where_people_leave_it(number: int) -> None:
    """Ten secrets of each of more than 106 kinds are found, all of each."""
    name, shape = PLANTED[number]
    planter = Planter(seed=number)
    for _ in range(10):
        text, values = planter.make_up(shape)
        left = hide(HOME + name.encode(), text.encode() + b"\n")
        assert [value for value in values if len(value) >= LEAST and value[-8:].encode() in left] == []


def test_there_are_enough_kinds() -> None:
    """What is planted are the 66 that were asked for, and 40 more."""
    assert len({name for name, _ in PLANTED}) == len(PLANTED) >= 106


@pytest.mark.parametrize("name", CLEAN)
def test_what_only_looks_like_a_secret_is_none(name: str) -> None:
    """Digests, ids, examples, variables to be filled in, vocabularies, pictures and styles are not told."""
    assert list(scan_file(HOME + name.encode(), [CLEAN[name].encode()])) == []


@pytest.mark.parametrize("kind", read_gitleaks_kinds(), ids=lambda kind: kind.name)
def test_a_kind_of_a_public_rule_set_is_found(kind: Kind) -> None:
    """Each kind that gitleaks knows is found by the rule that the table names, or is out of scope for a reason."""
    name, rule, shape = kind
    if rule == "-":
        assert len(shape) > 10
    elif "{" in shape:
        text = Planter(seed=len(name)).make_up(shape.replace("\\n", "\n"))[0]
        assert rule in {found.rule.id for found in find_in_file(b"/a.txt", [text.encode() + b"\n"])}
    else:
        assert rule in {found.rule.id for found in find_in_file(b"/a/study.p12", [b"x"])}


def test_the_table_names_each_kind_once() -> None:
    """The table holds more than 200 kinds of gitleaks, none twice, and only rules that there are."""
    kinds = read_gitleaks_kinds()
    assert len({kind.name for kind in kinds}) == len(kinds) > 200
    assert {kind.rule for kind in kinds} <= {rule.id for rule in RULES} | {"-"}


OTHERS = {
    "json-web-key": ("key.json", '{"kty": "EC", "d": "{43}"}'),
    "xml-key": ("key.xml", "<RSAKeyValue><Modulus>x</Modulus><D>{128}</D></RSAKeyValue>"),
    "signing-key": ("study.key", "untrusted comment: minisign encrypted secret key\n{88}"),
    "kaggle-key": ("settings.txt", '{"username": "reader", "key": "{32x}"}'),
    "password-hash": ("users.txt", "reader:$2b$12${53}"),
    "kubernetes-key": ("admin.txt", "client-key-data: {80}"),
    "service-account": ("account.json", '{"private_key_id": "{40x}"}'),
    "registry-auth": ("registry.json", '{"auths": {"x.example": {"auth": "{40}"}}}'),
    "wifi-password": ("wpa_supplicant.conf", 'network={\n  psk="{14}"\n}'),
    "login": ("study.py", 'auth=("reader", "{20}")'),
    "piped-password": ("run.sh", "echo '{14}' | sudo -S true"),
    "sql-password": ("study.sql", "CREATE USER x IDENTIFIED BY '{14}'"),
    "spoken-password": ("run.csh", "setenv X_PASSWORD {14}9"),
    "secret-field": ("study.pickle", "\x80\x04\x8c\x08password\x94\x8c\x20{32}\x94."),
    "api-header": ("run.sh", "-H 'X-Api-Key: {32}'"),
    "session-cookie": ("run.sh", "PHPSESSID={32}"),
    "url-token": ("a.txt", "https://x.example/?sid={32}"),
    "url-path-token": ("a.txt", "https://x.example/t/{32}/study"),
    "connection-string": ("a.txt", "Server=x;Uid=reader;Pwd={14};"),
    "oracle-login": ("a.txt", "jdbc:oracle:thin:reader/{14}@x"),
    "azure-devops-token": ("a.txt", "{76}AZ~DO{4}"),
    "azure-service-key": ("a.txt", "{52}Az~Se{8}"),
    "aws-bedrock-key": ("a.txt", "AB~SK{100}"),
    "tencent-key": ("a.txt", "AK~ID{32}"),
    "ibm-key": ("a.txt", "Api~Key-{8x}-{4x}-{4x}-{4x}-{12x}"),
    "openstack-token": ("a.txt", "gAA~AAAB{90}"),
    "vercel-token": ("a.txt", "vc~p_{24}"),
    "netlify-token": ("a.txt", "nf~p_{40}"),
    "supabase-key": ("a.txt", "sb~p_{40x}"),
    "snowflake-token": ("a.txt", "ver:1-hint:{12d}-did:1-ET~Ms{60}"),
    "hetzner-token": ("a.txt", "hcloud: {64}"),
    "crates-token": ("a.txt", "cargo login ci~o{32}"),
    "nuget-key": ("a.txt", "oy~2{43x}"),
    "wandb-key": ("a.txt", "local~-{40x}"),
    "wandb-hex": ("a.txt", 'wandb_key = "{40x}"'),
    "replicate-token": ("a.txt", "r~8_{37}"),
    "groq-key": ("a.txt", "gs~k_{52}"),
    "xai-key": ("a.txt", "xa~i-{80}"),
    "pinecone-key": ("a.txt", "pc~sk_{60}"),
    "langsmith-key": ("a.txt", "ls~v2_sk_{32x}_{10x}"),
    "nvidia-key": ("a.txt", "nva~pi-{64}"),
    "kaggle-token": ("a.txt", "KG~AT_{32x}"),
    "fireworks-key": ("a.txt", "f~w_{24}"),
    "cerebras-key": ("a.txt", "cs~k-{48x}"),
    "together-key": ("a.txt", "tg~p_v1_{43}"),
    "voyage-key": ("a.txt", "p~a-{43}"),
    "elevenlabs-key": ("a.txt", "s~k_{48x}"),
    "assistant-key": ("a.txt", "tv~ly-{32}"),
    "airtable-token": ("a.txt", "airtable pa~t{14}.{64x}"),
    "asana-token": ("a.txt", "1/1{15d}:{32x}"),
    "figma-token": ("a.txt", "fi~gd_{40}"),
    "discord-token": ("a.txt", "discord M{25}.{6}.{38}"),
    "square-legacy-token": ("a.txt", "EA~AA{60}"),
    "webhook": ("a.txt", "https://disc~ord.com/api/webhooks/{18d}/{68}"),
}


def test_each_rule_has_a_secret_to_find() -> None:
    """No rule is there for nothing: each finds one that is made up for it."""
    shapes = {kind.rule: ("a.txt", kind.shape.replace("\\n", "\n")) for kind in read_gitleaks_kinds()}
    shapes |= {rule: ("a.txt", shape) for rule, shape in ANYWHERE.items()} | FILES | OTHERS
    rest = {rule.id for rule in RULES} - VARIABLES.keys() - ARGUMENTS.keys() - {"random-variable"}
    assert rest - shapes.keys() == set()
    for number, rule in enumerate(sorted(rest)):
        name, shape = shapes[rule]
        text = Planter(seed=number).make_up(shape)[0]
        found = {one.rule.id for one in find_in_file(HOME + name.encode(), [text.encode("latin-1") + b"\n"])}
        assert rule in found, (rule, found)


WIDE = ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig")


@pytest.mark.parametrize("encoding", WIDE)
@pytest.mark.parametrize("before", [0, 3, 40000])
def test_wide_characters_are_read_as_text(encoding: str, before: int) -> None:
    """A secret in UTF-16 or UTF-32, with a mark at the beginning or without, is found on its line, and where it is."""
    secret = Planter().make_up("gh~p_{36}")[0]
    content = ("a line\n" * before + f"pässword of {secret}\nand more\n" * 2).encode(encoding)
    if before == 0 and encoding in {"utf-16-le", "utf-16-be"}:
        content += "and still more\n".encode(encoding)
    parts = [content[at : at + 65537] for at in range(0, len(content), 65537)]
    places = [found.place for found in scan_file(b"/a", parts)]
    assert places == [f"/a: line {before + 1}", f"/a: line {before + 3}"]
    assert {content[one.begin : one.end] for one in find_in_file(b"/a", parts)} == {
        secret.encode(encoding.removesuffix("-sig") if encoding[-1].isalpha() else f"{encoding}-le")
    }


def make_zip(name: str, content: bytes) -> bytes:
    """Pack a file as zip."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return file.getvalue()


def make_tar(name: str, content: bytes) -> bytes:
    """Pack a file as tar."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        info = tarfile.TarInfo(name)
        info.size = len(content)
        archive.addfile(info, io.BytesIO(content))
    return file.getvalue()


PACKED: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "zip": ("a/.env", lambda content: make_zip("a/.env", content)),
    "tar": ("a/.env", lambda content: make_tar("a/.env", content)),
    "tar.gz": ("a/.env", lambda content: gzip.compress(make_tar("a/.env", content))),
    "tar.bz2": ("a/.env", lambda content: bz2.compress(make_tar("a/.env", content))),
    "tar.xz": ("a/.env", lambda content: lzma.compress(make_tar("a/.env", content))),
    "tar.zst": ("a/.env", lambda content: zstandard.compress(make_tar("a/.env", content))),
    "zip in zip": ("b.zip/a/.env", lambda content: make_zip("b.zip", make_zip("a/.env", content))),
    "zip in tar.gz": ("b.zip/a/.env", lambda content: gzip.compress(make_tar("b.zip", make_zip("a/.env", content)))),
    "wide text": ("a/.env", lambda content: make_zip("a/.env", content.decode().encode("utf-16"))),
}


@pytest.mark.parametrize("kind", PACKED)
def test_what_is_packed_in_a_file_is_searched(kind: str) -> None:
    """Of archives, compressed or in each other, the member is told in which a secret is, by that member's own rules."""
    member, pack = PACKED[kind]
    content = pack(b"# settings of the study, to be kept\n" + Planter().make_up("DB_PASSWORD={14}\n")[0].encode())
    assert [found.place for found in scan_file(b"/a.x", [content])] == [f"/a.x: in {member}"]


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress, zstandard.compress, zlib.compress])
def test_compressed_files_are_searched(compress: Callable[[bytes], bytes]) -> None:
    """A compressed file is searched as what it is without its last ending."""
    content = compress(Planter().make_up("DB_PASSWORD={14}\n")[0].encode())
    assert [(found.rule, found.place) for found in scan_file(b"/.env.gz", [content])] == [
        ("secret-setting", "/.env.gz: in .env")
    ]


def test_a_damaged_archive_is_searched_as_far_as_it_goes() -> None:
    """What comes before the damage is found; text that begins as compressed data does is searched as text."""
    content = gzip.compress(Planter().make_up('api_key = "{32}"\n')[0].encode() * 1000)
    assert [found.rule for found in scan_file(b"/a.gz", [content[:-20]])] == ["secret-literal"]
    assert [found.rule for found in scan_file(b"/a", [b"x^2\n" + Planter().make_up("gh~p_{36}")[0].encode()])] == [
        "github-token"
    ]


def test_a_bomb_is_searched_within_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is packed in a file costs no more than a bound, and what is before it is found."""
    monkeypatch.setattr(containers.Budget.__init__, "__defaults__", (4 << 20, 10))
    secret = Planter().make_up("gh~p_{36}\n")[0].encode()
    content = gzip.compress(secret + bytes(64 << 20))
    assert [found.rule for found in scan_file(b"/a.gz", [content])] == ["github-token"]


def test_the_name_of_a_member_is_searched_and_not_told() -> None:
    """A member whose name is a secret is told with x in the place of that."""
    secret = Planter().make_up("gh~p_{36}")[0]
    content = make_zip(f"a/{secret}.txt", b"x")
    assert [found.place for found in scan_file(b"/a.zip", [content])] == [f"/a.zip: in a/{'x' * len(secret)}.txt"]


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickles_are_searched_and_never_loaded(protocol: int) -> None:
    """A value behind its name is found in pickles of every protocol."""
    content = pickle.dumps({"user": "reader", "api_key": Planter().make_up("{32}")[0], "n": 1}, protocol)
    assert [found.place.partition(":")[0] for found in scan_file(b"/a.pkl", [content])] == ["/a.pkl"]


def test_databases_are_searched(tmp_path: Path) -> None:
    """In SQLite, values behind their names are found, and settings in JSON."""
    planter = Planter()
    one, other, third = (planter.make_up(shape)[0] for shape in ("{32}", "{14}", "gh~p_{36}"))
    with sqlite3.connect(tmp_path / "a.sqlite") as database:
        database.execute("CREATE TABLE settings (name, value)")
        rows = (("api_token", one), ("x", json.dumps({"password": other})), ("y", third))
        database.executemany("INSERT INTO settings VALUES (?, ?)", rows)
    database.close()
    content = (tmp_path / "a.sqlite").read_bytes()
    left = hide(b"/a.sqlite", content)
    assert [value for value in (one, third) if value.encode() in left] == []
    assert re.search(other.encode(), content)
