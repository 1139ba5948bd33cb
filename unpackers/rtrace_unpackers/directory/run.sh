#!/bin/sh
# Replay runs of a bundle with what this machine has for it. rtrace wrote this file; it is the same for every bundle.
#
#   ./run.sh                       all runs, in their order, up to the first that fails
#   ./run.sh RUN...                these runs
#   ./run.sh --list                their names
#   RTRACE_WITH=proot ./run.sh     with this tool: bwrap, proot, ch-run, nspawn, unshare or chroot
#
# It needs a POSIX shell and one of these tools, and neither rtrace nor Python. Nothing of the bundle is a word of this
# script: `runs` has the names and numbers, in octal where they could be anything, and each program in `launchers` starts
# one run, with its arguments, environment, directory, umask and input.
#
# Exit status: that of the run; 125 when it could not be started.
set -u
PATH=${PATH:-/usr/bin:/bin}:/usr/sbin:/sbin
LC_ALL=C
export PATH LC_ALL
unset CDPATH

say() { printf 'run.sh: %s\n' "$1" >&2; }
fail() { say "$1"; exit 125; }
has() { command -v "$1" >/dev/null 2>&1; }
works() { "$@" </dev/null >/dev/null 2>&1; }
# plain_folder PATH: a folder, and no link to one; a run may have put something else in its place.
plain_folder() { [ -d "$1" ] && [ ! -L "$1" ]; }

case $0 in */*) here=${0%/*} ;; *) here=. ;; esac
cd -P -- "${here:-/}" || exit 125
if ! { [ -r runs ] && [ -d launchers ] && plain_folder root; }; then fail 'this is no whole target; unpack the bundle again'; fi
{ read -r _ owners && read -r _ architecture; } <runs || fail 'the file runs cannot be read; unpack the bundle again'

# Each tool: probe_TOOL tells whether it works here and is for this user, run_TOOL runs $launcher with $uid, $gid and
# $hostname in root. The folders in launchers: plain, dropping and root begin with fewer or more rights that they give
# up, and traced without the calls that proot does not translate.
kind=plain
[ "$owners" = caller ] || kind=root

probe_bwrap() {
    if [ "$kind" = root ]; then works bwrap --unshare-pid --unshare-net --bind / / true
    else works bwrap --unshare-user --unshare-pid --unshare-net --bind / / true; fi
}
run_bwrap() {
    set -- --unshare-pid --unshare-net --unshare-ipc --unshare-uts --unshare-cgroup-try --die-with-parent \
        --bind root / --ro-bind "launchers/$kind" /.rtrace --proc /proc --dev /dev \
        --ro-bind-try /sys/devices/system /sys/devices/system --hostname "$hostname" --chdir /
    if plain_folder root/dev && plain_folder root/dev/shm; then set -- "$@" --bind root/dev/shm /dev/shm; fi
    if [ "$kind" = root ]; then set -- "$@" --cap-add ALL # of which the launcher keeps few
    else
        set -- "$@" --unshare-user --uid "$uid" --gid "$gid"
        if [ "$uid" = 0 ]; then
            for capability in CHOWN DAC_OVERRIDE FOWNER FSETID SETGID SETUID; do set -- "$@" --cap-add "CAP_$capability"; done
        fi
    fi
    bwrap "$@" -- "/.rtrace/$launcher"
}

probe_proot() { [ "$kind" != root ] && works env PROOT_NO_SECCOMP=1 proot -v -1 true; }
run_proot() {
    set -- -v -1 -r root -i "$uid:$gid" -b launchers/traced:/.rtrace -b /proc -b /sys/devices/system
    for device in null zero full random urandom tty; do set -- "$@" -b "/dev/$device"; done
    PROOT_TMP_DIR=$PWD/own PROOT_NO_SECCOMP=1 proot "$@" -w / "/.rtrace/$launcher"
}

probe_ch_run() { # it has come as far as a program that is not there: all else works
    [ "$kind" != root ] && has ch-run || return 1
    launcher=none
    case $(run_ch_run 2>&1 </dev/null) in *execve*) return 0 ;; *) return 1 ;; esac
}
run_ch_run() {
    set -- -w --unset-env='*' --no-passwd -u "$uid" -g "$gid" -b launchers/plain:/.rtrace
    if plain_folder root/tmp; then set -- "$@" -b root/tmp:/tmp; else set -- "$@" --private-tmp; fi
    USER=${USER:-user} ch-run "$@" root -- "/.rtrace/$launcher"
}

probe_nspawn() {
    case $PWD in *[:\\]*) return 1 ;; esac # its options cannot say such a path
    [ "$kind" = root ] && [ -d root/usr ] && has systemd-nspawn && works unshare --mount --pid --fork true
}
run_nspawn() {
    if [ -t 0 ] && [ -t 1 ]; then set -- --console=interactive; else set -- --console=pipe; fi
    for folder in run dev/shm; do # it would show empty ones
        if plain_folder "root/${folder%/*}" && plain_folder "root/$folder"; then
            set -- "$@" "--bind=$PWD/root/$folder:/$folder"
        fi
    done
    SYSTEMD_NSPAWN_TMPFS_TMP=0 systemd-nspawn --quiet --machine="rtrace-$$" --directory=root --private-network \
        --register=no --keep-unit --as-pid2 --resolv-conf=off --timezone=off --link-journal=no "$@" \
        --hostname="$hostname" "--bind-ro=$PWD/launchers/root:/.rtrace" -- "/.rtrace/$launcher"
}

probe_unshare() {
    if [ "$kind" = root ]; then works unshare --mount --pid --fork --ipc --uts --net --kill-child true
    else
        works unshare --user --map-root-user --mount --pid --fork --ipc --uts --net --kill-child \
            sh -c 'mount -t proc proc /proc && unshare --user --map-user=4321 --map-group=4321 --keep-caps true'
    fi
}
# shellcheck disable=SC2016 # it is for the shell that unshare starts
inside_namespaces='
    enter() { [ -d "$1" ] && [ ! -L "$1" ] || { echo "run.sh: a run has put something in the place of /$1" >&2; exit 125; }; }
    launcher=$1 uid=$2 gid=$3 hostname=$4 kind=$5
    cd root && enter .rtrace && enter proc && enter dev || exit 125
    mount --bind ../launchers/"$kind" .rtrace && mount -o remount,bind,ro .rtrace && mount -t proc proc proc || exit 125
    for name in bus fs irq sys sysrq-trigger; do
        [ ! -e "proc/$name" ] || { mount --bind "proc/$name" "proc/$name" && mount -o remount,bind,ro "proc/$name"; } || exit 125
    done
    for name in kcore kmsg keys timer_list sched_debug; do [ ! -e "proc/$name" ] || mount --bind /dev/null "proc/$name" || exit 125; done
    if [ -d dev/shm ] && [ ! -L dev/shm ]; then mount --bind dev/shm ../own; else mount -t tmpfs -o mode=1777 shm ../own; fi || exit 125
    mount -t tmpfs -o mode=755,size=64k dev dev && mkdir dev/shm dev/pts && mount --bind ../own dev/shm || exit 125
    for name in null zero full random urandom tty; do : >"dev/$name" && mount --bind "/dev/$name" "dev/$name" || exit 125; done
    ln -s /proc/self/fd dev/fd; for number in 0:stdin 1:stdout 2:stderr; do ln -s "/proc/self/fd/${number%:*}" "dev/${number#*:}"; done
    mount -t devpts -o newinstance,ptmxmode=0666,mode=0620 devpts dev/pts && ln -s pts/ptmx dev/ptmx || exit 125
    ip link set lo up 2>/dev/null || ifconfig lo up 2>/dev/null || echo "run.sh: the run has no loopback: install iproute2" >&2
    hostname -- "$hostname" 2>/dev/null || hostname "$hostname" 2>/dev/null || echo "run.sh: the hostname stays this machine'"'"'s" >&2
    cd .. || exit 125
    if [ "$kind" = root ]; then exec chroot root "/.rtrace/$launcher"; fi
    exec unshare --user --map-user="$uid" --map-group="$gid" --keep-caps --root=root --wd=/ "/.rtrace/$launcher"
'
run_unshare() {
    set -- --mount --pid --fork --ipc --uts --net --kill-child
    if [ "$kind" = root ]; then with=root; else with=dropping; set -- "$@" --user --map-root-user; fi
    unshare "$@" -- sh -c "$inside_namespaces" sh "$launcher" "$uid" "$gid" "$hostname" "$with"
}

probe_chroot() { [ "$kind" = root ] && { [ -n "${RTRACE_WITH:-}" ] || [ "$uid" != 0 ]; } && works chroot / true; }
run_chroot() {
    plain_folder root/.rtrace || fail 'a run has put something in the place of /.rtrace; reset the target'
    copy=$(mktemp root/.rtrace/XXXXXXXX) || fail 'cannot write in root/.rtrace'
    trap 'rm -f "$copy"' EXIT
    if plain_folder root/dev; then
        for device in null:3 zero:5 full:7 random:8 urandom:9; do
            [ -e "root/dev/${device%:*}" ] || mknod -m 666 "root/dev/${device%:*}" c 1 "${device#*:}" || fail 'cannot make devices'
        done
    fi
    if ! { cp "launchers/root/$launcher" "$copy" && chmod 500 "$copy"; }; then fail 'cannot copy the launcher'; fi
    chroot root "${copy#root}"
}

# tell TOOL: what it does not shut out, in words that follow "which".
tell() {
    case $1 in
        proot) echo 'does not isolate: the run has the network, sees your processes, and a hostile program can reach your files' ;;
        ch-run) echo 'shuts out files alone: the run has the network, /dev and /sys, and sees your processes' ;;
        chroot) echo 'shuts out files alone: the run has the network, other processes are in its reach, and there is no /proc' ;;
    esac
}
probe() {
    case $1 in
        bwrap | proot | nspawn | unshare | chroot) "probe_$1" ;;
        ch-run) probe_ch_run ;;
        *) fail 'RTRACE_WITH names none of these: bwrap, proot, ch-run, nspawn, unshare, chroot' ;;
    esac
}
choose() {
    if [ -n "${RTRACE_WITH:-}" ]; then
        probe "$RTRACE_WITH" || fail "$RTRACE_WITH is not installed, does not work here, or is not for $whose"
        tool=$RTRACE_WITH
        return
    fi
    for tool in bwrap proot ch-run nspawn unshare chroot; do
        if probe "$tool"; then return; fi
    done
    fail "nothing here can replay it for $whose: install bubblewrap, proot, charliecloud, systemd-container (root) or util-linux"
}

if [ "$(id -u)" = 0 ]; then whose=root; else whose='a user'; fi
case $whose:$owners in
    root:caller) fail 'this was unpacked by a user: run it as that user, or have root unpack the bundle' ;;
    'a user:recorded') fail 'this was unpacked by root: run it as root, or unpack the bundle yourself' ;;
esac
machine=$(uname -m)
case $machine:$architecture in
    "$architecture:$architecture" | x86_64:i[3-6]86 | x86_64:amd64 | aarch64:arm64) ;;
    *)
        foreign="its programs are for $architecture, and this machine is $machine"
        [ -n "${RTRACE_EMULATE:-}" ] || fail "$foreign: RTRACE_EMULATE=1 runs them under qemu-user"
        [ -e "/proc/sys/fs/binfmt_misc/qemu-$architecture" ] || fail "$foreign: install qemu-user-static"
        [ "$whose" != root ] || fail "$foreign: what emulates them is for plain users alone, as it knows no filter of system calls"
        ;;
esac

decode() { printf '%b.' "$1"; }
replay() {
    ours=$launcher
    choose
    launcher=$ours
    lacks=$(tell "$tool")
    say "replaying $shown with $tool${lacks:+, which $lacks}"
    (
        exec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-
        case $tool in ch-run) run_ch_run ;; *) "run_$tool" ;; esac
    )
}

# take NAME: replay the run of that name, or all with an empty one.
take() {
    wanted=$1 found=''
    exec 8<runs
    read -r _ <&8 && read -r _ <&8
    while IFS=' ' read -r launcher uid gid coded_host coded_id shown <&8; do
        hostname=$(decode "$coded_host") hostname=${hostname%.}
        identity=$(decode "$coded_id") identity=${identity%.}
        if [ -n "$wanted" ] && [ "$identity" != "$wanted" ]; then continue; fi
        found=yes
        replay || return
    done
    [ -n "$found" ] || fail 'there is no run of that name; ./run.sh --list names them'
}

case ${1-} in
    -h | --help) sed -n '2,/^set -u/s/^# \{0,1\}//p' run.sh; exit 0 ;;
    --list) while IFS=' ' read -r word _ _ _ _ shown; do
            case $word in *[!0-9]*) ;; *) printf '%s\n' "$shown" ;; esac
        done <runs
        exit 0 ;;
    --) shift ;;
esac
[ $# -gt 0 ] || set -- ''
for name in "$@"; do take "$name" || exit; done
