#!/bin/busybox sh
# The first process of a vm target's machine: it loads modules, mounts the tree, does one job, and ends the machine.
#
#   /job/settings   variables in quotes, written by rtrace (guest.py); a bundle's words are in no other place
#   /job/launcher   starts the run
#   /dev/vport*p1   standard input, p2 output, p3 error, p4 what is told to rtrace: a line each, p5 what it answers
export PATH=/bin
/bin/busybox mkdir -p /bin /proc /sys /dev /tree /pipes /shm /groups
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
exec </dev/null >/dev/null 2>&1

while read -r module; do insmod "/modules/$module"; done </modules/order
. /job/settings

end() { # qemu drops what it could not write yet when the machine ends, so wait until all has come
    cd /
    umount -r /tree
    sync
    tell "sent $(cat /sent.out || echo 0) $(cat /sent.err || echo 0)"
    read -r _ <"$(echo /dev/vport*p5)"
    poweroff -f
    sleep 100000
}
tell() { echo "$*" >&3; }
fail() {
    tell "problem $*"
    end
}

tries=0
until [ -e /dev/vport*p4 ] && [ -b /dev/vda ]; do
    tries=$((tries + 1))
    [ $tries -lt 3000 ] || end
    usleep 20000
done
exec 3>"$(echo /dev/vport*p4)"
tell alive

mount -t ext4 /dev/vda /tree || fail "the disk cannot be mounted"
cd /tree || fail "the disk has no tree"

# Neither cat nor tar writes to a port: they have the kernel move the bytes, and do not wait until they are there.
copy() { dd bs=64k; }
send() { # the same, and let a file say how many bytes that were
    mkfifo "$1.counting"
    wc -c <"$1.counting" >"$1" &
    tee "$1.counting" | copy
    wait $!
}

write_tree() { # the archive, and once more its folders, whose times the files in them have changed
    head -c "$first_size" /dev/vdb | tar -x -p -f - || fail "the files cannot be written: the disk may be full"
    dd if=/dev/vdb bs=512 skip="$((first_size / 512))" count="$((second_size / 512))" | tar -x -p -f - ||
        fail "the folders cannot be written"
    rmdir lost+found
    tell done
}

list_tree() {
    (set -o pipefail && tar -c -f - . | send /sent.out >"$(echo /dev/vport*p2)") || fail "the files cannot all be read"
    tell done
}

fetch_file() { # with the tree as root, so that symlinks stay in it
    [ -d .rtrace ] && [ ! -L .rtrace ] || fail "its folder .rtrace is gone"
    mount -t tmpfs -o mode=755 own .rtrace && cp /bin/busybox .rtrace/busybox || fail "it cannot be looked into"
    inside() { chroot /tree /.rtrace/busybox "$@"; }
    if inside [ -f "$path" ]; then
        tell regular
        (set -o pipefail && inside dd bs=64k if="$path" | send /sent.out >"$(echo /dev/vport*p2)") || fail "it cannot be read"
        tell done
    elif inside [ -e "$path" ] || inside [ -L "$path" ]; then
        tell other
    else
        tell absent
    fi
    umount .rtrace
}

put_file() { # under another name first; $way has the folders above it, each in a variable of its own
    number=0
    while [ $number -lt "$way_count" ]; do
        eval "folder=\$way_$number"
        if [ -L ".$folder" ] || { [ -e ".$folder" ] && [ ! -d ".$folder" ]; }; then
            tell "obstacle $number"
            return
        fi
        [ -d ".$folder" ] || mkdir ".$folder" || fail "a folder cannot be made"
        number=$((number + 1))
    done
    if [ -d ".$path" ] && [ ! -L ".$path" ]; then
        tell folder
        return
    fi
    [ -d .rtrace ] && [ ! -L .rtrace ] || fail "its folder .rtrace is gone"
    rm -rf .rtrace/put
    head -c "$size" /dev/vdb >.rtrace/put && chown "$uid:$gid" .rtrace/put && chmod "$mode" .rtrace/put &&
        touch -d "@$seconds" .rtrace/put && sync && mv -f .rtrace/put ".$path" || fail "it cannot be written"
    tell done
}

provide_world() {
    [ -d .rtrace ] && [ ! -L .rtrace ] || fail "its folder .rtrace is gone, so nothing more is replayed in it"
    mount -t tmpfs -o mode=755 own .rtrace && cp /job/launcher .rtrace/launcher || fail "the run cannot be started"
    if [ "$shared_memory" = kept ]; then
        mount --bind dev/shm /shm
    else
        mount -t tmpfs -o mode=1777 shm /shm
    fi
    mount -t proc proc proc && mount -t sysfs sys sys && mount -t tmpfs -o mode=755 dev dev ||
        fail "its folders proc, sys or dev are gone, so nothing more is replayed in it"
    mkdir dev/shm dev/pts
    mount --bind /shm dev/shm
    mount -t devpts -o mode=620,ptmxmode=666 pts dev/pts
    mknod -m 666 dev/null c 1 3
    mknod -m 666 dev/zero c 1 5
    mknod -m 666 dev/full c 1 7
    mknod -m 666 dev/random c 1 8
    mknod -m 666 dev/urandom c 1 9
    mknod -m 666 dev/tty c 5 0
    ln -s pts/ptmx dev/ptmx
    ln -s /proc/self/fd dev/fd
    ln -s /proc/self/fd/0 dev/stdin
    ln -s /proc/self/fd/1 dev/stdout
    ln -s /proc/self/fd/2 dev/stderr
    hostname "$hostname"
    ip link set lo up
    if [ "$network" = yes ]; then
        ip link set eth0 up
        ip address add 10.0.2.15/24 dev eth0
        ip route add default via 10.0.2.2
        echo nameserver 10.0.2.3 >/resolv.conf
        [ -f etc/resolv.conf ] && [ ! -L etc/resolv.conf ] && mount --bind /resolv.conf etc/resolv.conf
    fi
    if [ -n "$processes" ]; then
        mount -t cgroup2 groups /groups && mkdir /groups/run && echo +pids >/groups/cgroup.subtree_control &&
            echo "$processes" >/groups/run/pids.max || fail "the number of processes cannot be limited"
    fi
}

replay() {
    provide_world
    mkfifo /pipes/in /pipes/out /pipes/err
    exec 5<"$(echo /dev/vport*p1)" 6>"$(echo /dev/vport*p2)" 7>"$(echo /dev/vport*p3)"
    until [ -n "$(dd bs=1 count=1 <&5)" ]; do :; done # or what looks like the end is only the beginning
    copy <&5 >/pipes/in 3>&- 6>&- 7>&- &
    feeding=$!
    send /sent.out </pipes/out >&6 3>&- 5<&- 7>&- &
    printing=$!
    send /sent.err </pipes/err >&7 3>&- 5<&- 6>&- &
    complaining=$!
    tell started
    (
        [ -z "$processes" ] || echo 0 >/groups/run/cgroup.procs
        exec setsid chroot /tree /.rtrace/launcher $joined
    ) </pipes/in >/pipes/out 2>/pipes/err 3>&- 5<&- 6>&- 7>&-
    status=$?
    wait $printing $complaining
    kill $feeding
    cd /tree
    for place in etc/resolv.conf dev/shm dev/pts dev sys proc .rtrace; do umount "$place"; done
    umount /shm
    tell "status $status"
}

case $job in
    write) write_tree ;;
    list) list_tree ;;
    fetch) fetch_file ;;
    put) put_file ;;
    replay) replay ;;
esac
end
