# SPDX-License-Identifier: Apache-2.0
"""What images, and those who run them, may choose of their policy, by a real dockerd: nothing that is laxer than what the host selects.

The blocks of docs/reference/shim.md are run as they stand there.
"""
import json
import pathlib
import shlex
import shutil

import area
import engines
import laz
import readme
import rootfs
import shim_world as world
from laz import case, check, check_equal
from shim_world import configure

PAGE = laz.ROOT / "docs" / "reference" / "shim.md"
POLICY = (laz.ROOT / "tests" / "data" / "policies" / "docker.yaml").read_text().replace("/app, ", "")
PROGRAMS = pathlib.Path("/usr/libexec/lazaret")
LEDGER = pathlib.Path("/var/log/lazaret/host-audit.jsonl")
STATUS = ["cat", "/proc/self/status"]
LINK, DAEMON, RUN = readme.block("sh off", PAGE).splitlines()
_made = {}


def docker():
    """A daemon with both names, as the page has it, and a host with the page's file."""
    area.require_program("runc")
    world.host()
    narrow = POLICY.replace("write: [/tmp]", "write: []")
    world.install(web=POLICY, narrow=narrow, wide=POLICY.replace("write: [/tmp]", "write: [/tmp, /srv]"))
    configure(readme.block("yaml off", PAGE))
    if "docker" not in _made:
        shutil.copy(world.SHIM, PROGRAMS / "lazaret-shim")
        check_equal(area.run(shlex.split(LINK)).code, 0, LINK)
        _made["docker"] = engines.Docker(shlex.split(DAEMON)[1:])
        image("shell")
    return _made["docker"]


def image(tag, *changes, put=()):
    """An image of busybox that knows nothing of the host; put: (path, text) of files in it."""
    root = rootfs.busybox_root(f"image-{tag}")
    for path, text in put:
        rootfs.put(root, path, text, 0o755)
    _made["docker"].import_root(root, tag, "ENV PATH=/bin:/usr/bin", *changes)


def records(event):
    """Of the ledger: those of this event."""
    lines = LEDGER.read_text().splitlines() if LEDGER.exists() else []
    return [r for r in map(json.loads, lines) if r["ev"] == event]


def filters_of(result):
    """How many filters the process has, and as whom it runs."""
    check_equal(result.code, 0, f"{result}")
    status = dict(line.split(":", 1) for line in result.out.splitlines() if ":" in line)
    return int(status["Seccomp_filters"]), int(status["Uid"].split()[0])


@case("the page's second name of the runtime runs one container without a policy, exec too, and is in the ledger; the first name has one for the same image")
def off():
    engine = docker()
    words = shlex.split(RUN)
    check_equal((words[:2], words[-1]), (["docker", "run"], "IMAGE"), "the page's command")
    options = words[2:-1]
    check_equal(filters_of(engine.run("shell", STATUS, options=options)), (1, 0), "without a policy")
    check_equal(filters_of(engine.run("shell", STATUS, options=["--runtime", "lazaret"])), (2, rootfs.APP_UID), "the control")
    found = records("shim.create")
    check_equal([(r["act"], r["d"]["mode"], pathlib.Path(r["d"]["caller"]).name) for r in found], [("pass-through", "pass-through", "containerd-shim-runc-v2")], "records")
    name = engine.start("shell", ["sleep", "1000"], options=options)
    check_equal(filters_of(engine.call("exec", name, *STATUS)), (1, 0), "exec")
    check_equal([(r["act"], r["d"]["mode"]) for r in records("shim.exec")], [("enter", "pass-through")], "records of execs")
    engine.must("rm", "--force", name)


@case("an image's ENV LAZARET_POLICY, docker run -e and its /etc/lazaret/policy.name choose a stricter policy of the host, and nothing else")
def named():
    engine = docker()
    image("by-env", "ENV LAZARET_POLICY=narrow")
    image("by-file", put=[("/etc/lazaret/policy.name", "narrow\n")])
    image("wide", put=[("/etc/lazaret/policy.name", "wide\n")])
    image("off", "ENV LAZARET_POLICY=pass-through")
    write = ["sh", "-c", "echo x > /tmp/x && echo written; echo $LAZARET_POLICY"]
    rows = [("shell", [], True), ("by-env", [], False), ("by-file", [], False), ("shell", ["-e", "LAZARET_POLICY=narrow"], False),
            ("by-env", ["-e", "LAZARET_POLICY=web"], True)]
    for tag, options, may_write in rows:
        result = engine.run(tag, write, options=["--runtime", "lazaret", *options])
        check_equal((result.code, result.out.split()), (0, ["written"] if may_write else []), f"{tag} {options}: {result}")
    for tag, options, text in (("wide", [], "policy.name of the image: policy wide allows what web does not"),
                               ("off", [], 'LAZARET_POLICY: "pass-through" is no policy'),
                               ("shell", ["-e", "LAZARET_POLICY=nobody"], "LAZARET_POLICY: /etc/lazaret/policies.d/nobody.yaml")):
        result = engine.run(tag, write, options=["--runtime", "lazaret", *options])
        check(result.code != 0 and text in result.err, f"{tag} {options}: {result}")
    check_equal(engine.run("by-env", write, options=["--runtime", "lazaret-off"]).out.split(), ["written", "narrow"], "without a policy nobody looks")


@case("an image with a lazaret-init of its own is refused; with image-init: replace the host's runs its command, and the host's policy alone counts")
def own_init():
    engine = docker()
    own = "/usr/libexec/lazaret/lazaret-init"
    other = POLICY.replace("10001:10001", "10002:10002")
    image("own", f'ENTRYPOINT ["{own}", "--policy", "/own.yaml", "--"]',
          put=[(own, PROGRAMS / "lazaret-init"), (own.replace("init", "setup"), PROGRAMS / "lazaret-setup"), ("/own.yaml", other)])
    policy = ["--runtime", "lazaret"]
    result = engine.run("own", STATUS, options=policy)
    check(result.code == 125 and "the image brings its own lazaret-init" in result.err, f"{result}")
    check_equal(filters_of(engine.run("own", STATUS, options=["--runtime", "lazaret-off"]))[1], 10002, "the control: its own init and policy")
    configure(readme.block("yaml off", PAGE) + "image-init: replace\n")
    for options in ([], ["--init"]):
        check_equal(filters_of(engine.run("own", STATUS, options=[*policy, *options])), (2, rootfs.APP_UID), f"{options}")
        said = records("shim.create")[-1]
        check_equal((said["act"], said["ctr"], said["d"]["own_init_replaced"]), ("tighten", "web", True), f"{options}")
    image("another", f'ENTRYPOINT ["{own}", "--"]', put=[(own, PROGRAMS / "lazaret-setup")])
    result = engine.run("another", STATUS, options=policy)
    check(result.code == 125 and "(known-inits)" in result.err, f"another program: {result}")


if __name__ == "__main__":
    laz.main()
