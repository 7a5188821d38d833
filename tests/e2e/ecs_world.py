# SPDX-License-Identifier: Apache-2.0
"""The stand-in of ecs_standin.py as the suites use it: started, told what goes wrong, and asked what it saw."""
import atexit
import base64
import json
import re
import subprocess

import area
import fence
import laz

PYTHON = "/usr/bin/python3"  # the one that Debian's python3-botocore is for
SOURCE = laz.ROOT / "tests/e2e/ecs_standin.py"
ID, UUID = re.search(r'^ID, CREDENTIALS = "([^"]+)", "([^"]+)"$', SOURCE.read_text(encoding="utf-8"), re.M).groups()
ARN = "arn:aws:ecs:us-west-2:111122223333"
TASK_ID = "8f03e41243824aea923aca126495f665"
TASK = f"{ARN}:task/default/{TASK_ID}"
IMAGE = "sha256:d691691e9652791a60114e67b365688d20d19940dde7c4736ea30e660d8d3553"


class Agent:
    """One stand-in in a folder of its own."""

    _count = 0

    def __init__(self, **rules):
        Agent._count += 1
        found = subprocess.run([PYTHON, "-c", "import botocore.auth"], capture_output=True, check=False)
        if found.returncode != 0:
            laz.skip("python3-botocore is not installed")
        self.folder, self.epoch = area.folder(f"ecs-{Agent._count}"), 0
        self.rules(**rules)
        self.process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", PYTHON, SOURCE, self.folder, "0"], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=open(self.folder / "said", "ab"))
        atexit.register(self.process.kill)
        words = self.process.stdout.readline().decode().split()
        laz.check_equal(words[:1], ["listens"], (self.folder / "said").read_text()[-800:])
        self.port = int(words[1])

    def rules(self, **rules):
        """What goes wrong, or is said otherwise, from now on."""
        self.epoch += 1
        for name, text in (("control", {"epoch": self.epoch, **rules}),):
            temporary = self.folder / f"{name}.new"
            temporary.write_text(json.dumps(text))
            temporary.rename(self.folder / name)

    def again(self, raw=None, **rules):
        """As one that has just been started; `raw`: what is said byte for byte, by what is asked."""
        for name in ("requests", "violations"):
            (self.folder / name).unlink(missing_ok=True)
        words = {what: base64.b64encode(text).decode() for what, text in (raw or {}).items()}
        (self.folder / "raw").write_text(json.dumps(words))
        self.rules(**rules)
        return self

    def uri(self, version=4):
        return f"http://127.0.0.1:{self.port}/v{version}/{ID}"

    def environment(self, **more):
        """Of a container of the task, as the agent makes it."""
        return {**fence.ENVIRONMENT, "ECS_CONTAINER_METADATA_URI_V4": self.uri(4),
                "ECS_CONTAINER_METADATA_URI": self.uri(3), "ECS_AGENT_URI": f"http://127.0.0.1:{self.port}/api/{ID}", **more}

    def requests(self, what=None):
        path = self.folder / "requests"
        data = path.read_bytes() if path.exists() else b""
        found = [json.loads(line) for line in data[:data.rfind(b"\n") + 1].splitlines()]
        return [r for r in found if what in (None, r["what"])]

    def asked(self):
        return [r["what"] for r in self.requests()]

    def violations(self):
        path = self.folder / "violations"
        return path.read_text() if path.exists() else ""
