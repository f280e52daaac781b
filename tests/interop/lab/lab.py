"""The laboratory: one scratch directory, one DNS server, one authority, some servers."""

import asyncio
import os
import shutil

from .ca import Authority
from .causeway import Causeway
from .dns import Dns
from .ejabberd import Ejabberd
from .prosody import Prosody
from .server import S2S_PORT, S2S_TLS_PORT
from .waiting import LabError

KINDS = {"causeway": Causeway, "prosody": Prosody, "ejabberd": Ejabberd}


class Lab:
    """`build` is the directory Causeway was built in; addresses are 127.0.`net`.n.

    Where the servers are to go on when this process ends, it `outlives` it."""

    def __init__(self, directory, build, net=77, dns_port=53, outlives=False):
        self.directory = directory
        self.outlives = outlives
        self.build = build
        self.net = net
        os.makedirs(directory, exist_ok=True)
        self.authority = Authority(f"{directory}/authority")
        self.dns = Dns(f"{directory}/dns", self.address(53), dns_port, outlives)
        self.servers = []
        self.clients = []
        self.cleanups = []
        self._last_host = 9

    def address(self, host=None):
        """An address of the laboratory's own; a fresh one unless `host` is given."""
        if host is None:
            self._last_host += 1
            host = self._last_host
        return f"127.0.{self.net}.{host}"

    def server(self, kind, domains, policy="certificate", transport="starttls", addresses=(),
               profile="normal", **options):
        """Describe a server (not started). `domains`: a name, or {name: certificate profile}.

        `transport` is what DNS says of it: "starttls", "direct" (only _xmpps-server), "both",
        or None, when the case writes the records itself.
        """
        if isinstance(domains, str):
            domains = {domains: profile}
        server = KINDS[kind](self, domains, self.address(), policy, addresses, **options)
        self.servers.append(server)
        for domain in domains if transport else ():
            host = f"xmpp.{domain}"
            self.dns.host(host, *server.s2s_addresses)
            if transport in ("starttls", "both"):
                self.dns.service(domain, host, S2S_PORT)
            if transport in ("direct", "both"):
                self.dns.service(domain, host, S2S_TLS_PORT, "_xmpps-server._tcp")
        return server

    async def start(self):
        """The DNS server, then all servers described so far, at once."""
        await self.dns.start()
        await self.start_servers(*self.servers)

    async def start_servers(self, *servers):
        results = await asyncio.gather(*(server.start() for server in servers),
                                       return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result

    async def close_clients(self, clients=None):
        """Close the given clients, or all."""
        gone = list(self.clients if clients is None else clients)
        self.clients = [client for client in self.clients if client not in gone]
        await asyncio.gather(*(client.close() for client in gone), return_exceptions=True)

    async def stop(self, keep=False):
        """Stop everything; remove the scratch directory unless it is to be kept."""
        await self.close_clients()
        for cleanup in reversed(self.cleanups):
            await cleanup()
        await asyncio.gather(*(server.stop() for server in self.servers), return_exceptions=True)
        await self.dns.stop()
        if not keep:
            shutil.rmtree(self.directory, ignore_errors=True)

    def logs(self, lines=25):
        """The last lines of every server's log, for a failure's report."""
        parts = [f"    {server.name}:\n{server.tail(lines)}" for server in self.servers]
        return "\n".join(part for part in parts if part.strip())


__all__ = ["Lab", "LabError"]
