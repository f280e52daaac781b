"""Causeway itself, driven as an operator drives it: a TOML file and causewayctl."""

import json
import os

from .process import run
from .server import C2S_PORT, C2S_TLS_PORT, S2S_PORT, S2S_TLS_PORT, Server, password_of
from .waiting import LabError

HTTPS_PORT = 5281


class Causeway(Server):
    kind = "causeway"

    def __init__(self, *arguments, settings=None, domain_settings=None, **options):
        super().__init__(*arguments, **options)
        # Further tables: {"limits": {"key": value}}
        self.settings = settings or {}
        # Further keys of each [[domain]].
        self.domain_settings = domain_settings or {}
        self.socket = f"{self.directory}/causeway.sock"

    def configure(self):
        lines = []
        for domain in self.domains:
            certificate = self.certificate(domain)
            lines += ["[[domain]]", f'name = "{domain}"', f'certificate = "{certificate.chain}"',
                      f'key = "{certificate.key}"']
            lines += [f"{key} = {json.dumps(value)}"
                      for key, value in self.domain_settings.items()]
            lines.append("")
        tables = {
            "tls": {"trust": self.lab.authority.trust},
            "store": {"url": "sqlite:causeway.db"},
            "c2s": {"listen": [f"{self.address}:{C2S_PORT}"],
                    "listen_tls": [f"{self.address}:{C2S_TLS_PORT}"]},
            "s2s": {"listen": [_endpoint(address, S2S_PORT) for address in self.s2s_addresses],
                    "listen_tls": [_endpoint(address, S2S_TLS_PORT)
                                   for address in self.s2s_addresses],
                    "authentication": "certificate" if self.policy == "certificate"
                                      else "certificate-or-dialback",
                    "bind": self.address},
            "http": {"listen_tls": [f"{self.address}:{HTTPS_PORT}"]},
            "dns": {"servers": [self.lab.dns.server]},
            "control": {"socket": "causeway.sock"},
            "log": {"level": "debug"},
            "server": {"threads": 2},
        }
        for name, values in self.settings.items():
            tables.setdefault(name, {}).update(values)
        for name, values in tables.items():
            lines.append(f"[{name}]")
            # A JSON string, number or list of strings is also a TOML one.
            lines += [f"{key} = {json.dumps(value)}" for key, value in values.items()]
            lines.append("")
        self.write("causeway.toml", "\n".join(lines))

    def command(self):
        program = f"{self.lab.build}/gateway/causeway"
        if not os.access(program, os.X_OK):
            raise LabError(f"{program} is not built")
        return [program, "--config", f"{self.directory}/causeway.toml"], {}

    async def ready(self):
        # The control socket answers only once every listener is bound.
        if not os.path.exists(self.socket):
            return False
        status, _, _ = await self._run(["status"])
        return status == 0

    async def ctl(self, *arguments, input_text=None):
        """A causewayctl verb's JSON document; LabError with its reason if it is refused."""
        status, out, err = await self._run(["--json", *arguments], input_text)
        if status != 0:
            raise LabError(f"causewayctl {' '.join(arguments)}: status {status}: {err.strip()}")
        return json.loads(out) if out.strip() else None

    async def ctl_text(self, *arguments):
        """(status, text) of a verb as people see it."""
        status, out, err = await self._run(arguments)
        return status, out or err

    async def add_user(self, user, domain=None):
        await self.ctl("user", "add", "--password-stdin", f"{user}@{domain or self.domain}",
                       input_text=password_of(user) + "\n")

    async def _run(self, arguments, input_text=None):
        return await run([f"{self.lab.build}/tools/causewayctl", "--socket", self.socket,
                          *arguments], input_text, 30)


def _endpoint(address, port):
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
