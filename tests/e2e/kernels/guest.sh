#!/bin/busybox sh
# shellcheck shell=dash
# SPDX-License-Identifier: Apache-2.0
#
# First process of a guest: runs each script of /jobs, writes its exit code and what it printed to the
# console between marks, and switches the machine off. /cell is a fresh copy of /image for each job. guests.py
# reads the marks; nothing else may be written to the console after the first.
busybox=/bin/busybox
$busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mount -t securityfs securityfs /sys/kernel/security
dmesg -n 1
stty -onlcr

# Debian's kernels are stricter than others: what Lazaret refuses has to be possible without it.
for setting in kernel/perf_event_paranoid=-1 kernel/unprivileged_bpf_disabled=0 vm/unprivileged_userfaultfd=1 \
    kernel/yama/ptrace_scope=0 kernel/unprivileged_userns_clone=1 kernel/dmesg_restrict=0; do
    [ ! -e "/proc/sys/${setting%=*}" ] || echo "${setting#*=}" >"/proc/sys/${setting%=*}"
done 2>/dev/null

echo "@@up"
for job in /jobs/*; do
    mount -t tmpfs -o mode=755 cell /cell
    cp -a /image/. /cell/
    timeout -s KILL "$(cat /limit)" sh "$job" >/out 2>/err </dev/null
    echo "@@job ${job##*/} $? $(cut -d ' ' -f 1 /proc/uptime)"
    gzip -c /out | base64
    echo "@@err"
    gzip -c /err | base64
    echo "@@end"
    umount -l /cell
done
echo "@@down"
poweroff -f
