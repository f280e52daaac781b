"""What is done to the servers and to the connections, and when: drawn from a seed.

A fault happens when so many messages have been sent. What it does next waits for conditions, and
for moments that the seed chose."""

import asyncio
import random
import resource
import signal

from lab import LabError, until
from lab.process import run

LINK_PORTS = (5269, 5270)
# A connection or a session that is to be cut must be there first.
THERE_SECONDS = 120
LONGEST_DELAY_SECONDS = 0.05
LONGEST_DOWN_SECONDS = 0.3
LONGEST_STOP_SECONDS = 2.0
LONGEST_FULL_SECONDS = 3.0
# While more cuts of links than that are due, what goes across waits: each is to hit some traffic.
LINKS_DUE = 4


class Faults:
    """`counts`: how many of each kind, by the name of the method that does it. `total`: messages in
    all, `across`: of them between servers, which say when a link is cut. `on_link()` is called when
    across_waits() may have changed."""

    def __init__(self, servers, clients, total, across, seed, counts, journal,
                 on_link=lambda: None):
        self._servers = servers
        self._clients = clients
        self._random = random.Random(seed)
        self._journal = journal
        self._locks = {server.domain: asyncio.Lock() for server in servers}
        self._client_locks = {client.jid: asyncio.Lock() for client in clients}
        # One look at a time: each costs a process.
        self._link_lock = asyncio.Lock()
        self._tasks = []
        self.done = {}
        kinds = [kind for kind, count in counts.items() for _ in range(count)]
        self._random.shuffle(kinds)
        self._on_link = on_link
        self._links_due = 0
        self._link_is_there = True
        link_kinds = [kind for kind in kinds if kind == "link"]
        self._plan = self._moments(total, [kind for kind in kinds if kind != "link"])
        self._link_plan = self._moments(across, link_kinds)

    def _moments(self, total, kinds):
        """The last one first. Not before the first messages are on their way, nor after the last."""
        return sorted(((self._random.randint(total // 50, total * 49 // 50), number, kind)
                       for number, kind in enumerate(kinds)), reverse=True)

    def sent(self, total, across):
        """So many messages have been sent, and so many of them between servers."""
        for plan, count in ((self._plan, total), (self._link_plan, across)):
            while plan and plan[-1][0] <= count:
                kind = plan.pop()[2]
                self._links_due += kind == "link"
                self._tasks.append(asyncio.create_task(getattr(self, "_" + kind)()))

    def across_waits(self):
        """Whether messages across are to wait until links have been cut."""
        return self._links_due > LINKS_DUE and self._link_is_there

    def over(self):
        """Raises what went wrong in the harness itself."""
        for task in self._tasks:
            if task.done():
                task.result()
        return not self._plan and not self._link_plan and all(task.done() for task in self._tasks)

    async def stop(self):
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _count(self, name):
        self.done[name] = self.done.get(name, 0) + 1

    # --- faults ---

    async def _kill(self):
        await self._kill_server(self._random.choice(self._servers))

    async def _kill_server(self, server):
        delay, down = (self._random.uniform(0, longest)
                       for longest in (LONGEST_DELAY_SECONDS, LONGEST_DOWN_SECONDS))
        while_starting = self._random.random() < 0.2
        async with self._locks[server.domain]:
            await asyncio.sleep(delay)
            self._journal(f"kill -9 {server.domain}")
            await server.kill()
            await asyncio.sleep(down)
            if while_starting:
                server.process.start()
                await asyncio.sleep(down)
                self._journal(f"kill -9 {server.domain} while it starts")
                await server.kill()
            await server.start()
            self._journal(f"{server.domain} is up again")
        self._count("kills")

    async def _stop(self):
        server = self._random.choice(self._servers)
        seconds = self._random.uniform(0.1, LONGEST_STOP_SECONDS)
        async with self._locks[server.domain]:
            self._journal(f"{server.domain} is stopped for {seconds:.2f} s")
            server.process.signal(signal.SIGSTOP)
            await asyncio.sleep(seconds)
            server.process.signal(signal.SIGCONT)
        self._count("stops")

    async def _full(self):
        """No file of the server can grow, nor be written to at all."""
        server = self._random.choice(self._servers)
        seconds = self._random.uniform(0.1, LONGEST_FULL_SECONDS)
        async with self._locks[server.domain]:
            self._journal(f"the disk of {server.domain} is full for {seconds:.2f} s")
            limit_files(server, 0)
            await asyncio.sleep(seconds)
            limit_files(server, resource.RLIM_INFINITY)
        self._count("full disks")

    async def _cut(self):
        client = self._random.choice(self._clients)
        how = self._random.choice(("reset", "reset", "leave", "twice"))
        moments = [self._random.uniform(0, LONGEST_DELAY_SECONDS) for _ in range(2)]
        async with self._client_locks[client.jid]:
            await asyncio.wait_for(client.up.wait(), THERE_SECONDS)
            await asyncio.sleep(moments[0])
            self._journal(f"{client.jid}: cut ({how})")
            if how == "leave":
                client.leave()
            else:
                if how == "twice":
                    client.interrupt_next_login(moments[1])
                client.reset()
        self._count("cuts of clients")

    async def _link(self):
        await self._cut_link()
        self._links_due -= 1
        self._on_link()

    async def _cut_link(self):
        moment = self._random.uniform(0, LONGEST_DELAY_SECONDS)
        which = self._random.random()
        async with self._link_lock:
            await asyncio.sleep(moment)
            links = await established_links()
            if not links:
                # Traffic brings one.
                self._link_changed(there=False)
                links = await until(established_links, "link between the servers", THERE_SECONDS)
                self._link_changed(there=True)
            local, peer = links[int(which * len(links))]
            self._journal(f"link {local} to {peer}: cut")
            await reset_connection(local, peer)
        self._count("cuts of links")

    def _link_changed(self, there):
        self._link_is_there = there
        self._on_link()


def limit_files(server, size):
    """Refuses the server's process what it writes beyond that size of a file, until told otherwise."""
    _, hard = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE)
    soft = hard if size == resource.RLIM_INFINITY else size
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (soft, hard))


async def established_links():
    """Local and peer end of each connection that a server made to another."""
    ports = " or ".join(f"dport = :{port}" for port in LINK_PORTS)
    status, out, err = await run(["ss", "-Htn", "state", "established", f"( {ports} )"], None, 10)
    if status != 0:
        raise LabError(f"ss: {err.strip()}")
    return [tuple(line.split()[-2:]) for line in out.splitlines() if line.strip()]


async def reset_connection(local, peer):
    (local_address, local_port), (address, port) = (end.rsplit(":", 1) for end in (local, peer))
    await run(["ss", "-K", "src", local_address, "sport", "=", f":{local_port}",
               "dst", address, "dport", "=", f":{port}"], None, 10)


async def can_reset():
    """Whether this kernel lets connections be reset from outside (CONFIG_INET_DIAG_DESTROY)."""
    listener = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    address, port = listener.sockets[0].getsockname()
    reader, writer = await asyncio.open_connection(address, port)
    await reset_connection(":".join(map(str, writer.get_extra_info("sockname"))),
                           f"{address}:{port}")
    try:
        return await asyncio.wait_for(reader.read(1), 2) == b""
    except OSError:
        return True
    except asyncio.TimeoutError:
        return False
    finally:
        writer.transport.abort()
        listener.close()
