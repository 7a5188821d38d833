# SPDX-License-Identifier: Apache-2.0
"""The how-tos for hosts, done as they say, from the package to its removal, with the real engines; and the user data of an ECS host,
run with stand-ins for AWS, dnf and systemd, in front of a real dockerd."""
import functools
import pathlib
import re
import shutil

import area
import host_page
import host_root
import laz
import rootfs
from laz import case, check, check_equal

HOW_TO = laz.ROOT / "docs" / "how-to"


@functools.cache
def dist():
    """The package and the tarball, where root looks for them; the image of the pages."""
    made = host_root.dist("dist")
    host_root.enter()
    for path in made.iterdir():
        shutil.copy(path, "/root")
    shutil.copytree(made, "/srv/lazaret")  # the bucket
    return made


@functools.cache
def image():
    return rootfs.tar_of(rootfs.busybox_root("busybox"))


@case("podman.md: from the package to its removal")
def podman():
    area.require_program("podman")
    dist()
    page = host_page.Page(HOW_TO / "podman.md")
    page.must(f"podman import -q {image()} docker.io/library/busybox:latest")
    page.follow()


@case("containerd.md: the same")
def containerd():
    area.require_program("containerd")
    dist()
    page = host_page.Page(HOW_TO / "containerd.md")
    page.must("systemctl start containerd")
    page.must(f"podman import -q {image()} docker.io/library/busybox:latest && podman save -q --format oci-archive -o /root/busybox.tar busybox")
    page.must("ctr image import /root/busybox.tar")
    page.follow()


@case("docker.md: the same")
def docker():
    area.require_program("dockerd")
    dist()
    page = host_page.Page(HOW_TO / "docker.md")
    page.must("systemctl stop docker || true; rm -rf /etc/docker/daemon.json")
    page.must(f"systemctl start docker && docker import {image()} busybox")
    page.follow()
    page.must("systemctl stop docker")


@case("ecs-on-ec2.md: the same, from the tarball, with Docker and a stand-in for the agent")
def ecs():
    area.require_program("dockerd")
    dist()
    page = host_page.Page(HOW_TO / "ecs-on-ec2.md")
    page.must(f"systemctl start docker && docker import {image()} busybox")
    page.follow()


# ---- User data -----------------------------------------------------------------------------------------

USER_DATA = laz.ROOT / "examples" / "ecs" / "user-data-shim.sh"
NVIDIA = "/usr/bin/nvidia-container-runtime"
TARBALL = re.compile(r"^\w{64}  (lazaret-\S+\.tar\.gz)$", re.MULTILINE)


def boot(name, *changes, files=()):
    """A host as it is when cloud-init runs user data, with these words of it replaced, and these files: (page, code, what it printed)."""
    area.require_program("dockerd")
    found = TARBALL.search((dist() / "SHA256SUMS").read_text())
    page = host_page.Page(USER_DATA)
    page.must("systemctl stop docker || true; rm -rf /etc/docker/daemon.json /etc/systemd/system/docker.service.d /etc/systemd/system/ecs.service.d")
    for program in ("/usr/bin/lazaret", NVIDIA):
        pathlib.Path(program).unlink(missing_ok=True)
    page.write("/etc/ecs/ecs.config", "")
    page.write("/usr/local/sbin/aws", '#!/bin/sh\n[ "$1 $2 $3" = "s3 cp --quiet" ] && cp "/srv/${4#s3://BUCKET/}" "$5"\n', 0o755)
    for path, text in dict(files).items():
        page.write(path, text, 0o755)
    page.must(f"systemctl start docker && docker import {image()} busybox")
    text = USER_DATA.read_text()
    for old, new in (("tarball=lazaret-0.1.0-linux-x86_64.tar.gz", f"tarball={found[1]}"), ("0" * 64, found[0][:64]), *changes):
        check(old in text, f"no {old!r} in {USER_DATA.name}")
        text = text.replace(old, new)
    page.write(f"/root/{name}", text, 0o700)
    return (page, *page.sh(f"/root/{name}"))


def pause():
    """An image with nothing but a program that waits, as ECS has one for the network of a task."""
    root = rootfs.scratch_root("pause")
    (area.root() / "pause.c").write_text("#include <unistd.h>\nint main(void) { for (;;) pause(); }\n")
    done = area.run(["gcc", "-static", "-o", root / "pause", area.root() / "pause.c"])
    check_equal(done.code, 0, f"gcc: {done.err}")
    return rootfs.tar_of(root)


@case("user data: the agent runs as before, every task is under the policy; a file that is broken later keeps Docker and the agent from starting")
def user_data():
    page, code, said = boot("user-data")
    check_equal(code, 0, said)
    page.must("systemctl start ecs")
    check_equal(page.must("docker ps --format '{{.Names}}'"), "ecs-agent\n", "the agent")
    check("uid=10001" in page.must("docker run --rm --cgroup-parent /ecs/x busybox id"), "a task")
    check("uid=0" in page.must("docker run --rm busybox id"), "the control: no task")
    page.must(f"docker import --change 'ENTRYPOINT [\"/pause\"]' {pause()} pause")
    page.must("docker run -d --name pause --cgroup-parent /ecs/x pause")
    check("uid=10001" in page.must("docker run --rm --cgroup-parent /ecs/x --network container:pause busybox id"), "a task with a network of its own")
    check_equal(page.must("docker inspect -f '{{.State.Running}}' pause && docker rm -f pause"), "true\npause\n", "the container that has it")
    check_equal(pathlib.Path("/etc/ecs/ecs.config").read_text(), "ECS_CLUSTER=prod\n", "ecs.config")
    page.must("docker rm -f ecs-agent")
    page.must("systemctl restart docker && systemctl start ecs && docker rm -f ecs-agent")
    page.must("sed -i s/task/tusk/ /etc/lazaret/runtime.yaml")
    for service in ("ecs", "docker"):
        code, said = page.sh(f"systemctl restart {service}")
        check(code != 0 and "tusk" in said and f"Job for {service}.service failed" in said, f"{service}: {code} {said}")


@case("user data that fails, by a tarball that is another, a policy that is wrong or a bucket that is not there: it says so, and the agent does not start")
def user_data_fails():
    for what, change, text in (("sum", ("sha256=", "sha256=f # "), "sha256sum"), ("policy", ("name: task", "nome: task"), "nome"),
                               ("bucket", ("s3://BUCKET", "s3://nowhere"), "s3:")):
        page, code, said = boot(f"user-data-{what}", change)
        check(code != 0 and text in said, f"{what}: {code} {said}")
        code, said = page.sh("systemctl start ecs")
        check(code != 0 and "Job for ecs.service failed" in said, f"{what}: the agent: {code} {said}")


@case("user data on a host with GPUs: the runtime that the agent asks for by name is under the policy too, in front of nvidia's")
def user_data_gpu():
    page, code, said = boot("user-data-gpu", files={NVIDIA: '#!/bin/sh\necho called >>/run/nvidia\nexec /usr/sbin/runc "$@"\n'})
    check_equal(code, 0, said)
    check("ECS_NVIDIA_RUNTIME=lazaret-nvidia" in pathlib.Path("/etc/ecs/ecs.config").read_text(), "ecs.config")
    seen = page.must("docker run --rm --runtime lazaret-nvidia --cgroup-parent /ecs/x busybox id")
    check("uid=10001" in seen, f"a task: {seen}")
    check("called" in pathlib.Path("/run/nvidia").read_text(), "nvidia's runtime was there")


if __name__ == "__main__":
    laz.main()
