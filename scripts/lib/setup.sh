# Shared by the scripts beside it: what a fresh Debian or Ubuntu machine lacks is installed here.
# shellcheck shell=bash
#
# Source it after `set -euo pipefail`. It sets CHECKOUT and VENV, and has one function a need:
#   need_packages PACKAGE...   Debian packages, installed when missing
#   need_postgresql            PostgreSQL's server, of which nothing is started
#   need_idle_packages PACKAGE...
#                              the same for packages of daemons, which are not started
#   need_cross_compiler        gcc 12 for arm64, in PATH
#   need_apptainer             Apptainer, of a later Debian and in a folder of its own: /opt/rtrace-apptainer
#   need_venv EXTRA            .venv in the checkout, with rtrace (editable) and an extra of pyproject.toml
#   need_tools NAME PACKAGE... Python packages, in a virtual environment of their own: .bench/NAME
#   need_diffoscope_source     the test files of diffoscope: .bench/diffoscope-source
#   need_page_checkers         axe-core and the Nu HTML checker: .bench/web
#   need_unit_tools            what tests/unit needs, likewise; nothing is installed as root
#   need_docker                a Docker engine that answers; one that was started here is stopped in the end
#   at_exit COMMAND...         run a command when the script ends, last one first

CHECKOUT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
VENV=$CHECKOUT/.venv
REPROZIP=(reprozip reprounzip==1.3.2 reprounzip-docker setuptools)
APT_IS_FRESH=

EXIT_COMMANDS=()
at_exit() { EXIT_COMMANDS=("$(printf '%q ' "$@")" "${EXIT_COMMANDS[@]}"); }
run_exit_commands() {
    local status=$? command
    for command in "${EXIT_COMMANDS[@]}"; do eval "$command" || true; done
    exit "$status"
}
trap run_exit_commands EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

say() { printf '%s\n' "$*" >&2; }
fail() { say "$(basename "$0"): $*"; exit 1; }

# need_root PURPOSE: end here, in one sentence, when neither root nor sudo is at hand.
need_root() {
    [ "$(id -u)" = 0 ] || command -v sudo >/dev/null || fail "needs root to $1, and there is no sudo."
}
as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# A quiet command whose output is shown only when it fails.
quietly() {
    local log; log=$(mktemp)
    if "$@" >"$log" 2>&1; then rm -f "$log"
    else local status=$?; cat "$log" >&2; rm -f "$log"; return "$status"
    fi
}

is_installed() { [ "$(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

need_packages() {
    local package missing=()
    if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
        fail "needs Debian or Ubuntu, because it installs packages with apt-get: $*."
    fi
    for package in "$@"; do is_installed "$package" || missing+=("$package"); done
    [ ${#missing[@]} = 0 ] && return
    need_root "install ${missing[*]}"
    say "Installing ${missing[*]} ..."
    if [ -z "$APT_IS_FRESH" ]; then
        quietly as_root apt-get update </dev/null || fail "\`apt-get update\` failed: see above."
        APT_IS_FRESH=1
    fi
    quietly as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install --yes --no-install-recommends "${missing[@]}" </dev/null \
        || fail "could not install ${missing[*]}: see above."
}

# The same for packages of daemons, which are not started: the tests start their own, and end them.
need_idle_packages() {
    local package policy=/usr/sbin/policy-rc.d made='' # see invoke-rc.d(8)
    for package in "$@"; do is_installed "$package" || made=maybe; done
    [ -n "$made" ] || return 0
    need_root "install $*"
    if [ -e "$policy" ]; then made=; else
        printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
        as_root chmod 755 "$policy"
    fi
    need_packages "$@"
    [ -z "$made" ] || as_root rm -f "$policy"
}

# The same for a command, whoever brought it: need_command COMMAND PACKAGE
need_command() { command -v "$1" >/dev/null || need_packages "$2"; }

# The server of PostgreSQL, without the cluster that Debian makes and starts of itself: tests start their own.
need_postgresql() {
    is_installed postgresql && return
    need_root "install postgresql"
    as_root mkdir -p /etc/postgresql-common
    [ -e /etc/postgresql-common/createcluster.conf ] \
        || echo "create_main_cluster = false" | as_root tee /etc/postgresql-common/createcluster.conf >/dev/null
    need_packages postgresql
}

# The compiler for arm64, unpacked into the checkout: Debian's packages of it and gcc-multilib exclude each other. Where a
# distribution has no gcc 12, the test that compares its code with what is shipped says so and is skipped.
need_cross_compiler() {
    local folder=$CHECKOUT/.bench/cross package
    need_packages binutils-aarch64-linux-gnu
    if ! [ -x "$folder/usr/bin/aarch64-linux-gnu-gcc-12" ]; then
        mkdir -p "$folder/packages"
        if ! (cd "$folder/packages" && apt-get -q -o APT::Sandbox::User=root download gcc-12-aarch64-linux-gnu \
            cpp-12-aarch64-linux-gnu libgcc-12-dev-arm64-cross >/dev/null); then
            rm -r "$folder"
            echo "No gcc 12 for arm64 is available here: what is compiled with it is not compared."
            return
        fi
        for package in "$folder/packages"/*.deb; do dpkg -x "$package" "$folder"; done
        rm -r "$folder/packages"
        ln -sfn /usr/aarch64-linux-gnu "$folder/usr/aarch64-linux-gnu" # where it looks for the assembler and linker
    fi
    PATH=$folder/usr/bin:$PATH
}

# Apptainer, as Debian's unstable branch has it, with the C library that it needs: unpacked into a folder that every user
# can enter, for no stable branch has it. Where it is not to be had, the tests that need it say so and are skipped.
need_apptainer() {
    local folder=/opt/rtrace-apptainer work site program options
    [ -e "$folder/.whole" ] && return
    need_packages squashfs-tools squashfuse uidmap patchelf libseccomp2 libsqlite3-0
    need_root "unpack Apptainer into $folder"
    say "Unpacking Apptainer into $folder ..."
    # shellcheck disable=SC2016 # the word is apt's
    site=$(apt-get indextargets --format '$(ORIGIN) $(REPO_URI)' | sed -n 's/^Debian //p' | grep -v security | head -n 1)
    work=$(mktemp -d)
    at_exit rm -rf "$work"
    mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/packages" "$work/root" "$work/libc"
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $site sid main" >"$work/sources.list"
    options=(-q -o "Dir::Etc::SourceList=$work/sources.list" -o Dir::Etc::SourceParts=/nowhere -o "Dir::Cache=$work/cache"
        -o "Dir::State::Lists=$work/lists" -o Dir::Etc::Preferences=/dev/null -o Dir::Etc::PreferencesParts=/nowhere
        -o APT::Sandbox::User=root)
    if ! { [ -n "$site" ] && quietly apt-get "${options[@]}" update \
        && (cd "$work/packages" && quietly apt-get "${options[@]}" download apptainer libc6) \
        && dpkg -x "$work"/packages/apptainer_*.deb "$work/root" && dpkg -x "$work"/packages/libc6_*.deb "$work/libc"; }; then
        say "No Apptainer is to be had here: what needs it is not tested."
        return
    fi
    as_root rm -rf "$folder"
    as_root mkdir -p "$folder/glibc"
    as_root cp -a "$work/root/." "$folder/"
    as_root cp -a "$work"/libc/usr/lib/*-linux-gnu*/*.so* "$folder/glibc/"
    for program in "$folder"/usr/bin/apptainer "$folder"/usr/lib/*/apptainer/bin/starter; do
        as_root patchelf --force-rpath --set-rpath "$folder/glibc:/usr/lib/$(uname -m)-linux-gnu" \
            --set-interpreter "$(echo "$folder"/glibc/ld-linux-*.so.*)" "$program" || return 0
    done
    # It looks for these beside itself, and in two ways.
    as_root ln -s ../etc "$folder/usr/etc"
    as_root ln -s ../../etc "$folder/usr/lib/etc"
    as_root mkdir -p "$folder"/usr/{lib/,}var/lib/apptainer/mnt/session
    "$folder/usr/bin/apptainer" --version >/dev/null && as_root touch "$folder/.whole"
}

need_venv() {
    local extra=$1 python=${PYTHON:-python3} stamp=$VENV/.rtrace-$1
    if [ -x "$VENV/bin/python" ] && [ -e "$stamp" ] && [ "$stamp" -nt "$CHECKOUT/pyproject.toml" ]; then return; fi
    need_command "$python" python3
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' \
        || fail "needs Python 3.10 or newer, and $python is $("$python" --version 2>&1): set PYTHON to a newer one."
    "$python" -c 'import ensurepip, venv' 2>/dev/null || need_packages python3-venv
    say "Setting up $VENV ..."
    [ -x "$VENV/bin/python" ] && "$VENV/bin/python" -c '' 2>/dev/null \
        || quietly "$python" -m venv --clear "$VENV" || fail "could not make $VENV: see above."
    # An environment made when the distribution was called rtrace has that one's entry points, too.
    quietly "$VENV/bin/python" -m pip uninstall --disable-pip-version-check --yes rtrace || true
    quietly "$VENV/bin/python" -m pip install --disable-pip-version-check --editable "$CHECKOUT${extra:+[$extra]}" \
        </dev/null || fail "could not install rtrace into $VENV: see above."
    touch "$stamp"
}

# Where PYTHONDONTWRITEBYTECODE is set, each rtrace that is started would compile itself: compile_checkout PYTHON
compile_checkout() { "$1" -m compileall -q "$CHECKOUT/tracer" "$CHECKOUT/unpackers" "$CHECKOUT/tests"; }

# The source package of diffoscope, for the files that its tests compare; nothing of it is installed or run.
need_diffoscope_source() {
    local folder=$CHECKOUT/.bench/diffoscope-source
    [ -e "$folder/diffoscope-332.tar.gz" ] && return
    say "Fetching the source package of diffoscope into .bench/diffoscope-source ..."
    mkdir -p "$folder"
    quietly "$VENV/bin/python" -m pip download --disable-pip-version-check --no-deps --no-binary :all: --dest "$folder" \
        diffoscope==332 </dev/null
}

# A virtual environment in .bench, made once for the same packages: need_tools NAME PACKAGE...
need_tools() {
    local name=$1 folder=$CHECKOUT/.bench/$1
    shift
    [ "$(cat "$folder/.whole" 2>/dev/null)" = "$*" ] && return
    say "Installing $* into .bench/$name ..."
    quietly "${PYTHON:-python3}" -m venv --clear "$folder" || fail "could not make $folder: see above."
    quietly "$folder/bin/python" -m pip install --disable-pip-version-check "$@" </dev/null || return 1
    printf '%s\n' "$*" >"$folder/.whole"
}

# What judges the pages of `rtrace web`: axe-core, and the Nu HTML checker, which is a JAR and needs no script to install.
need_page_checkers() {
    local folder=$CHECKOUT/.bench/web packages=(axe-core@4 vnu-jar)
    [ "$(cat "$folder/.whole" 2>/dev/null)" = "${packages[*]}" ] && return
    say "Installing ${packages[*]} into .bench/web ..."
    mkdir -p "$folder"
    quietly npm install --prefix "$folder" --no-save --no-audit --no-fund --ignore-scripts "${packages[@]}" </dev/null \
        || fail "could not install what checks pages: see above."
    printf '%s\n' "${packages[*]}" >"$folder/.whole"
}

# What tests/unit needs, in a virtual environment of its own without rtrace: .bench/unit
need_unit_tools() {
    local python=${PYTHON:-python3} packages
    "$python" -c 'import ensurepip, venv' 2>/dev/null || fail "needs Python's venv: on Debian, install python3-venv."
    packages=$("$python" "$CHECKOUT/scripts/lib/list_dependencies.py" "$CHECKOUT/pyproject.toml" unit) \
        || fail "could not read pyproject.toml: see above."
    mapfile -t packages <<<"$packages"
    need_tools unit "${packages[@]}" || fail "could not install what tests/unit needs: see above."
}

docker_answers() { docker info >/dev/null 2>&1; }

need_docker() {
    local attempt
    command -v docker >/dev/null && docker_answers && return
    need_command dockerd docker.io
    need_command docker docker.io
    need_command docker docker-cli # a package of its own since Debian 13
    docker_answers && return
    need_root "start a Docker engine"
    # An engine of our own, with its own socket and storage: nothing of it stays on the machine.
    DOCKER_FOLDER=$(mktemp -d /var/tmp/rtrace-docker.XXXXXX)
    chmod 755 "$DOCKER_FOLDER"
    at_exit stop_docker
    export DOCKER_HOST=unix://$DOCKER_FOLDER/docker.sock
    for attempt in "" "--bridge=none --iptables=false" "--bridge=none --iptables=false --storage-driver=vfs"; do
        say "Starting a Docker engine ${attempt:+($attempt) }..."
        # shellcheck disable=SC2086 # the options are words
        start_docker $attempt && return
    done
    tail -n 5 "$DOCKER_FOLDER/log" >&2
    fail "no Docker engine answers and none could be started: see above."
}

start_docker() {
    local tenths
    as_root setsid dockerd --host "$DOCKER_HOST" --group "$(id -g)" --data-root "$DOCKER_FOLDER/data" \
        --exec-root "$DOCKER_FOLDER/exec" --pidfile "$DOCKER_FOLDER/pid" "$@" \
        </dev/null >"$DOCKER_FOLDER/log" 2>&1 &
    DOCKER_JOB=$!
    for ((tenths = 0; tenths < 600; tenths++)); do
        docker_answers && return
        kill -0 "$DOCKER_JOB" 2>/dev/null || return 1
        sleep 0.1
    done
    stop_engine
    return 1
}

stop_engine() {
    local tenths pid
    pid=$(cat "$DOCKER_FOLDER/pid" 2>/dev/null) || return 0
    as_root kill "$pid" 2>/dev/null || return 0
    for ((tenths = 0; tenths < 200; tenths++)); do
        [ -d "/proc/$pid" ] || return 0
        sleep 0.1
    done
    as_root kill -KILL "$pid" 2>/dev/null || true
}

stop_docker() {
    stop_engine
    as_root umount --recursive --lazy "$DOCKER_FOLDER/data" 2>/dev/null || true # some engines leave a mount there
    as_root rm -rf --one-file-system "$DOCKER_FOLDER"
}
