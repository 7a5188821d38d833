# SPDX-License-Identifier: Apache-2.0
"""The host's file of records as somebody reads it: each recipe of the page runs over a real one, of a shim, its hooks and runc, and finds what was done."""
import functools
import json
import pathlib
import subprocess

import area
import engines
import hook_world
import laz
import readme
import rootfs
import shim_world as world
from laz import case, check, check_equal
from shim_world import SHIM, configure

PAGE = laz.ROOT / "docs" / "how-to" / "read-the-hosts-audit-file.md"
DEFAULT = "/var/log/lazaret/host-audit.jsonl"
POLICY = (laz.ROOT / "tests" / "data" / "policies" / "docker.yaml").read_text().replace("/app, ", "") + "\nhost: {update: refuse}\n"
ANNOTATIONS = {"io.kubernetes.cri.container-name": "portal", "io.kubernetes.cri.image-name": "registry/portal:1", "io.kubernetes.cri.sandbox-name": "web-0"}


class Host:
    """A shim in front of runc, in a fence of its own."""

    def __init__(self):
        self.runc = area.require_program("runc")
        world.host()
        world.install(shell=POLICY)
        off = world.OPT / "lazaret-off"
        off.symlink_to(SHIM)
        configure(f"version: 1\nruntime: {self.runc}\ndefault-policy: shell\nselect: [{{runtime-name: lazaret-off, policy: pass-through}}]\n")
        self.fence = area.Fence()
        self.fence_run("mkdir", "-p", "/run/state")

    def fence_run(self, *words):
        return area.run(self.fence.command(*words), env={"PATH": area.PATH})

    def call(self, *words, program=SHIM):
        """A container that goes on would keep our pipes."""
        with open(area.root() / "said", "wb+") as said:
            code = subprocess.run(self.fence.command(program, "--root", "/run/state", *words), stdin=subprocess.DEVNULL, stdout=said, stderr=said,
                                  env={"PATH": area.PATH}, check=False, timeout=60).returncode
            said.seek(0)
            text = said.read().decode()
        laz.check_no_report(text)
        return code, text

    def must(self, *words, program=SHIM):
        code, text = self.call(*words, program=program)
        check_equal(code, 0, f"{words}: {text}")

    def bundle(self, name, args, **more):
        made = area.folder(f"bundle-{name}")
        root = made / "rootfs"
        area.run(["cp", "-a", hook_world.image(), root])
        for path in ("/usr", "/tmp"):
            rootfs.put_folder(root, path)
        rootfs.put_users(root)
        rootfs.put_libraries(root)
        area.run(["runc", "spec", "--bundle", made])
        config = json.loads((made / "config.json").read_text())
        caps = ["CAP_" + cap for cap in engines.DOCKER_CAPS]
        config["process"].update(terminal=False, args=args, capabilities={kind: caps for kind in ("bounding", "effective", "permitted")})
        config["root"]["readonly"] = False
        config["linux"].update(cgroupsPath=f"/{self.fence.cgroup}/{name}", resources={})
        config.update(more)
        (made / "config.json").write_text(json.dumps(config))
        return made


@functools.cache
def lived():
    """A host on which something happened: what is written of it, line by line."""
    host = Host()
    host.must("run", "--detach", "--bundle", host.bundle("web", ["/bin/sleep", "1000"], annotations=ANNOTATIONS, hostname="web-0"), "web")
    host.must("run", "--bundle", host.bundle("gone", ["/bin/true"]), "gone")
    host.must("exec", "web", "/bin/true", "a patient's name")
    check(host.call("update", "--pids-limit", "7", "web")[0] == 1, "an update is the policy's")
    host.must("run", "--bundle", host.bundle("open", ["/bin/true"]), "open", program=world.OPT / "lazaret-off")
    text = pathlib.Path(DEFAULT).read_text()
    host.must("kill", "web", "KILL")
    host.call("delete", "--force", "web")
    return [json.loads(line) for line in text.splitlines()], text


def recipe(number, **env):
    """What the page's recipe prints, over the file as it was."""
    _, text = lived()
    found = [b.text for b in readme.blocks(PAGE) if b.kind == "sh recipe"]
    check_equal(len(found), 6, "recipes")
    path = area.root() / "host-audit.jsonl"
    path.write_text(text)
    check(DEFAULT in found[number], f"{found[number]} is not about {DEFAULT}")
    done = area.run(["sh", "-ec", found[number].replace(DEFAULT, str(path))], env={"PATH": f"{laz.BIN}:{area.PATH}", **env})
    check_equal((done.code, done.err), (0, ""), f"{found[number]}: {done}")
    return [line.split("\t") for line in done.out.splitlines()]


@case("verify finds nothing in it; the recipes name who came in, what was refused, what has no policy, and what is there")
def recipes():
    records, _ = lived()
    check_equal([r["ev"] for r in records], ["hook.create", "hook.create", "hook.end", "shim.exec", "shim.refuse", "shim.create"], "what happened")
    stamp = {r["ev"]: r["ts"] for r in records}
    check(f"{len(records)} records, 0 to {len(records) - 1}" in recipe(0)[0][0], "verify")
    check_equal(recipe(1), [[stamp["shim.exec"], "web", "shell", "confined", "/bin/true"]], "who came in")
    (refused,) = recipe(2)
    check_equal(refused[:4], [stamp["shim.refuse"], "web", "update", "request-refused"], "what was refused")
    check("host.update" in refused[4], f"why: {refused}")
    check_equal(recipe(3), [[stamp["shim.create"], "pass-through", "open"]], "what has no policy")
    check_equal(recipe(4), [["0", "web", "shell", "hook.create", "portal"]], "what is there")
    said = [json.loads(line[0]) for line in recipe(5, ID="we")]
    check_equal([r["ev"] for r in said], ["hook.create", "shim.exec", "shim.refuse"], "all of one")
    check_equal(said[0]["bundle"], records[0]["d"]["bundle"], "with what is in d")


@case("a file that a power cut has torn is continued: the next call says so in it, and verify says where, and what is left out")
def torn():
    lived()
    ledger = pathlib.Path(DEFAULT)
    good, before = ledger.read_bytes(), len(ledger.read_text().splitlines())
    folder = area.folder("bundle-torn")
    (folder / "config.json").write_text("{}")
    try:
        for tail in (bytes(3 * 4096), b'{"lz":1,"ev":"shim.exec","sev":3,"s', b'{"lz":1,"ev":"sh\n'):
            ledger.write_bytes(good + tail)
            done = area.run([SHIM, "--root", "/run/state", "create", "--bundle", folder, "torn"], env={"PATH": area.PATH})
            check_equal(done.code, 1, f"{tail[:9]}: it is refused for its bundle: {done}")
            lines = ledger.read_bytes()[len(good) + len(tail):].splitlines()
            tear, refusal = map(json.loads, [line for line in lines if line])
            check_equal([tear[key] for key in ("ev", "act", "sev", "seq", "d")],
                        ["ledger.tear", "tear", 6, before + 1, {"from": len(good), "bytes": len(tail)}], f"{tail[:9]}: the record of it")
            check_equal((refusal["ev"], refusal["seq"]), ("shim.refuse", before + 2), f"{tail[:9]}: the one behind it")
            verdict = area.run([area.program("lazaret"), "verify", ledger])
            check(verdict.code == 1 and "integrity     ok" in verdict.out, f"{verdict}")
            check(f"torn: 1 were begun and not written to their end, the first at line {before + 1}, byte {len(good)}" in verdict.out, f"{verdict}")
    finally:
        ledger.write_bytes(good)


@case("what an engine calls a container is recorded with it: name, image, pod, hostname and control group; bounded, and without a letter that needs an escape")
def names():
    create, second = [r["d"] for r in lived()[0] if r["ev"] == "hook.create"]
    check_equal({key: create[key] for key in ("name", "image", "pod", "hostname")},
                {"name": "portal", "image": "registry/portal:1", "pod": "web-0", "hostname": "web-0"}, "as the engine says")
    check(create["cgroup"].endswith("/web"), f"{create}")
    check_equal([key for key in ("name", "image", "pod") if key in second], [], "an engine that says nothing")
    host = hook_world.runtime("runc")
    host.set_up()
    config = hook_world.config(["true"])
    config["annotations"] = {"nerdctl/name": "a\n\"\\b\u00fc \x7f", "io.kubernetes.cri-o.ImageName": "x" * 5000, "io.kubernetes.pod.name": ""}
    done, _ = host.run(hook_world.bundle(config))
    check_equal(done.code, 0, f"it runs: {done}")
    said = host.ledger()[0]["d"]
    check_equal((said["name"], said["image"]), ("a???b????", "x" * 128), "what is strange, and what is long")
    check("pod" not in said, f"what is empty: {said}")


if __name__ == "__main__":
    laz.main()
