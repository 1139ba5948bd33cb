"""Content left out of a bundle: named by size and digest, fetched when a person agrees, and believed by its digest."""

from dataclasses import replace
from pathlib import Path

import pytest

from big_files import BIG, DIGEST, contents, trace_big_files
from bundle_samples import MANIFEST
from packing import pack
from rtrace.bundle.entry import Entry, FileType
from rtrace.bundle.reading.validation import validate_entries
from rtrace.describe.draft import draft_manifest
from rtrace.elsewhere import http
from rtrace.elsewhere.guarding import is_here, is_public, says_local
from rtrace.elsewhere.http import Fetcher
from rtrace.elsewhere.sources import NO_SOURCES, Sources
from rtrace.errors import BundleError, ElsewhereError, HostileBundleError, ManifestError
from rtrace.manifest.model import Elsewhere
from rtrace.manifest.reading.load import load
from rtrace.manifest.render import render
from rtrace.opening import open_bundle
from rtrace.pack.packing import carry_out
from rtrace.pack.planning import plan_packing
from rtrace.trace.reading.reader import open_for_reading
from trace_builder import TraceBuilder
from web_server import Server


@pytest.fixture
def trace(tmp_path: Path) -> TraceBuilder:
    """A trace whose run read big.bin, two.bin and small in home/."""
    return trace_big_files(tmp_path / "home")


def packed(trace: TraceBuilder, target: Path, *told: Elsewhere, larger_than: int | None = None) -> Path:
    """Pack a trace whose manifest tells what is elsewhere."""
    directory = trace.finish()
    connection = open_for_reading(directory)
    directory.manifest.write_text(render(replace(draft_manifest(connection, directory), elsewhere=told)))
    connection.close()
    carry_out(plan_packing(directory, target, larger_than=larger_than))
    return target


def fetch(url: str, size: int, *named: str) -> bytes:
    """Fetch a URL that the bundle names, with some others."""
    return b"".join(Fetcher((url, *named), size).fetch(url, size))


def test_patterns_and_folders_in_the_manifest(trace: TraceBuilder, tmp_path: Path) -> None:
    """A pattern stands for all files that it matches, a URL that ends in a slash for the folder that has them."""
    home = tmp_path / "home"
    odd = home / "odd name?"
    odd.write_bytes(b"odd")
    trace.read(odd)
    told = Elsewhere(bytes(home) + b"/**/[bto]*", url="https://example.org/data/")
    unused = Elsewhere(bytes(home) + b"/nothing", url="https://example.org/nothing")
    with open_bundle(packed(trace, tmp_path / "bundle.rpz", told, unused)) as opened:
        urls = {one.path.rpartition(b"/")[2]: one.url for one in opened.manifest.elsewhere}
        notices = [notice.what for notice in opened.manifest.notices]
    assert urls == {
        name.encode(): f"https://example.org/data/{quoted}"
        for name, quoted in (("big.bin", "big.bin"), ("two.bin", "two.bin"), ("odd name?", "odd%20name%3F"))
    }
    assert notices == [f"the pattern {home}/nothing matches nothing"]


def test_what_the_manifest_says_must_be_true(trace: TraceBuilder, tmp_path: Path) -> None:
    """A size or digest that is not the file's own is refused when packing: somebody else's file is at that URL."""
    path = bytes(tmp_path / "home/big.bin")
    bundle = packed(trace, tmp_path / "b.rpz", Elsewhere(path, len(BIG), DIGEST, "https://example.org/x"))
    bundle.unlink()
    manifest = trace.directory.manifest
    manifest.write_text(manifest.read_text().replace(DIGEST, "a" * 64))
    with pytest.raises(BundleError, match="is not what `elsewhere:` in the manifest says"):
        pack(trace.directory, bundle)
    assert not bundle.exists()


def test_fetched_content_completes_a_bundle(trace: TraceBuilder, tmp_path: Path, server: Server) -> None:
    """With --fetch the content comes from its URL, redirected or not; without, one sentence says what is missing."""
    home = tmp_path / "home"
    server.files = {"/deep/big.bin": BIG}
    server.redirects = {"/big.bin": "/deep/big.bin"}
    bundle = packed(trace, tmp_path / "b.rpz", Elsewhere(bytes(home / "big.bin"), url=f"{server.url}/"))
    assert contents(bundle, Sources(fetch=True))[bytes(home / "big.bin")] == BIG
    asked = len(server.asked)
    with pytest.raises(ElsewhereError) as caught:
        contents(bundle, NO_SOURCES)
    assert str(caught.value) == (
        f"{bundle} does not hold the content of {home}/big.bin (2.9 MiB, SHA-256 {DIGEST}): "
        f"add --fetch to get it from {server.url}/big.bin, or name a folder that has it with --from"
    )
    assert len(server.asked) == asked


def test_folders_have_content_by_digest_path_or_name(trace: TraceBuilder, tmp_path: Path, server: Server) -> None:
    """--from finds a file under any of three names; one of another size is none; no server is asked then."""
    home, folder = tmp_path / "home", tmp_path / "folder"
    told = Elsewhere(bytes(home / "big.bin"), url=f"{server.url}/big.bin")
    bundle = packed(trace, tmp_path / "b.rpz", told, larger_than=1_500_000)
    for name in (DIGEST, f"{home}/big.bin"[1:], "big.bin"):
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(BIG)
        with pytest.raises(ElsewhereError, match=r"does not hold the content of .*/two.bin"):
            contents(bundle, Sources((folder,), fetch=True))
        (folder / "two.bin").write_bytes(b"2" * 2_000_000)
        found = contents(bundle, Sources((tmp_path, folder), fetch=True))
        assert found[bytes(home / "big.bin")] == BIG
        place.unlink()
        (folder / "two.bin").write_bytes(b"2")
    assert server.asked == []
    (folder / "two.bin").write_bytes(b"2" * 2_000_000)
    (folder / "big.bin").write_bytes(BIG[:-1] + b"x")
    with pytest.raises(ElsewhereError, match=r"folder/big.bin is not the .*/big.bin that was packed: its content dif"):
        contents(bundle, Sources((folder,)))


def test_broken_transfers_are_resumed(server: Server) -> None:
    """What breaks off is continued where it was, with a range where the server knows them, else from its beginning."""
    server.files = {"/big": BIG}
    server.breaks_after = 2_000_000
    assert fetch(f"{server.url}/big", len(BIG)) == BIG
    assert server.asked == [("/big", None), ("/big", "bytes=2000000-")]
    server.knows_ranges, server.breaks_after, server.announces_length = False, None, False
    assert fetch(f"{server.url}/big", len(BIG)) == BIG


def test_nothing_but_http_is_asked(server: Server) -> None:
    """Redirections to other schemes and in circles are refused, and so is a URL with a password, in one sentence."""
    server.redirects = {"/file": "file:///etc/passwd", "/ftp": "ftp://127.0.0.1/x", "/ring": "/ring"}
    server.redirects["/user"] = server.url.replace("//", "//user:secret@") + "/big"
    for url, sentence in (
        (f"{server.url}/file", "302"),
        (f"{server.url}/ftp", "302"),
        (f"{server.url}/ring", "302"),
        (f"{server.url}/user", "sends rtrace on to a URL with a user name or a password"),
        (server.url.replace("//", "//user:secret@"), "has a user name or a password in it"),
        ("file:///etc/passwd", "only http and https"),
        ("http://127.0.0.1:1/x", "Connection refused"),
        ("http://no-such-host.invalid/x", "."),
        ("http://127.0.0.1:port/x", "."),
    ):
        with pytest.raises(ElsewhereError, match=sentence) as caught:
            fetch(url, 5)
        assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "127.0.0.2",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0.0.0.0",  # noqa: S104 -- nobody listens
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "10.1.2.3",
        "172.16.1.1",
        "192.168.0.1",
        "100.64.0.1",
        "169.254.169.254",
        "[fe80::1]",
        "[fd00::1]",
        "224.0.0.1",
    ],
)
def test_no_redirection_into_a_network_of_ones_own(host: str, server: Server) -> None:
    """A server cannot send rtrace to this machine or its network, however that is written; the bundle itself can."""
    port = server.url.rpartition(":")[2]
    server.files = {"/big": BIG}
    server.redirects = {"/x": f"http://{host}:{port}/big"}
    with pytest.raises(ElsewhereError, match="whose address is not public, and the bundle does not name it"):
        fetch(f"{server.url}/x", len(BIG))
    assert server.asked == [("/x", None)]


def test_hosts_that_the_bundle_names_are_asked(server: Server) -> None:
    """A redirection to a host that another URL of the bundle names is followed, whatever its address is."""
    port = server.url.rpartition(":")[2]
    server.files = {"/big": BIG}
    server.redirects = {"/x": f"http://LOCALHOST:{port}/big"}
    assert fetch(f"{server.url}/x", len(BIG), "http://localhost/other") == BIG


def test_public_addresses_are_public() -> None:
    """Addresses of the internet are told from those of networks of one's own, in every way they are written."""
    assert all(map(is_public, ("93.184.216.34", "2606:2800:220:1::1", "64:ff9b::5db8:d822", "::ffff:93.184.216.34")))
    assert not any(map(is_public, ("fe80::1%eth0", "::", "198.18.0.1", "2001:db8::1", "ff02::1", "255.255.255.255")))


@pytest.mark.parametrize("host", ["127.1", "2130706433", "0x7f000001", "0"])
def test_an_address_that_nobody_recognises_leads_to_nobody(host: str, server: Server) -> None:
    """This machine is asked when the bundle names it so that a person sees it, and not by an address in disguise."""
    port = server.url.rpartition(":")[2]
    server.files = {"/big": BIG}
    with pytest.raises(ElsewhereError, match=r"has the address .*, of this machine or its own network"):
        fetch(f"http://{host}:{port}/big", len(BIG))
    assert server.asked == []


def test_what_is_here_and_what_says_so() -> None:
    """Addresses of this machine and its links are told from others, and names that say so from those that do not."""
    here = ("127.0.0.1", "127.8.8.8", "::1", "::", "169.254.169.254", "fe80::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1")
    assert all(map(is_here, here))
    assert not any(map(is_here, ("10.1.2.3", "192.168.0.1", "fd00::1", "93.184.216.34", "2606:2800:220:1::1")))
    assert all(map(says_local, ("127.0.0.1", "::1", "localhost", "LOCALHOST", "nas", "nas.local", "x.localhost.")))
    assert not any(map(says_local, ("data.example.org", "localhost.example.org", "127.1", "0x7f000001", "2130706433")))


def test_a_password_for_a_proxy_stays_with_it(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a person's proxy is told is not told to a server that is asked directly after a redirection."""
    address = server.url.removeprefix("http://")
    monkeypatch.setenv("http_proxy", f"http://user:secret@{address}")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server.redirects = {"http://far.invalid/x": f"{server.url}/big"}
    server.files = {"/big": BIG}
    assert fetch("http://far.invalid/x", len(BIG), server.url) == BIG
    assert ["proxy-authorization" in headers for headers in server.headers] == [True, False]


def test_a_proxy_is_not_sent_into_a_network_of_ones_own(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A redirection to this machine is refused where a proxy would be asked for it, too."""
    monkeypatch.setenv("http_proxy", server.url)
    monkeypatch.delenv("no_proxy", raising=False)
    server.redirects = {"http://far.invalid/x": "http://localhost/secret"}
    with pytest.raises(ElsewhereError, match="localhost, whose address is not public"):
        fetch("http://far.invalid/x", len(BIG))
    assert len(server.asked) == 1


def test_the_content_of_a_redirection_is_not_read(server: Server) -> None:
    """A redirection that goes on for ever is followed all the same."""
    server.files = {"/big": BIG}
    server.redirects = {"/x": f"{server.url}/big"}
    server.babbles = True
    assert fetch(f"{server.url}/x", len(BIG)) == BIG


@pytest.mark.parametrize("in_headers", [True, False])
def test_a_server_that_drips_is_given_up(server: Server, monkeypatch: pytest.MonkeyPatch, *, in_headers: bool) -> None:
    """However a server keeps a transfer alive, all of them together have a limit that their size gives."""
    monkeypatch.setattr(http, "TIME_FREE", 0.3)
    server.drips, server.announces_length = True, in_headers
    with pytest.raises(ElsewhereError, match=r"slower than rtrace waits for so much|got more than 100 headers"):
        fetch(f"{server.url}/x", 5000)


@pytest.mark.parametrize(
    "url", ["ftp://x/y", "/etc/passwd", "https://", "http:///x", "https://x/a b", "file://x/y", ""]
)
def test_other_urls_are_errors_of_the_manifest(url: str) -> None:
    """A URL that cannot be fetched is refused where it is written."""
    text = render(replace(MANIFEST, elsewhere=(Elsewhere(b"/x", url=url),)))
    with pytest.raises(ManifestError, match=r"line \d+, column \d+: a URL that begins with https://"):
        load(text)


@pytest.mark.parametrize(
    "changes, sentence",
    [
        ({"type": FileType.DIRECTORY}, "not a regular file"),
        ({"offset": 512}, "content, though that is elsewhere"),
        ({"link": b"/b"}, "content, though that is elsewhere"),
        ({"sha256": None}, "no proper SHA-256"),
        ({"placeholder": True, "sha256": None}, "though it is a placeholder"),
    ],
)
def test_contradictions_are_refused(changes: dict[str, object], sentence: str) -> None:
    """What is elsewhere has a digest and nothing in the data."""
    entry = Entry(b"/c", FileType.REGULAR, 0o644, 0, 0, 0, 0, "a" * 64, elsewhere=True)
    with pytest.raises(HostileBundleError, match=sentence):
        validate_entries([entry._replace(**changes)])  # type: ignore[arg-type]


def test_excluded_and_included_large_files(trace: TraceBuilder, tmp_path: Path) -> None:
    """--exclude leaves a large file out of the bundle altogether; --include and elsewhere go together."""
    home = tmp_path / "home"
    (home / "more.bin").write_bytes(BIG)
    directory = trace.finish()
    target = tmp_path / "bundle.rpz"
    plan = plan_packing(
        directory,
        target,
        exclude=(b"**/two.bin",),
        include=(bytes(home / "more.bin"),),
        larger_than=1_000_000,
    )
    carry_out(plan)
    with open_bundle(target) as opened:
        assert [one.path.rpartition(b"/")[2] for one in opened.manifest.elsewhere] == [b"big.bin", b"more.bin"]
        assert opened.find(bytes(home / "two.bin")) is None
    target.unlink()
    pack(directory, target)
    assert contents(target, NO_SOURCES)[bytes(home / "two.bin")] == b"2" * 2_000_000
