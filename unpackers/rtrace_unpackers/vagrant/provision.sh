#!/bin/sh
# Put the files of a bundle in place in a machine of Vagrant's. rtrace wrote this; it is the same for every bundle.
# It begins anew each time: `vagrant provision` brings the packed state back.
#
#   /tmp/files.tar /tmp/replaying.tar    what Vagrant has uploaded; they are removed
#   /var/lib/rtrace                      root's alone: the files, the launchers, and run.sh, which replays
set -eu
from=${1:-/tmp} place=${2:-/var/lib/rtrace}
fail() { printf 'provision.sh: %s\n' "$1" >&2; exit 1; }
[ "$(id -u)" = 0 ] || fail 'it has to be root in the machine'
for file in files.tar replaying.tar; do
    [ -f "$from/$file" ] || fail "$from/$file is not there; call vagrant provision"
done
umask 077
rm -rf --one-file-system "$place.new" "$place.old"
mkdir -p "$place.new/root"
tar -x -p --same-owner --numeric-owner --xattrs --xattrs-include='*' -f "$from/replaying.tar" -C "$place.new"
tar -x -p --same-owner --numeric-owner --xattrs --xattrs-include='*' -f "$from/files.tar" -C "$place.new/root"
chmod 755 "$place.new/root"
[ ! -e "$place" ] || mv "$place" "$place.old"
mv "$place.new" "$place"
rm -rf --one-file-system "$place.old" "$from/files.tar" "$from/replaying.tar"
printf 'sudo %s/run.sh replays\n' "$place"
