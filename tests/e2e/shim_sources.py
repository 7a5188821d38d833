# SPDX-License-Identifier: Apache-2.0
"""Rows of e2e_shim_hostile: bind mounts whose source is not what its path says: volumes that are mounts themselves, and what is
mounted below a source.
"""
WHY = "(host.mounts): there, or in it, is "


def folder(source, option="rw"):
    return lambda c: c.mounts.append({"destination": "/x", "type": "bind", "source": source, "options": ["rbind", option]})


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


ROWS = [
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
