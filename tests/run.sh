#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# tests/run.sh [--long]: install what is missing (as root, with apt-get), build, run every test, and end with
# one line "N passed, N failed, N skipped". Exit 0 only if nothing failed and nothing was skipped; a suite of whole
# programs that failed beside the others has to pass twice alone, and is named as unsteady.
# LAZARET_ALLOW_SKIPS=1 lets skips pass (a laptop without Docker). --long runs full counts in place of
# samples, fuzzes, and reads everything with gcc's analyzer.
set -euo pipefail
cd "$(dirname "$0")/.."

# package, and the command that shows that it is there, however it came; "-" asks dpkg. clang itself is for
# fuzzing, which only --long does; Go is for a wrapper that the benches measure the shim beside.
packages() {
    [ -z "$long" ] || printf '%s\n' 'clang clang' 'libclang-rt-dev -' 'golang-go -'
    cat <<'END'
build-essential gcc
cmake cmake
ninja-build ninja
pkg-config pkg-config
git git
python3 python3
python3-botocore -
python3-cryptography -
python3-dotenv -
python3-yaml -
python3-jsonschema -
python3-grpcio -
iproute2 ip
jq jq
libseccomp-dev -
libyaml-dev -
libssl-dev -
libevent-dev -
zlib1g-dev -
librelp-dev -
rsyslog rsyslogd
rsyslog-relp -
rsyslog-openssl -
libcriterion-dev -
musl-tools musl-gcc
clang-format clang-format
clang-tidy clang-tidy
shellcheck shellcheck
codespell codespell
mandoc mandoc
lintian lintian
logrotate logrotate
systemd systemd-analyze
strace strace
gdb gdb
runc runc
crun crun
docker.io dockerd
podman podman
docker-compose docker-compose
conmon conmon
s6 s6-log
busybox-static -
tini tini
dumb-init dumb-init
catatonit catatonit
openjdk-17-jre-headless java
nodejs node
openssl openssl
nginx-light -
haproxy haproxy
stunnel4 stunnel4
hitch hitch
wrk wrk
hey hey
chromium-headless-shell -
redis-server redis-server
postgresql-15 -
curl curl
gcc-aarch64-linux-gnu aarch64-linux-gnu-gcc
libc6-dev-arm64-cross -
qemu-user-static qemu-aarch64-static
qemu-system-arm qemu-system-aarch64
qemu-system-x86 qemu-system-x86_64
END
}

install_missing() {
    local missing=() package command
    while read -r package command; do
        if [ "$command" = - ]; then
            dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' && continue
        else
            command -v "$command" >/dev/null && continue
        fi
        missing+=("$package")
    done < <(packages)
    [ ${#missing[@]} -eq 0 ] && return
    if [ "$(id -u)" -ne 0 ]; then
        echo "missing packages (not root, so not installed): ${missing[*]}" >&2
        exit 2
    fi
    echo "== installing ${missing[*]}"
    mkdir -p build
    if ! { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y \
        --no-install-recommends "${missing[@]}"; } >build/apt.log 2>&1 </dev/null; then
        tail -n 40 build/apt.log
        exit 2
    fi
}

# What is unpacked but not installed: kernels, another architecture's libraries, and syslog-ng, which Debian does
# not install beside rsyslog.
fetch_packages() {
    mkdir -p build
    echo "== packages"
    if ! python3 tests/e2e/kernels/packages.py ${long:+--long} >build/packages.log 2>&1 </dev/null; then
        tail -n 40 build/packages.log
        broken+=("packages")
    fi
}

# around PRESET: what a sanitizer's programs have to be started with. Where the kernel randomises more than 28
# bits of an address (Debian 12: 28), AddressSanitizer of gcc 12 crashes in one start of five.
around() {
    local bits
    bits=$(cat /proc/sys/vm/mmap_rnd_bits 2>/dev/null || echo 28)
    case "$1" in
    asan | fuzz) [ "$bits" -le 28 ] || ! setarch -R true 2>/dev/null || echo "setarch -R" ;;
    esac
}

# build PRESET: configure and build; on failure show why, and remember it as one failed test.
build() {
    local log="build/$1.log"
    mkdir -p build
    echo "== build $1"
    if ! { cmake --preset "$1" -DBUILD_TESTING=ON -DLAZARET_LONG="${LAZARET_LONG:+ON}" && $(around "$1") cmake --build --preset "$1"; } >"$log" 2>&1 </dev/null; then
        tail -n 60 "$log"
        echo "FAIL build $1"
        broken+=("build-$1")
        return 1
    fi
}

# run PRESET LABELS: the tests of a build that carry one of the labels. Suites wait more than they work.
run() {
    local results="build/$1/results-$2.xml"
    echo "== test $1: ${2//|/, }"
    rm -f "$results"
    # shellcheck disable=SC2046 # no words, or two
    $(around "$1") ctest --test-dir "build/$1" -L "^($2)$" -j "$(($(nproc) * 3 / 2))" --output-on-failure --no-tests=error \
        --test-output-size-passed 4000000 --test-output-size-failed 4000000 \
        --output-junit "$PWD/$results" </dev/null || true
    results_files+=("$results")
}

# again PRESET LABELS: the few suites that failed in run, alone and twice; tally.py says what that is worth.
again() {
    local results="build/$1/results-$2.xml" suites
    suites=$(tests/tally.py --failed "$results" | paste -s -d '|')
    [ -n "$suites" ] || return 0
    echo "== again, alone: ${suites//|/, }"
    # shellcheck disable=SC2046 # no words, or two
    $(around "$1") ctest --test-dir "build/$1" -R "^($suites)$" --repeat until-fail:2 --output-on-failure --no-tests=error \
        --test-output-size-passed 4000000 --test-output-size-failed 4000000 \
        --output-junit "$PWD/build/$1/again.xml" </dev/null || true
    results_files+=("again:build/$1/again.xml")
}

# behind: the builds and the lints, which only compute, with what the suites of the release leave of the processors.
# It is a session of its own, because the kernel may share out time by sessions first (sched(7), autogroup).
behind() {
    local preset
    echo 19 >/proc/self/autogroup || true
    renice -n 19 -p $$ >/dev/null
    for preset in asan dev; do
        build "$preset" || true
    done
    [[ " ${broken[*]} " == *" build-dev "* ]] || run dev lint
    printf '%s\n' "${broken[@]}" >build/behind.broken
}

# await_behind: from now on with its whole share; what it said, and what it found.
await_behind() {
    echo "== builds and lints"
    { echo 0 >"/proc/$behind/autogroup"; } 2>/dev/null || true
    wait "$behind" || true
    behind=""
    cat build/behind.log
    [ -e build/behind.broken ] || echo "no-builds-and-lints" >build/behind.broken
    mapfile -t -O "${#broken[@]}" broken < <(sed '/^$/d' build/behind.broken)
}

long=""
behind=""
case "${1:-}" in
"") ;;
--long) long=1 ;;
--behind) [ -z "${LAZARET_LONG:-}" ] || long=1 ;; # this script starts itself so
*)
    echo "usage: tests/run.sh [--long]" >&2
    exit 2
    ;;
esac
[ -z "$long" ] || export LAZARET_LONG=1
# The clone may belong to somebody else than root.
export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0='*'

broken=()
results_files=()
if [ "${1:-}" = --behind ]; then
    behind
    exit 0
fi
install_missing
fetch_packages
! build aarch64 || run aarch64 'unit|artefact' # before release, whose guests start its programs
build release && released=1 || released=""
rm -f build/behind.broken build/dev/results-lint.xml
setsid --wait tests/run.sh --behind >build/behind.log 2>&1 </dev/null &
behind=$!
trap '[ -z "$behind" ] || kill -- "-$behind"' EXIT
[ -z "$released" ] || run release 'unit|e2e|artefact'
await_behind
[ -z "$released" ] || again release 'unit|e2e|artefact'
[[ " ${broken[*]} " == *" build-asan "* ]] || { run asan 'unit|e2e' && again asan 'unit|e2e'; }
if [ -n "$long" ]; then
    export LAZARET_FUZZ_SECONDS="${LAZARET_FUZZ_SECONDS:-60}"
    ! build fuzz || run fuzz fuzz
    build analyzer || true
fi
exec tests/tally.py "${results_files[@]}" build/dev/results-lint.xml "${broken[@]/#/broken:}"
