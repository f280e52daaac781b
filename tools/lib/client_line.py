"""A client of XMPP on a blocking socket, for tools that measure one thing after the other.

It uses what tests/loss knows of streams, so whoever imports this has that folder in its path.
"""

import socket
import ssl
import time

from chat_load import LabError, PASSWORD
from lab.server import C2S_TLS_PORT
from xmpp import SASL, Elements, Scram

NANOSECONDS = 1e3  # in a microsecond


class Line:
    """A logged-in client that asks one thing at a time: nothing of an event loop is in its times."""

    def __init__(self, server, user, trust, available=False):
        self.jid = f"{user}@{server.domain}/timing"
        self._domain = server.domain
        self._elements = None
        self._arrived = []
        context = ssl.create_default_context(cafile=trust)
        plain = socket.create_connection((server.address, C2S_TLS_PORT), 30)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = context.wrap_socket(plain, server_hostname=server.domain)
        self._socket.settimeout(30)
        self._log_in(user)
        if available:
            # Only such a session is told of answers to requests to subscribe.
            self.result("<iq type='get' id='roster'><query xmlns='jabber:iq:roster'/></iq>",
                        "roster")
            self.send("<presence/>")

    def send(self, xml):
        self._socket.sendall(xml.encode())

    def next(self):
        while not self._arrived:
            data = self._socket.recv(1 << 16)
            if not data:
                raise LabError(f"the connection of {self.jid} ended")
            self._arrived.extend(self._elements.feed(data))
        return self._arrived.pop(0)

    def wait(self, seconds):
        """For an answer; False if there is none."""
        self._socket.settimeout(seconds)

    def ask(self, question, identifier, to):
        """Microseconds until the answer, or None if none came in time; and the answer's words."""
        began = time.perf_counter_ns()
        self.send(question.format(id=identifier, to=to, me=self.jid))
        try:
            while True:
                answer = self.next()
                took = time.perf_counter_ns() - began
                if (answer.get("id") == identifier
                        or (answer.get("from") or "").partition("/")[0] == to):
                    return took / NANOSECONDS, _words(answer)
        except socket.timeout:
            return None, "nothing"

    def close(self):
        self._socket.close()

    def result(self, xml, identifier):
        self.send(xml)
        while self.next().get("id") != identifier:
            pass

    def _log_in(self, user):
        self._open()
        scram = Scram(user, PASSWORD)
        self.send(f"<auth xmlns='{SASL[1:-1]}' mechanism='{scram.mechanism}'>{scram.first()}"
                  "</auth>")
        self.send(f"<response xmlns='{SASL[1:-1]}'>{scram.answer(self.next().text)}</response>")
        scram.verify(self.next().text)
        self._open()
        self.result("<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>"
                    "<resource>timing</resource></bind></iq>", "bind")

    def _open(self):
        self._elements = Elements()
        self.send("<?xml version='1.0'?><stream:stream xmlns='jabber:client' version='1.0' "
                  f"xmlns:stream='http://etherx.jabber.org/streams' to='{self._domain}'>")
        self.next()


def _words(answer):
    """What an answer says, without the addresses in it."""
    inside = [child.tag.rpartition("}")[2] for child in answer.iter()]
    return " ".join([answer.get("type") or "", *inside])
