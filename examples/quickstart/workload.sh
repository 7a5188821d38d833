#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# The workload of the quickstart. First it does its work; then it behaves as if somebody had broken into it.

attempt() { # attempt WHAT COMMAND...
    what=$1
    shift
    if "$@" >/dev/null 2>&1; then
        echo "  done     $what"
    else
        echo "  refused  $what"
    fi
}

read_file() { read -r _ <"$1"; }
write_file() { echo break-in >"$1"; }

echo "The work:"
attempt "serve /app/www on port 8080" httpd -p 8080 -h /app/www
attempt "fetch the page" wget -q -O /tmp/page http://127.0.0.1:8080/
attempt "write to /tmp" write_file /tmp/note

echo "The break-in:"
attempt "read /root/secret" read_file /root/secret
attempt "overwrite /etc/passwd" write_file /etc/passwd
attempt "overwrite lazaret-init" write_file /sbin/lazaret-init
attempt "read PID 1's environment" read_file /proc/1/environ
attempt "stop PID 1" kill -TERM 1
attempt "mount a file system" mount -t tmpfs none /tmp
attempt "change the root" chroot /tmp /bin/true
attempt "open a namespace" unshare -U true
attempt "listen on port 9999" nc -l -p 9999 -w 1
attempt "run what was downloaded" /tmp/page
for again in 1 2 3 4 5 6; do
    attempt "start one more program ($again)" /bin/uname
done
