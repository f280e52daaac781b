"""What all servers of the laboratory have in common: domains, addresses, life, accounts."""

import asyncio
import os

from .client import Client
from .process import Process
from .waiting import LabError, can_connect, until

START_SECONDS = 150
C2S_PORT, C2S_TLS_PORT, S2S_PORT, S2S_TLS_PORT = 5222, 5223, 5269, 5270


def password_of(user):
    return f"secret of {user}"


class Server:
    """A server process; subclasses write its configuration and know how to add accounts.

    `domains` maps each served domain to the profile of its certificate. `policy` is how
    other servers must prove who they are: "certificate" alone, or "dialback" as well.
    """

    kind = "server"
    ready_ports = (C2S_PORT, S2S_PORT)

    def __init__(self, lab, domains, address, policy, addresses=()):
        self.lab = lab
        self.domains = dict(domains)
        self.domain = next(iter(self.domains))
        self.address = address
        # Further addresses for server-to-server connections, "::1" for one.
        self.s2s_addresses = [address, *addresses]
        self.policy = policy
        # All domains are in the certificate of the first one.
        self.one_certificate = False
        self.directory = f"{lab.directory}/{self.domain}"
        os.makedirs(self.directory)
        self.log = f"{self.directory}/{self.kind}.log"
        self.process = None

    @property
    def name(self):
        return f"{self.kind} {self.domain}"

    def certificate(self, domain):
        if self.one_certificate:
            others = [other for other in self.domains if other != self.domain]
            return self.lab.authority.issue(self.domain, self.domains[self.domain], others)
        return self.lab.authority.issue(domain, self.domains[domain])

    def write(self, name, text):
        path = f"{self.directory}/{name}"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def configure(self):
        """Write the configuration; called once, before the first start."""
        raise NotImplementedError

    def command(self):
        """(arguments, environment) that start the server in the foreground."""
        raise NotImplementedError

    async def ready(self):
        """True once it serves."""
        answers = await asyncio.gather(*(can_connect(self.address, port)
                                         for port in self.ready_ports))
        return all(answers)

    async def add_user(self, user, domain=None):
        raise NotImplementedError

    async def ctl(self, *arguments, input_text=None):
        """Causeway's control client; a stand-in has none."""
        raise LabError(f"{self.kind} has no causewayctl ({' '.join(arguments)})")

    async def start(self):
        """Start (again) and return when it serves; the data of an earlier run are kept."""
        if not self.process:
            self.configure()
            arguments, environment = self.command()
            self.process = Process(self.name, arguments, self.log, environment, self.directory,
                                   self.lab.outlives)
        self.process.start()

        async def serves():
            self.process.must_live()
            return await self.ready()
        await until(serves, f"sign of life from {self.name}", START_SECONDS,
                    lambda: "\n" + self.process.tail(15))
        return self

    async def stop(self):
        """In order; returns the exit status."""
        return await self.process.stop() if self.process else None

    async def kill(self):
        """SIGKILL, as a crash."""
        return await self.process.kill()

    async def login(self, user, resource="lab", domain=None, **options):
        """A client of `user`, connected and bound, who has sent no presence yet."""
        jid = f"{user}@{domain or self.domain}/{resource}"
        return await Client.login(self, jid, password_of(user), **options)

    async def user(self, user, domain=None, presence=True, **options):
        """A fresh account and its client, available unless `presence` is False."""
        await self.add_user(user, domain)
        client = await self.login(user, domain=domain, **options)
        if presence:
            await client.become_available()
        return client

    def tail(self, lines=30):
        return self.process.tail(lines) if self.process else ""
