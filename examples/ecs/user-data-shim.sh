#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# User data of an ECS-optimized host (Amazon Linux 2023) on which every task runs under the policy `task`, whatever its image is.
# Where a step fails the host does not join the cluster: the agent starts only behind the checks that are written first.
# What it does, and how to try it: docs/how-to/ecs-on-ec2.md
set -euo pipefail

cluster=prod
from=s3://BUCKET/lazaret                     # the tarball of `cmake --build --preset release --target dist`
tarball=lazaret-0.1.0-linux-x86_64.tar.gz
sha256=0000000000000000000000000000000000000000000000000000000000000000 # its line of SHA256SUMS

# 1. The agent, and Docker after a restart of the host, wait for the checks.
mkdir -p /etc/systemd/system/{docker,ecs}.service.d
cat >/etc/systemd/system/ecs.service.d/lazaret.conf <<'UNIT'
[Service]
ExecStartPre=/usr/bin/lazaret runtime check
ExecStartPre=/usr/bin/lazaret install runtime --engine docker --default --check
UNIT
systemctl daemon-reload

# 2. The programs.
command -v aws >/dev/null || dnf install -q -y awscli-2
aws s3 cp --quiet "$from/$tarball" "/root/$tarball"
echo "$sha256  /root/$tarball" | sha256sum --check --quiet
tar -C / -xzf "/root/$tarball"
if command -v restorecon >/dev/null; then restorecon -R /usr/bin/lazaret /usr/libexec/lazaret /etc/lazaret /var/log/lazaret; fi

# 3. Which container gets which policy. What is no task, as the agent itself, is left alone.
cat >/etc/lazaret/runtime.yaml <<YAML
version: 1
runtime: $(readlink -f "$(command -v runc)")
infra-policy: pass-through
default-policy: task
YAML
cat >/etc/lazaret/policies.d/task.yaml <<'YAML'
version: 1
name: task
extends: [builtin/web-api]
workload:
  user: "10001:10001"
  cwd: /
  exec-budget: -1
  env: {pass: [PATH, AWS_REGION, AWS_CONTAINER_CREDENTIALS_RELATIVE_URI, ECS_CONTAINER_METADATA_URI_V4]}
filesystem:
  read-exec: [/app, /bin, /lib, /lib64, /pause, /usr]
  read: [/etc, /proc]
  write: [/tmp]
  optional: [/app, /bin, /lib, /lib64, /pause, /usr, /tmp]
network: {tcp-bind: [8080], tcp-connect: [80, 443, 5432]}
syscalls: {allow: [setuid, setgid]} # busybox, before each of its commands; leave it out without it
YAML

# 4. A host with GPUs: the agent asks for this runtime by name, past the default one.
if [ -x /usr/bin/nvidia-container-runtime ]; then
    ln -sfn lazaret-shim /usr/libexec/lazaret/lazaret-nvidia
    echo 'runtime-by-name: {lazaret-nvidia: /usr/bin/nvidia-container-runtime}' >>/etc/lazaret/runtime.yaml
    mkdir -p /etc/docker
    [ -e /etc/docker/daemon.json ] ||
        echo '{"runtimes": {"lazaret-nvidia": {"path": "/usr/libexec/lazaret/lazaret-nvidia"}}}' >/etc/docker/daemon.json
    grep -q lazaret-nvidia /etc/docker/daemon.json
    echo 'ECS_NVIDIA_RUNTIME=lazaret-nvidia' >>/etc/ecs/ecs.config
fi

# 5. Docker is told, and starts anew: no task is there yet. From now on it does not start either where the checks fail.
lazaret install runtime --engine docker --default --apply
cat >/etc/systemd/system/docker.service.d/lazaret.conf <<'UNIT'
[Unit]
RequiresMountsFor=/etc/lazaret /usr/libexec/lazaret /var/log/lazaret

[Service]
ExecStartPre=/usr/bin/lazaret runtime check
UNIT
systemctl daemon-reload
systemctl restart docker

# 6. Which cluster. cloud-init starts the agent behind this script.
echo "ECS_CLUSTER=$cluster" >>/etc/ecs/ecs.config
