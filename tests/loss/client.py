"""A client that keeps one session over many connections, counting as XEP-0198 says.

It remembers every stanza that the server has not acknowledged. When a connection ends, however it
does, it connects again, resumes, and sends again what the server has not handled. It decides
nothing by time: all of its waits end with something that the server does."""

import asyncio
import collections
import contextlib
import socket
import ssl
import struct
from xml.etree.ElementTree import ParseError

from xmpp import CLIENT, MANAGEMENT, SASL, STREAMS, Elements, Scram, StreamEnded

PORT = 5223
# Between two attempts at a server that is down.
AGAIN_SECONDS = 0.05
# For one login. A server that is stopped for a while answers later, not never.
LOGIN_SECONDS = 60
WINDOW = 1 << 32


class Client:
    """`jid` is full. `on_message(element)` is told each message, once for each time that it comes;
    `on_change()` that something was acknowledged, or that the session is there. `journal(text)`
    keeps what happened for a person who looks for a fault."""

    def __init__(self, server, jid, password, context, journal):
        self.server = server
        self.jid = jid
        self.bare, self.resource = jid.split("/")
        self.user, self.domain = self.bare.split("@")
        self._password = password
        self._context = context
        self._journal = journal
        self.on_message = lambda element: None
        self.on_change = lambda: None
        # Stanzas that the server has not acknowledged: (key or None, XML), the oldest first.
        self.unacknowledged = collections.deque()
        self._acknowledged = 0  # stanzas, modulo 2^32
        self._handled = 0
        self._token = None
        self._asked = False
        self._elements = None
        self._arrived = collections.deque()
        self._reader = self._writer = None
        self._left = []
        self._interrupt_login = None
        self._loop_task = self._connection = None
        self._leaving = self._closing = False
        self._answers = {}
        self.up = asyncio.Event()
        self.connections = self.resumed = self.bound = 0
        self.not_resumed = []  # what the server said
        self.wrong = []  # what XEP-0198 forbids
        self.refused = []  # logins that failed for another reason than the network's

    # --- what the harness does ---

    def start(self):
        self._loop_task = asyncio.create_task(self._keep_connected())

    def send(self, xml, key=None):
        """A stanza; while there is no session it waits for one."""
        self.unacknowledged.append((key, xml))
        if self.up.is_set():
            self._write(xml)

    def ask(self):
        """For an acknowledgement, unless a question is open."""
        if self.up.is_set() and not self._asked and self.unacknowledged:
            self._asked = True
            self._write("<r xmlns='urn:xmpp:sm:3'/>")

    def reset(self):
        """The connection is reset; what is on its way in either direction is gone."""
        if self._writer:
            self.up.clear()
            reset(self._writer)

    def leave(self):
        """The client goes to another network: the server is not told, and may take the old
        connection for whole when the client comes back."""
        if self._connection and self._writer:
            self._leaving = True
            self.up.clear()
            self._connection.cancel()

    def interrupt_next_login(self, seconds):
        """Resets the next connection that long after <resume/> was sent."""
        self._interrupt_login = seconds

    async def ping(self):
        """Returns when the server has answered everything that was sent before, and this."""
        identifier = f"ping-{len(self._answers)}"
        answer = self._answers[identifier] = asyncio.get_running_loop().create_future()
        self.send(f"<iq type='get' id='{identifier}' to='{self.domain}'>"
                  "<ping xmlns='urn:xmpp:ping'/></iq>")
        await answer

    async def close(self):
        """Ends the session in order: the server is told what was handled."""
        self._closing = True
        if self.up.is_set():
            self._write(f"<a xmlns='urn:xmpp:sm:3' h='{self._handled}'/></stream:stream>")
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(asyncio.shield(self._loop_task), LOGIN_SECONDS)
        await self.cancel()

    def check(self):
        """Raises what went wrong in the client itself."""
        if self._loop_task.done():
            self._loop_task.result()

    async def cancel(self):
        """Ends without a word."""
        if self._loop_task:
            self._loop_task.cancel()
            await asyncio.gather(self._loop_task, return_exceptions=True)

    def in_a_new_session(self, resource, on_message):
        """Another client of the same account."""
        other = Client(self.server, f"{self.bare}/{resource}", self._password, self._context,
                       self._journal)
        other.on_message = on_message
        return other

    # --- connections ---

    async def _keep_connected(self):
        while not self._closing:
            self._connection = asyncio.create_task(self._serve_connection())
            try:
                await self._connection
            except asyncio.CancelledError:
                if not self._leaving:
                    raise
            except (OSError, ssl.SSLError, StreamEnded, ParseError, asyncio.TimeoutError) as error:
                self._journal(f"{self.jid}: {error or type(error).__name__}")
            finally:
                self._drop()
            if not self._leaving and not self._closing:
                await asyncio.sleep(AGAIN_SECONDS)
            self._leaving = False

    def _drop(self):
        self.up.clear()
        self._asked = False
        if self._writer and self._leaving:
            self._writer.transport.pause_reading()
            self._left.append(self._writer)
        elif self._writer:
            reset(self._writer)
        self._writer = None

    async def _serve_connection(self):
        self._reader, self._writer = await asyncio.open_connection(
            self.server.address, PORT, ssl=self._context, server_hostname=self.domain)
        self.connections += 1
        await asyncio.wait_for(self._log_in(), LOGIN_SECONDS)
        for writer in self._left:
            writer.transport.abort()
        self._left.clear()
        self.on_change()
        while True:
            self._take(await self._next())

    async def _log_in(self):
        await self._open_stream()
        scram = Scram(self.user, self._password)
        self._write(f"<auth xmlns='{SASL[1:-1]}' mechanism='{scram.mechanism}'>"
                    f"{scram.first()}</auth>")
        challenge = await self._expect(SASL + "challenge")
        self._write(f"<response xmlns='{SASL[1:-1]}'>{scram.answer(challenge.text)}</response>")
        scram.verify((await self._expect(SASL + "success")).text)
        await self._open_stream()
        if not (self._token and await self._resume()):
            await self._bind()

    async def _open_stream(self):
        self._elements = Elements()
        self._arrived.clear()
        self._write("<?xml version='1.0'?><stream:stream xmlns='jabber:client' version='1.0' "
                    f"xmlns:stream='{STREAMS[1:-1]}' to='{self.domain}'>")
        await self._expect(STREAMS + "features")

    async def _resume(self):
        self._write(f"<resume xmlns='urn:xmpp:sm:3' previd='{self._token}' h='{self._handled}'/>")
        if self._interrupt_login is not None:
            seconds, self._interrupt_login = self._interrupt_login, None
            asyncio.get_running_loop().call_later(seconds, reset, self._writer)
        answer = await self._next()
        if answer.tag not in (MANAGEMENT + "resumed", MANAGEMENT + "failed"):
            raise StreamEnded(f"{answer.tag} in answer to <resume/>")
        # A <failed/> may say as well what was handled; the rest is sent in a new session.
        h = answer.get("h")
        if h is not None:
            self._acknowledge(int(h))
        if answer.tag == MANAGEMENT + "failed":
            self.not_resumed.append([child.tag.rpartition("}")[2] for child in answer])
            self._journal(f"{self.jid}: not resumed, {self.not_resumed[-1]}")
            self._token = None
            return False
        self.resumed += 1
        self._journal(f"{self.jid}: resumed, we have {self._handled}, the server {h}, "
                      f"{len(self.unacknowledged)} sent again")
        self._begin()
        return True

    async def _bind(self):
        self._write("<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>"
                    f"<resource>{self.resource}</resource></bind></iq>")
        answer = await self._expect(CLIENT + "iq")
        if answer.get("type") != "result":
            raise StreamEnded("the resource is refused")
        self._write("<enable xmlns='urn:xmpp:sm:3' resume='true'/>")
        self._token = (await self._expect(MANAGEMENT + "enabled")).get("id")
        self.bound += 1
        self._handled = self._acknowledged = 0
        self.unacknowledged.appendleft((None, "<presence/>"))
        self._begin()

    def _begin(self):
        for _, xml in self.unacknowledged:
            self._write(xml)
        self.up.set()

    # --- elements ---

    def _write(self, xml):
        if not self._writer.transport.is_closing():
            self._writer.write(xml.encode())

    async def _next(self):
        while not self._arrived:
            data = await self._reader.read(1 << 16)
            if not data:
                raise StreamEnded("the connection ended")
            try:
                self._arrived.extend(self._elements.feed(data))
            except StreamEnded as end:
                self._arrived.append(end)
        element = self._arrived.popleft()
        if isinstance(element, StreamEnded):
            raise element
        if element.tag == STREAMS + "error":
            raise StreamEnded("stream error " + ", ".join(
                child.tag.rpartition("}")[2] + (f" ({child.text})" if child.text else "")
                for child in element))
        return element

    async def _expect(self, tag):
        element = await self._next()
        if element.tag != tag:
            inside = ", ".join(child.tag.rpartition("}")[2] for child in element)
            self.refused.append(f"{element.tag} ({inside}) in the place of {tag}")
            raise StreamEnded(self.refused[-1])
        return element

    def _take(self, element):
        if element.tag == MANAGEMENT + "r":
            self._write(f"<a xmlns='urn:xmpp:sm:3' h='{self._handled}'/>")
        elif element.tag == MANAGEMENT + "a":
            self._asked = False
            self._acknowledge(int(element.get("h")))
            self.on_change()
        elif element.tag.startswith(CLIENT):
            self._handled = (self._handled + 1) % WINDOW
            if element.tag == CLIENT + "message":
                self.on_message(element)
            elif element.tag == CLIENT + "iq" and element.get("id") in self._answers:
                answer = self._answers[element.get("id")]
                if not answer.done():
                    answer.set_result(element.get("type"))

    def _acknowledge(self, h):
        newly = (h - self._acknowledged) % WINDOW
        if newly > len(self.unacknowledged):
            self.wrong.append(f"{self.jid}: h='{h}', but {self._acknowledged} were acknowledged "
                              f"before and {len(self.unacknowledged)} sent since")
            self._journal(self.wrong[-1])
            return
        self._acknowledged = h
        for _ in range(newly):
            key, _ = self.unacknowledged.popleft()
            if key:
                key.acknowledged()


def reset(writer):
    """RST in the place of an orderly end."""
    connection = writer.get_extra_info("socket")
    if connection:  # else it is closed already
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
