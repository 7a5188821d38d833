# SPDX-License-Identifier: Apache-2.0
"""Rows of e2e_shim_hostile: bind mounts whose source is not what its path says: volumes that are mounts themselves, and what is
mounted below a source; and what is put there between the judgement and the runtime's own look.
"""
import json

import shim_world as world
from laz import check, check_equal
from shim_world import OPT, SHIM, configure

LENT = "/run/containers/storage/overlay-containers/x/userdata/volume"
BETWEEN = OPT / "between"
WHY = "(host.mounts): there, or in it, is "


def folder(source, option="rw"):
    return lambda c: c.mounts.append({"destination": "/x", "type": "bind", "source": source.format(bundle=c.bundle), "options": ["rbind", option]})


def volume(what, inside="", above=False, option="rw"):
    """A place that is itself a bind of something, as an engine's volumes may be; and a mount of it, of what is in it, or of the folder above."""
    def spoil(c):
        at = c.bundle / "volumes" / "v" / "_data"
        at.mkdir(parents=True)
        (c.bundle / "other").mkdir()
        c.host.must("mount", "--bind", what.format(bundle=c.bundle), at)
        c.undo = lambda: c.host.must("umount", at)
        folder(str(at.parent if above else at) + inside, option)(c)
    return spoil


def apart(at, *, inside="", option="rw"):
    """A volume of a file system of its own, which the host has below a denied place, as the root of another container is."""
    def spoil(c):
        c.host.must("mkdir", "-p", at)
        c.host.must("mount", "-t", "tmpfs", "apart", at)
        c.host.must("mkdir", "-p", f"{at}/a/b")
        volume(at + inside, option=option)(c)
        undo = c.undo
        c.undo = lambda: (undo(), c.host.must("umount", at), c.host.must("rmdir", at))
    return spoil


def stacked(lower, at):
    """What is at a place that engines lend is a new file system, with what is elsewhere in it."""
    def spoil(c):
        c.host.must("mkdir", "-p", at, "/opt/none")
        c.host.must("mount", "-t", "overlay", "-o", f"lowerdir={lower}:/opt/none", "overlay", at)
        c.undo = lambda: c.host.must("umount", at)
        folder(at, "ro")(c)
    return spoil


def parted(propagation, *options):
    """Whatever the host mounts later at the source, or below it, is not seen: no mount of the container follows one of the host's."""
    def spoil(c):
        (c.bundle / "other").mkdir()
        c.mounts.append({"destination": "/x", "type": "bind", "source": str(c.bundle / "other"), "options": ["rbind", *options]})
        if propagation is not None:
            c.linux["rootfsPropagation"] = propagation
        c.process["args"] = ["/bin/sh", "-c", "cat /proc/self/status; grep -E 'master:|shared:' /proc/self/mountinfo >&2 && exit 9; echo CWD; pwd"]
    return spoil


ROWS = [
    *[(f"a source that the host goes on with, root {kind}, options {options}", parted(kind, *options), "confined")
      for kind in (None, "", "private", "rprivate", "slave", "rslave", "unbindable") for options in ((), ("rprivate",))],
    *[(f"a mount that follows the host, by {option}", folder("{bundle}", option), "request-refused", f"the mount at /x: option {option} (nothing allows it)")
      for option in ("slave", "rslave")],
    *[(f"a volume that is {inside or 'all'} of what is mounted below {at}", apart(at, inside=inside), "request-refused", WHY)
      for at, inside in (("/run/apart", ""), ("/run/apart", "/a/b"), ("/etc/apart", ""), ("/usr/lib/apart", "/a"))],
    *[(f"an overlay of {lower} at what engines lend", stacked(lower, LENT), "request-refused", WHY + "overlay") for lower in ("/etc", "/var/lib")],
    ("an overlay elsewhere", stacked("/srv", "/opt/stacked"), "request-refused", WHY + "overlay"),
    ("a volume of what is mounted below programs, read-only", apart("/usr/lib/apart", option="ro"), "confined"),
    *[(f"a volume that is {what}, of which {inside or 'all'} is mounted", volume(what, inside), "request-refused", WHY)
      for what, inside in (("/", ""), ("/proc", ""), ("/sys", ""), ("/dev", ""), ("/run", ""), ("/run/lazaret", ""), ("/etc", ""), ("/", "/etc"),
                           ("/", "/var/lib"), ("/usr/lib", ""), ("/opt", ""), ("/opt/audit", ""))],
    ("a folder with a mount of /etc below", volume("/etc", above=True), "request-refused", WHY + "/etc"),
    ("a folder with a mount of programs below, which stays writable", volume("/usr/lib", above=True, option="ro"), "request-refused", WHY),
    ("the folder of the host's records", folder("/opt/audit"), "request-refused", "(host.mounts)"),
    ("programs by another name, read-only", volume("/usr/lib", option="ro"), "confined"),
    ("a volume of another folder", volume("{bundle}/other"), "confined"),
    ("a folder with an innocent mount below", volume("{bundle}/other", above=True), "confined"),
]


# ---- Between the judgement and the runtime's look --------------------------------------------------------

# What is done, what puts the host as it was, and where in the container something of the host is then; None: nowhere.
EXCHANGES = [
    ("a mount of /etc at the source", "mount --bind /etc {at}", "umount {at}", "/x"),
    ("a mount of /etc below the source", "mount --bind /etc {at}/sub", "umount {at}/sub", "/x/sub"),
    ("a mount of the host's root", "mount --bind / {at}", "umount {at}", "/x"),
    ("a mount of the host's /proc", "mount --bind /proc {at}", "umount {at}", "/x"),
    ("a link to the host's /proc, where the image has a link to the container's", "mv {at} {at}.before; ln -s /proc {at}", "rm {at}; mv {at}.before {at}", "/proc"),
    ("a mount of a file system below /run", "mkdir /run/apart; mount -t tmpfs apart /run/apart; mkdir /run/apart/seen; mount --bind /run/apart {at}",
     "umount {at}; umount /run/apart; rmdir /run/apart", "/x"),
    ("a link in the place of the source", "mv {at} {at}.before; ln -s /etc {at}", "rm {at}; mv {at}.before {at}", "/x"),
    ("an innocent mount", "mount --bind {at}/sub {at}", "umount {at}", None),
    ("a new file system", "mount -t tmpfs new {at}", "umount {at}", None),
    ("nothing", "true", "true", None),
]


def last_why(ledger):
    """Of the last refusal."""
    records = [json.loads(line) for line in ledger.read_text().splitlines()]
    return [record["d"]["why"] for record in records if record["ev"] == "hook.refuse"][-1]


def meanwhile(host, make_case, ledger):
    """By a runtime that does it before it begins: the shim has judged by then."""
    configure(f"version: 1\nruntime: {BETWEEN}\ndefault-policy: shell\naudit: {{file: {ledger}}}\n")
    for what, does, undoes, where in EXCHANGES:
        for program in (BETWEEN, SHIM):
            c = make_case()
            at = c.bundle / "volume"
            (at / "sub").mkdir(parents=True)
            BETWEEN.write_text(f"#!/bin/sh\n{does.format(at=at)}\nexec {host.path} \"$@\"\n")
            BETWEEN.chmod(0o755)
            if where == "/proc":
                c.link("x", where)
            c.mounts.append({"destination": "/x", "type": "bind", "source": str(at), "options": ["rbind", "rprivate"]})
            if program == BETWEEN:
                c.process["args"] = ["/bin/sh", "-c", "ls -d /x/*/* /x/*; echo ran"]
            c.write()
            done = host.run(program, c.bundle)
            host.must("sh", "-c", undoes.format(at=at))
            told = f"{host.name}: {what}: {done}"
            if where is None or program == BETWEEN:
                check_equal(done.code, 0, told)
            if program == BETWEEN and where is not None:
                check(any(word in done.out for word in ("lazaret", "/x/1\n", "seen")), f"control, {told}")
            if program == SHIM and where is not None:
                check(done.code != 0 and "CapBnd" not in done.out, told)
                check_equal(last_why(ledger).split(":")[0], f"what is mounted at {where} of the container is not what it was when it was judged", told)
            if program == SHIM and host.name == "runc" and where is not None:
                check("lazaret-hook: error: request-refused: " in done.err, told)
            c.done()
            c.canary.close()
    world.records()
