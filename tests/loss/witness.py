"""Stands on the wire between two servers, and writes down what passes.

DNS names the witness in the place of either server. It ends the TLS of both sides with the
certificates of the two domains, so it reads their streams, and can cut them wherever it likes. What
a server sent, and up to where it said by XEP-0198 that it has the other's stanzas, is known from
here, whatever either of them remembers."""

import asyncio
import contextlib
import socket
import ssl
from xml.etree.ElementTree import ParseError

from lab.server import S2S_TLS_PORT

from client import reset
from xmpp import MANAGEMENT, SASL, Elements, StreamEnded

SERVER = "{jabber:server}"
STANZAS = tuple(SERVER + name for name in ("message", "presence", "iq"))
# Between a cut that was asked for and one in the middle of what comes next.
NOTHING_COMES_SECONDS = 0.2
# For the end of TLS; a server that was killed does not answer.
CLOSE_SECONDS = 1


class Copy:
    """A stanza that passed. `order` counts all that did, in either direction."""

    __slots__ = ("stream", "order", "at", "managed", "acknowledged_at", "told_at")

    def __init__(self, stream, order, at, managed):
        self.stream = stream
        self.order = order
        self.at = at
        self.managed = managed  # a stream management counted it
        self.acknowledged_at = None  # the recipient's server said so
        self.told_at = None  # and that was passed on to the sender's


class Direction:
    """What one server sends on a stream."""

    def __init__(self, sender):
        self.sender = sender
        self.elements = Elements()
        self.managed = []
        self.before = []  # what stream management does not count
        self.counts = False
        self.acknowledged = 0
        self.held = False
        self.cut_within_next = None  # a share of it still passes


class WatchedStream:
    def __init__(self, number, initiator, responder, at):
        self.number = number
        self.began = at
        self.ended = None
        self.forth = Direction(initiator)
        self.back = Direction(responder)
        self.writers = []

    def other(self, direction):
        return self.back if direction is self.forth else self.forth

    def end(self, at):
        if self.ended is None:
            self.ended = at
        for writer in self.writers:
            if not writer.is_closing():
                reset(writer)


class Witness:
    """`key_of(element)` names a message, or is None; `clock()` is the harness's."""

    def __init__(self, lab, servers, key_of, clock, journal):
        self._lab = lab
        self._servers = servers
        self._key_of = key_of
        self._clock = clock
        self._journal = journal
        self._order = 0
        self._tasks = set()
        self._streams = 0
        self.open = []
        # (domain of the server that sent it, key) -> its copies, the first one first
        self.copies = {}
        self.not_understood = []
        lab.cleanups.append(self._stop)

    async def start(self):
        """To be called before the DNS server starts."""
        for server in self._servers:
            address = self._lab.address()
            host = f"witness.{server.domain}"
            self._lab.dns.host(host, address)
            self._lab.dns.service(server.domain, host, S2S_TLS_PORT, "_xmpps-server._tcp")
            listener = socket.create_server((address, S2S_TLS_PORT), backlog=100)
            listener.setblocking(False)
            other = next(each for each in self._servers if each is not server)
            self._keep(asyncio.create_task(self._listen(listener, other, server)))

    def copies_of(self, domain, key):
        return self.copies.get((domain, key), [])

    def who_may_send(self):
        """The domains that have a stream on which stanzas are counted."""
        return {direction.sender for stream in self.open
                for direction in (stream.forth, stream.back)
                if direction.counts and (direction is stream.forth or direction.managed)}

    def _keep(self, task):
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _stop(self):
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # --- cuts ---

    async def cut(self, stream, how, forth, share, seconds):
        """Resets a stream at both ends: at once; in the middle of what comes next from one side; or
        after a while in which that side is heard no more."""
        direction = stream.forth if forth else stream.back
        self._journal(f"stream {stream.number} of {stream.forth.sender}: cut ({how}, "
                      f"what {direction.sender} sends)")
        if how == "within":
            direction.cut_within_next = share
            await asyncio.sleep(NOTHING_COMES_SECONDS)
        elif how == "hold":
            direction.held = True
            await asyncio.sleep(seconds)
        stream.end(self._clock())

    # --- connections ---

    async def _listen(self, listener, initiator, responder):
        with listener:
            while True:
                connection, _ = await asyncio.get_running_loop().sock_accept(listener)
                self._keep(asyncio.create_task(
                    self._watch(connection, initiator, responder)))

    async def _watch(self, connection, initiator, responder):
        self._streams += 1
        stream = WatchedStream(self._streams, initiator.domain, responder.domain, self._clock())
        try:
            far_reader, far_writer = await asyncio.open_connection(
                responder.address, S2S_TLS_PORT, ssl=self._context(initiator),
                server_hostname=responder.domain)
            stream.writers.append(far_writer)
            reader, writer = await self._accept_tls(connection, responder)
            stream.writers.append(writer)
            self.open.append(stream)
            await self._pass_both_ways(stream, (reader, far_writer), (far_reader, writer))
        except (OSError, ssl.SSLError) as error:
            self._journal(f"stream {stream.number} of {initiator.domain}: {error}")
        finally:
            if stream in self.open:
                self.open.remove(stream)
            stream.end(self._clock())
            with contextlib.suppress(OSError):
                connection.close()

    async def _pass_both_ways(self, stream, forth, back):
        passing = [asyncio.ensure_future(self._pass(stream, direction, *ends))
                   for direction, ends in ((stream.forth, forth), (stream.back, back))]
        try:
            await asyncio.wait(passing, return_when=asyncio.FIRST_COMPLETED)
            stream.ended = stream.ended or self._clock()
            self.open.remove(stream)
            for task, (_, writer) in zip(passing, (forth, back)):
                if task.done() and not task.exception():
                    # The end of what one side sent; the other gets all of it.
                    writer.close()
                    with contextlib.suppress(OSError, ssl.SSLError, asyncio.TimeoutError):
                        await asyncio.wait_for(writer.wait_closed(), CLOSE_SECONDS)
        finally:
            for task in passing:
                task.cancel()
            await asyncio.gather(*passing, return_exceptions=True)

    def _context(self, server):
        certificate = server.certificate(server.domain)
        context = ssl.create_default_context(cafile=self._lab.authority.trust)
        context.load_cert_chain(certificate.chain, certificate.key)
        return context

    async def _accept_tls(self, connection, server):
        certificate = server.certificate(server.domain)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH,
                                             cafile=self._lab.authority.trust)
        context.verify_mode = ssl.CERT_OPTIONAL
        context.load_cert_chain(certificate.chain, certificate.key)
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(reader)
        transport, _ = await loop.connect_accepted_socket(lambda: protocol, connection,
                                                          ssl=context)
        return reader, asyncio.StreamWriter(transport, protocol, reader, loop)

    async def _pass(self, stream, direction, reader, writer):
        while data := await reader.read(1 << 16):
            passed = direction.held is False and direction.cut_within_next is None
            self._look(stream, direction, data, passed)
            if passed:
                writer.write(data)
                await writer.drain()
            elif direction.cut_within_next is not None:
                writer.write(data[:int(len(data) * direction.cut_within_next)])
                stream.end(self._clock())

    # --- what passes ---

    def _look(self, stream, direction, data, passed):
        try:
            for element in direction.elements.feed(data):
                self._take(stream, direction, element, passed)
        except StreamEnded:
            self._journal(f"stream {stream.number}: {direction.sender} closed it")
        except ParseError as error:
            self.not_understood.append(f"stream {stream.number}, {direction.sender}: {error}")

    def _take(self, stream, direction, element, passed):
        other = stream.other(direction)
        if element.tag in STANZAS:
            self._note_stanza(stream, direction, element)
        elif element.tag == SASL + "success":
            stream.forth.elements, stream.back.elements = Elements(), Elements()
        elif element.tag in (MANAGEMENT + "enable", MANAGEMENT + "enabled"):
            direction.counts = True
        elif element.tag == MANAGEMENT + "a":
            self._note_acknowledged(other, int(element.get("h")), passed)
        elif element.tag.endswith("}error"):
            said = ", ".join(child.tag.rpartition("}")[2] for child in element)
            self._journal(f"stream {stream.number}: {direction.sender} ends it, {said}")

    def _note_stanza(self, stream, direction, element):
        copy = Copy(stream, self._order, self._clock(), direction.counts)
        self._order += 1
        (direction.managed if direction.counts else direction.before).append(copy)
        key = self._key_of(element)
        if key:
            self.copies.setdefault((direction.sender, key), []).append(copy)

    def _note_acknowledged(self, direction, h, passed):
        if h > len(direction.managed):
            self.not_understood.append(f"{len(direction.managed)} stanzas of {direction.sender} "
                                       f"passed, and {h} are acknowledged")
        for copy in direction.managed[direction.acknowledged:h]:
            copy.acknowledged_at = self._clock()
            copy.told_at = copy.acknowledged_at if passed else None
            # Whoever has this one has what came before it.
            for uncounted in direction.before:
                uncounted.acknowledged_at = copy.acknowledged_at
            direction.before.clear()
        direction.acknowledged = max(direction.acknowledged, h)
