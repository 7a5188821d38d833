#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# dist.sh BUILD VERSION PROCESSOR OUT: what `cmake --install` installs, as OUT/lazaret_VERSION_ARCH.deb and as
# OUT/lazaret-VERSION-linux-PROCESSOR.tar.gz, and their SHA-256. The same tree and the same programs give the same bytes: the time of
# each file is that of the last commit, or SOURCE_DATE_EPOCH. Needs no root and changes nothing but OUT.
set -euo pipefail
[ $# -eq 4 ] || { echo "usage: dist.sh BUILD VERSION PROCESSOR OUT" >&2; exit 2; }
build=$1 version=$2 processor=$3 out=$4
here=$(cd "$(dirname "$0")" && pwd)
export LC_ALL=C TZ=UTC0
umask 022

epoch=${SOURCE_DATE_EPOCH:-$(git -C "$here" log -1 --format=%ct)} || {
    echo "dist.sh: no commit to take the time of: set SOURCE_DATE_EPOCH" >&2
    exit 2
}
export SOURCE_DATE_EPOCH=$epoch
case "$processor" in
x86_64) arch=amd64 ;;
aarch64) arch=arm64 ;;
*) echo "dist.sh: no name of Debian's for $processor" >&2; exit 2 ;;
esac

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tree=$work/tree
DESTDIR=$tree cmake --install "$build" --prefix /usr >/dev/null
install -m 0755 -d "$tree/etc/lazaret/policies.d" "$tree/etc/logrotate.d"
install -m 0700 -d "$tree/etc/lazaret/secrets.d" "$tree/var/log/lazaret"
install -m 0644 "$here/logrotate" "$tree/etc/logrotate.d/lazaret"
# Whatever the umask of the clone was: what may be executed, and what not.
chmod -R u=rwX,go=rX "$tree/usr"

# pack_tar: for hosts without dpkg, to be unpacked at /. Folders that are not ours are not in it: tar would give the host's our mode.
pack_tar() {
    (cd "$tree" && find etc usr var ! -type d -o -path '*/lazaret*' | sort) >"$work/list"
    tar -C "$tree" --no-recursion --mtime="@$epoch" --owner=0 --group=0 --numeric-owner --format=ustar -cf - -T "$work/list" |
        gzip -6n >"$work/$1"
}

# static_libraries: the source packages, with versions, whose code is in the programs, where they are known.
static_libraries() {
    # shellcheck disable=SC2016 # dpkg's, not ours
    dpkg-query -W -f '${source:Package} (= ${source:Version}), ' \
        libc6-dev libevent-dev libseccomp-dev libssl-dev libyaml-dev musl-dev zlib1g-dev 2>/dev/null || true
}

# pack_deb: the same, with Debian's customs: compressed pages, a changelog, a copyright, sums.
pack_deb() {
    local doc=$tree/usr/share/doc/lazaret control=$tree/DEBIAN libraries
    find "$tree/usr/share/man" -type f -exec gzip -9n {} +
    sed '/^# SPDX/d' "$here/debian/copyright" >"$doc/copyright"
    install -D -m 0644 "$here/debian/overrides" "$tree/usr/share/lintian/overrides/lazaret"
    printf 'lazaret (%s) unstable; urgency=medium\n\n  * What has changed is in CHANGELOG.md beside this file.\n\n -- %s  %s\n' \
        "$version" "$maintainer" "$(date -d "@$epoch" -R)" | gzip -9n >"$doc/changelog.gz"
    mkdir "$control"
    echo /etc/logrotate.d/lazaret >"$control/conffiles"
    install -m 0755 "$here/debian/preinst" "$here/debian/prerm" "$here/debian/postrm" "$control/"
    sed -i "s/@FORMAT@/$format/" "$control/preinst"
    (cd "$tree" && find etc usr var -type f ! -path etc/logrotate.d/lazaret -print0 | sort -z | xargs -0 md5sum) >"$control/md5sums"
    libraries=$(if [ "$arch" = "$(dpkg --print-architecture)" ]; then static_libraries; fi)
    {
        printf 'Package: lazaret\nVersion: %s\nArchitecture: %s\nMaintainer: %s\n' "$version" "$arch" "$maintainer"
        printf 'Installed-Size: %s\n' "$(du -k -s --apparent-size --exclude DEBIAN "$tree" | cut -f1)"
        [ -z "$libraries" ] || printf 'Static-Built-Using: %s\n' "${libraries%, }"
        sed '/^# SPDX/d' "$here/debian/control"
    } >"$control/control"
    find "$tree" -exec touch -h -d "@$epoch" {} + # dpkg-deb only makes later times earlier
    dpkg-deb --root-owner-group -Zxz -b "$tree" "$work/$1" >/dev/null
}

format=$(sed -n 's/^#define LAZ_IMAGE_VERSION *//p' "$here/../../lib/policy/image.h")
maintainer=$(sed -n 's/^Upstream-Contact: //p' "$here/debian/copyright")
names=("lazaret-$version-linux-$processor.tar.gz" "lazaret_${version}_$arch.deb")
pack_tar "${names[0]}"
pack_deb "${names[1]}"
mkdir -p "$out"
(cd "$work" && sha256sum "${names[@]}" >SHA256SUMS && mv "${names[@]}" SHA256SUMS "$out")
cat "$out/SHA256SUMS"
