#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The quickstart: builds Lazaret, puts it in front of a busybox workload in a real container (runc, no Docker
# needed), prints what was enforced, what was refused and why, and has the signed trail of it verified: as it is,
# and with one word changed. Run it as root on Debian 12; it installs
# what it needs. It leaves nothing behind but build/.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
bin=$root/build/release/bin
packages="gcc libc6-dev cmake ninja-build pkg-config libyaml-dev libseccomp-dev libssl-dev libevent-dev zlib1g-dev musl-tools runc busybox-static jq openssl"

if [ "$(id -u)" -ne 0 ]; then
    echo "run.sh: please run as root: it installs packages and starts a container" >&2
    exit 2
fi

missing=()
for package in $packages; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
work=$(mktemp -d)
trap 'runc delete --force "${container:-none}" 2>/dev/null || true; rm -rf "$work"' EXIT
if [ ${#missing[@]} -gt 0 ]; then
    echo "== installing ${missing[*]}"
    if ! { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y \
        --no-install-recommends "${missing[@]}"; } >"$work/log" 2>&1 </dev/null; then
        cat "$work/log" >&2
        exit 2
    fi
fi

echo "== building (build/release)"
if ! { cmake -S "$root" --preset release -DBUILD_TESTING=OFF &&
    cmake --build "$root/build/release" --target lazaret-init lazaret-setup lazaret-helper lazaret; } >"$work/log" 2>&1; then
    cat "$work/log" >&2
    exit 2
fi

# The image: busybox, the workload, the policy, and three static programs of ours.
image=$work/rootfs
mkdir -p "$image"/{bin,sbin,etc/lazaret,app/www,proc,dev,sys,tmp,root,var/lib/lazaret,var/log/lazaret}
cp /bin/busybox "$image/bin/busybox"
for applet in sh httpd wget mount chroot unshare nc uname; do ln -s busybox "$image/bin/$applet"; done
cp "$bin/lazaret-init" "$bin/lazaret-setup" "$bin/lazaret-helper" "$image/sbin/"
cp "$here/policy.yaml" "$image/etc/lazaret/policy.yaml"
install -m 0755 "$here/workload.sh" "$image/app/workload.sh"
echo "hello from a confined container" >"$image/app/www/index.html"
openssl genpkey -algorithm X25519 -out "$work/recovery.key" # stays with the auditor
openssl pkey -in "$work/recovery.key" -pubout -out "$image/etc/lazaret/recovery.pem"
echo "root:x:0:0::/root:/bin/sh" >"$image/etc/passwd"
echo "patient data" >"$image/root/secret"
chmod 0644 "$image/root/secret" # the mode would let anybody read it
chmod 1777 "$image/tmp"

# The container, as an engine would make it: runc's own default configuration, our init in front. runc allows 1024
# open files where engines allow more than the policy's 4096, and init can only lower that.
runc spec --bundle "$work"
jq '.process.args = ["/sbin/lazaret-init", "--", "/bin/sh", "/app/workload.sh"]
    | .process.terminal = false
    | .process.env = ["PATH=/bin:/sbin"]
    | .process.noNewPrivileges = false
    | .process.rlimits = [{type: "RLIMIT_NOFILE", hard: 4096, soft: 4096}]
    | .process.capabilities |= with_entries(.value = ["CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP", "CAP_KILL"])
    | .root.readonly = false' "$work/config.json" >"$work/edited" && mv "$work/edited" "$work/config.json"

echo "== running the workload under lazaret-init in a container"
container=lazaret-quickstart-$$
code=0
runc run --bundle "$work" "$container" </dev/null || code=$?
trail=$image/var/log/lazaret/trail
"$here/account.sh" "$trail" "$here/policy.yaml" "$bin/lazaret"
"$here/tamper.sh" "$trail" "$work/tampered" "$bin/lazaret"
exit "$code"
