"""NSD with a root zone, `test.` and whatever a case adds; zones change while it runs."""

import os
import struct
import asyncio

from .process import Process, run
from .waiting import LabError, until

# Short, so that a change is seen within the life of a test.
TTL_SECONDS = 3
NEGATIVE_TTL_SECONDS = 1

CONFIG = """server:
  ip-address: {address}@{port}
  username: ""
  chroot: ""
  database: ""
  zonesdir: "{directory}"
  zonelistfile: "{directory}/zone.list"
  pidfile: "{directory}/nsd.pid"
  xfrdfile: "{directory}/xfrd.state"
  xfrdir: "{directory}"
  server-count: 1
  verbosity: 1
remote-control:
  control-enable: yes
  control-interface: "{directory}/control"
"""

ZONE = """$ORIGIN {zone}
$TTL {ttl}
@ {ttl} SOA ns.test. hostmaster.test. {serial} 3600 600 86400 {negative}
@ {ttl} NS ns.test.
"""


class Dns:
    """One authoritative server. Names are given without the final dot."""

    def __init__(self, directory, address, port=53, outlives=False):
        self.address = address
        self.port = port
        self.directory = directory
        self.serial = 1
        # zone -> whether it can be served; a zone without its file answers SERVFAIL
        self._zones = {".": True, "test.": True}
        self._records = {("ns.test", "A", address)}
        os.makedirs(directory)
        self.process = Process("nsd", [_nsd(), "-d", "-c", f"{directory}/nsd.conf"],
                               f"{directory}/nsd.log", outlives=outlives)

    @property
    def server(self):
        return f"{self.address}:{self.port}"

    def add(self, name, kind, data):
        """One record, seen after the next publish()."""
        self._records.add((name, kind, data))

    def remove(self, name, kind=None):
        self._records = {record for record in self._records
                         if record[0] != name or (kind and record[1] != kind)}

    def host(self, name, *addresses):
        for address in addresses:
            self.add(name, "AAAA" if ":" in address else "A", address)

    def service(self, domain, target, port=5269, service="_xmpp-server._tcp", priority=10,
                weight=0):
        """A SRV record; target "." says that the service is not offered."""
        dotted = target if target == "." else target + "."
        self.add(f"{service}.{domain}", "SRV", f"{priority} {weight} {port} {dotted}")

    def zone(self, name, servable):
        """A zone of its own for `name`; not servable means SERVFAIL for all of it.

        Zones are fixed when the server starts; whether one can be served is not."""
        self._zones[name + "."] = servable

    async def start(self):
        self._write()
        config = CONFIG.format(address=self.address, port=self.port, directory=self.directory)
        for number, zone in enumerate(self._zones):
            config += f'zone:\n  name: "{zone}"\n  zonefile: "{number}.zone"\n'
        with open(f"{self.directory}/nsd.conf", "w", encoding="utf-8") as file:
            file.write(config)
        self.process.start()
        await self._wait_for_serial()

    async def publish(self):
        """Serve the records as they are now; returns once they are answered."""
        self.serial += 1
        self._write()
        status, out, err = await run([_nsd("nsd-control"), "-c", f"{self.directory}/nsd.conf",
                                      "reload"])
        if status != 0:
            raise LabError(f"nsd does not reload: {out}{err}")
        await self._wait_for_serial()

    async def stop(self):
        await self.process.stop()

    async def query(self, name, kind):
        """(response code, answer count, serial of a SOA in the answer or None)."""
        question = b"".join(bytes([len(label)]) + label.encode()
                            for label in name.split(".") if label) + b"\0"
        packet = struct.pack(">6H", 4711, 0, 1, 0, 0, 0) + question + struct.pack(
            ">2H", {"SOA": 6, "A": 1, "SRV": 33}[kind], 1)
        loop = asyncio.get_running_loop()
        answer = loop.create_future()
        transport, _ = await loop.create_datagram_endpoint(
            lambda: _OneAnswer(answer), remote_addr=(self.address, self.port))
        try:
            transport.sendto(packet)
            data = await asyncio.wait_for(answer, 1)
        except (asyncio.TimeoutError, OSError):
            return None, 0, None
        finally:
            transport.close()
        _, flags, _, answers, _, _ = struct.unpack(">6H", data[:12])
        serial = None
        if kind == "SOA" and answers:
            # The five SOA numbers end the first record's data, whose length is known.
            start = 12 + len(question) + 4
            start += 2 if data[start] >= 0xC0 else data.index(b"\0", start) - start + 1
            length = struct.unpack(">H", data[start + 8:start + 10])[0]
            serial = struct.unpack(">I", data[start + 10 + length - 20:][:4])[0]
        return flags & 15, answers, serial

    def tail(self, lines):
        return self.process.tail(lines)

    async def _wait_for_serial(self):
        async def served():
            self.process.must_live()
            return (await self.query("test", "SOA"))[2] == self.serial
        await until(served, f"DNS answer with serial {self.serial}", 20)

    def _write(self):
        texts = {zone: ZONE.format(zone=zone, ttl=TTL_SECONDS, serial=self.serial,
                                   negative=NEGATIVE_TTL_SECONDS) for zone in self._zones}
        for name, kind, data in sorted(self._records):
            zone = max((zone for zone in self._zones
                        if zone == "." or f".{name}.".endswith("." + zone)), key=len)
            texts[zone] += f"{name}. {kind} {data}\n"
        for number, (zone, servable) in enumerate(self._zones.items()):
            path = f"{self.directory}/{number}.zone"
            if servable:
                with open(path, "w", encoding="utf-8") as file:
                    file.write(texts[zone])
            elif os.path.exists(path):
                os.unlink(path)


class _OneAnswer(asyncio.DatagramProtocol):
    def __init__(self, answer):
        self._answer = answer

    def datagram_received(self, data, addr):
        if not self._answer.done():
            self._answer.set_result(data)

    def error_received(self, exc):
        if not self._answer.done():
            self._answer.set_exception(exc)


def _nsd(program="nsd"):
    """NSD's programs are not on an ordinary user's PATH."""
    path = f"/usr/sbin/{program}"
    return path if os.path.exists(path) else program
