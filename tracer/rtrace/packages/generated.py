"""Files that packages make when they are installed or used, without listing them: caches, indexes, compiled modules.

Each such path has stand-ins: paths that a package does list, and whose owner made it. Programs stand for what they
write, so that the rules hold for any distribution.
"""

from __future__ import annotations

import contextlib
import os
import re
from typing import TYPE_CHECKING, NamedTuple

from rtrace.files.symlinks import follow_symlinks

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


class StandIn(NamedTuple):
    """A path whose owner is that of another one, and the reason why."""

    path: bytes
    reason: str


_MADE_BY = (
    (rb"/etc/ld\.so\.cache|/var/cache/ldconfig/.*", "/usr/sbin/ldconfig /sbin/ldconfig /usr/bin/ldconfig"),
    (rb"/usr/lib/locale/.*", "/usr/bin/localedef /usr/sbin/locale-gen"),
    (rb".*/gconv/gconv-modules\.cache", "/usr/sbin/iconvconfig /usr/bin/iconvconfig"),
    (rb"/etc/ssl/certs/java/.*", "/etc/ca-certificates/update.d/jks-keystore /usr/bin/trust"),
    (rb"/etc/ssl/certs/.*|/etc/ssl/cert\.pem", "/usr/sbin/update-ca-certificates /usr/bin/update-ca-trust"),
    (rb"/etc/ca-certificates(?:\.conf|/extracted/.*)", "/usr/sbin/update-ca-certificates /usr/bin/update-ca-trust"),
    (rb"/etc/pki/ca-trust/extracted/.*", "/usr/bin/update-ca-trust"),
    (rb"/var/lib/dpkg/alternatives/.*", "/usr/bin/update-alternatives"),
    (rb"/var/lib/dpkg/.*", "/usr/bin/dpkg"),
    (rb"/var/(?:lib|cache)/apt/.*", "/usr/bin/apt-get"),
    (rb"/var/lib/ucf/.*", "/usr/bin/ucf"),
    (rb"/(?:var/lib|usr/lib/sysimage)/rpm/.*", "/usr/bin/rpm"),
    (rb"/var/(?:lib|cache)/(?:dnf|yum)/.*", "/usr/bin/dnf /usr/bin/dnf-3 /usr/bin/yum"),
    (rb"/var/lib/pacman/.*", "/usr/bin/pacman"),
    (rb"/(?:usr/)?lib/apk/.*|/etc/apk/.*|/var/cache/apk/.*", "/sbin/apk /usr/bin/apk"),
    (rb"/var/cache/fontconfig/.*|/usr/share/fonts/.*/\.uuid", "/usr/bin/fc-cache"),
    (rb"/usr/share/fonts/.*/fonts\.(?:dir|scale)", "/usr/bin/mkfontdir /usr/bin/mkfontscale /usr/bin/xfonts-utils"),
    (rb"/usr/share/mime/.*", "/usr/bin/update-mime-database"),
    (rb"/usr/share/icons/.*\.cache", "/usr/bin/gtk-update-icon-cache /usr/sbin/update-icon-caches"),
    (rb"/usr/share/info/dir(?:\.old)?", "/usr/bin/install-info /usr/bin/ginstall-info"),
    (rb"/usr/share/applications/mimeinfo\.cache", "/usr/bin/update-desktop-database"),
    (rb"/usr/share/glib-2\.0/schemas/gschemas\.compiled", "/usr/bin/glib-compile-schemas"),
    (rb".*/gio/modules/giomodule\.cache", "/usr/bin/gio-querymodules"),
    (rb".*/gdk-pixbuf-2\.0/[^/]*/loaders\.cache", "/usr/bin/gdk-pixbuf-query-loaders"),
    (rb"/var/cache/man/.*", "/usr/bin/mandb"),
    (rb"/var/cache/debconf/.*", "/usr/sbin/dpkg-reconfigure"),
    (rb"/var/lib/texmf/.*|/etc/texmf/.*", "/usr/bin/update-texmf /usr/sbin/update-texmf /usr/bin/mktexlsr"),
    (rb"/var/lib/(?:emacsen-common|python)/.*", "/usr/lib/emacsen-common/emacs-install /usr/bin/py3compile"),
    (rb"/etc/perl/XML/SAX/ParserDetails\.ini", "/usr/bin/update-perl-sax-parsers"),
    (rb"/etc/pam\.d/common-.*", "/usr/sbin/pam-auth-update"),
    (rb"/etc/rc[0-6S]\.d/.*", "/usr/sbin/update-rc.d"),
    (rb"/etc/(?:passwd|group|shadow|gshadow)-?", "/usr/sbin/update-passwd"),
    (rb"/etc/shells", "/usr/sbin/update-shells /usr/sbin/add-shell"),
    (rb"/etc/machine-id", "/usr/bin/systemd-machine-id-setup /bin/systemd-machine-id-setup"),
    (rb"/etc/timezone", "/usr/share/zoneinfo/tzdata.zi /usr/share/zoneinfo/UTC"),
    (rb"/etc/(?:profile|motd|nsswitch\.conf)", "/usr/share/base-files/profile"),
    (rb"/(?:bin|sbin|lib|lib32|lib64|libo32|libx32)", "/usr/share/base-files/profile"),
)  # fmt: skip
"""What is made, and which programs or files belong to the package that makes it, the likeliest first."""
_ANY_MADE = re.compile(b"|".join(b"(%b)$" % pattern for pattern, _ in _MADE_BY))
_MAKERS = [tuple(makers.encode().split()) for _, makers in _MADE_BY]
_COMPILED = re.compile(rb"(.*/)__pycache__/([^/]+?)\.[^/.]*(?:\.opt-[12])?\.pyc$")
_LINK_PLACES = re.compile(rb"/(?:etc|lib|lib32|lib64|sbin|bin|var/lib|usr(?!/local))/|.*/node_modules/\.bin/")
"""Where symlinks that no package lists were made for what they point to: by update-alternatives(1) and its like."""
_KEPT = (
    *(b".dpkg-old", b".dpkg-dist", b".dpkg-new", b".dpkg-bak", b".ucf-old", b".ucf-dist", b".apk-new"),
    *(b".rpmsave", b".rpmnew", b".rpmorig", b".pacsave", b".pacnew", b".pacorig"),
)
_BEGINNINGS = (b"/etc/", b"/var/", b"/usr/", b"/lib", b"/bin", b"/sbin")
_ENDINGS = (b".pyc", b".cache", *_KEPT)
"""How paths begin, or end, that have a stand-in without being a symlink."""


def find_stand_ins(
    paths: Iterable[bytes], targets: Mapping[bytes, bytes | None], root: bytes
) -> dict[bytes, list[StandIn]]:
    """Return the stand-ins of paths, for those that have any, in the order in which to try them.

    Paths are seen from ``root``; ``targets`` are what the symlinks among them point to.
    """
    found = {}
    for path in paths:
        if not (path.startswith(_BEGINNINGS) or path.endswith(_ENDINGS) or path in targets):
            continue
        stand_ins = [*_find_makers(path), *_find_links(path, targets, root)]
        if stand_ins:
            found[path] = stand_ins
    return found


def find_source(path: bytes) -> bytes:
    """Return the source of a compiled module of Python; any other path stays as it is. See PEP 3147."""
    match = _COMPILED.match(path)
    return match[1] + match[2] + b".py" if match else path


def _find_makers(path: bytes) -> Iterator[StandIn]:
    if path.endswith(b".pyc"):
        source = find_source(path)
        if source != path:
            yield StandIn(source, "compiled")
        return
    match = _ANY_MADE.match(path)
    if match and match.lastindex:
        for maker in _MAKERS[match.lastindex - 1]:
            name = maker.rpartition(b"/")[2].decode()
            yield StandIn(maker, f"made by {name}" if b"bin/" in maker else "made when installed")
    if path.endswith(_KEPT):
        yield StandIn(path[: path.rindex(b".")], "another version of it")


def _find_links(path: bytes, targets: Mapping[bytes, bytes | None], root: bytes) -> Iterator[StandIn]:
    """Yield what a symlink leads to, in places where packages make symlinks."""
    target = targets.get(path)
    if not target or not _LINK_PLACES.match(path):
        return
    prefix = root.rstrip(b"/")

    def read_link(place: bytes) -> bytes | None:
        return targets[place] if place in targets else _read_link(prefix + place)

    folder, _, name = path.rpartition(b"/")
    reason = "symlink"
    with contextlib.suppress(OSError):  # ELOOP: what it leads to belongs to nobody
        for step in follow_symlinks(name, read_link, folder):
            if step.is_last and step.place != path:
                if step.place.startswith(b"/etc/alternatives/"):
                    reason = "alternative"
                yield StandIn(step.place, reason)


def _read_link(path: bytes) -> bytes | None:
    try:
        return os.readlink(path)
    except OSError:  # EINVAL: no symlink; ENOENT, EACCES: it leads no further
        return None
