# SPDX-License-Identifier: Apache-2.0
"""Rows of e2e_shim_hostile: seccomp profiles of the caller's."""
import fence

CONFINED, RUNTIME = "confined", "the runtime's own"
LIE = "by lazaret-init"
LISTS = "a seccomp profile that lets happen what it does not name (host.seccomp)"


def filtered(action="SCMP_ACT_ERRNO", names=(), others="SCMP_ACT_ALLOW", default="SCMP_ACT_ERRNO", **more):
    """A profile with a word for each call that there is, and one for all else."""
    rule = {"names": list(names), "action": action, **({"errnoRet": 0} if action == "SCMP_ACT_ERRNO" else {})}
    rest = {"names": sorted(set(fence.system_calls()) - set(names)), "action": others}
    rules = [rule] + [rest] * (others != default)
    profile = {"defaultAction": default, "architectures": ["SCMP_ARCH_X86_64"], "syscalls": rules, **more}
    return lambda c: c.linux.update(seccomp=profile)


def with_groups(spoil):
    return lambda c: (spoil(c), c.process.update(user={"uid": 0, "gid": 0, "additionalGids": [6, 42]}))


def elsewhere(spoil):
    """A container that begins in a folder that is not the policy's."""
    return lambda c: (spoil(c), c.process.update(cwd="/tmp"))


ROWS = [
    ("a profile with a listener", filtered("SCMP_ACT_NOTIFY", ["mkdir"], listenerPath="/run/evil.sock"), "request-refused", "listener"),
    ("a profile that notifies nobody", filtered("SCMP_ACT_NOTIFY", ["mkdir"]), {"runc": RUNTIME, "crun": CONFINED}),
    *[(f"a profile by which {name} does nothing and says that it did", filtered(names=[name]), LIE, "") for name in (
        "capset", "prctl", "rt_sigprocmask", "seccomp", "setresuid", "setresgid", "umask", "landlock_restrict_self", "landlock_create_ruleset", "landlock_add_rule", "prlimit64")],
    ("a profile by which setgroups does nothing, and groups", with_groups(filtered(names=["setgroups"])), LIE, ""),
    ("a profile by which chdir does nothing, and another folder", elsewhere(filtered(names=["chdir"])), LIE, 'step "change the directory" at /'),
    ("the control: another folder", elsewhere(lambda c: None), CONFINED),
    ("a profile that allows nothing", filtered(names=["read"], others="SCMP_ACT_ERRNO"), RUNTIME, ""),
    ("a profile that refuses one call", filtered(names=["reboot"], default="SCMP_ACT_ALLOW"), "request-refused", LISTS),
    ("a profile that refuses what nobody calls", filtered(names=["nothing_has_this_name"], default="SCMP_ACT_ALLOW"), "request-refused", LISTS),
]
