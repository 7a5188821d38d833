# SPDX-License-Identifier: Apache-2.0
"""A stand-in for Vault, and beside it the one for AWS, whose agent gives the credentials of a login.

Must never judge what a helper made of an answer: that is for the suites.
"""
from secret_world import Helper, Standin

TOKEN = "hvs.CANARYtoken0123456789"
PATH = "kv/data/prod/db"


class Vault(Standin):
    """One stand-in (vault_standin.py) in a folder of its own."""

    PROGRAM, PORTS = "vault_standin.py", 1

    def __init__(self, agent=None, **data):
        super().__init__(**data)
        self.aws = agent
        self.token = self.folder / "token"
        self.token.write_text(TOKEN + "\n")
        self.token.chmod(0o400)

    def login(self, role=None, **more):
        """secrets.vault, as the helper is told it."""
        who = {"role": role} if role else {} if "variable" in more else {"token": self.token}
        return {"address": f"https://127.0.0.1:{self.port}", "ca": self.ca, **who, **more}

    def helper(self, items, environment=None, vault=None, **keys):
        said = {**(self.aws.environment() if self.aws else {}), **(environment or {})}
        return Helper(items, environment=said, vault=vault or self.login(), ca=self.ca, **keys)


def secret(*versions):
    """One secret of the stand-in's data, as {path: ...}; versions from 1 on."""
    return {PATH: {str(n + 1): version for n, version in enumerate(versions)}}
