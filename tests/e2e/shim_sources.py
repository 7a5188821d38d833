# SPDX-License-Identifier: Apache-2.0
"""Rows of e2e_shim_hostile: bind mounts whose source is not what its path says: volumes that are mounts themselves, and what is
mounted below a source.
"""
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
