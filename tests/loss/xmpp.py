"""The XML of a client's stream, and how a client proves who it is (RFC 5802)."""

import base64
import hashlib
import hmac
import os
from xml.etree.ElementTree import XMLPullParser

CLIENT = "{jabber:client}"
SASL = "{urn:ietf:params:xml:ns:xmpp-sasl}"
MANAGEMENT = "{urn:xmpp:sm:3}"
STREAMS = "{http://etherx.jabber.org/streams}"


class StreamEnded(Exception):
    """The server closed the stream, or said why it cannot go on."""


class Elements:
    """Cuts what is received into the children of <stream/>; one for each stream header."""

    def __init__(self):
        self._parser = XMLPullParser(("start", "end"))
        self._depth = 0
        self._stream = None

    def feed(self, data):
        self._parser.feed(data)
        for event, element in self._parser.read_events():
            if event == "start":
                self._depth += 1
                if self._depth == 1:
                    self._stream = element
                continue
            self._depth -= 1
            if self._depth == 0:
                raise StreamEnded("the server closed the stream")
            if self._depth == 1:
                yield element
                self._stream.clear()


class Scram:
    """SCRAM-SHA-256 without channel binding. Salted passwords are remembered: a client that
    comes back a thousand times should not cost more than the server it tests."""

    mechanism = "SCRAM-SHA-256"
    _salted = {}

    def __init__(self, user, password):
        self._password = password.encode()
        self._bare = f"n={user},r={base64.b64encode(os.urandom(18)).decode()}"
        self._signature = None

    def first(self):
        return _encode("n,," + self._bare)

    def answer(self, challenge):
        text = base64.b64decode(challenge).decode()
        fields = dict(part.split("=", 1) for part in text.split(","))
        key = (self._password, fields["s"], fields["i"])
        if key not in self._salted:
            self._salted[key] = hashlib.pbkdf2_hmac("sha256", self._password,
                                                    base64.b64decode(fields["s"]),
                                                    int(fields["i"]))
        salted = self._salted[key]
        client_key = _hmac(salted, b"Client Key")
        without_proof = f"c=biws,r={fields['r']}"
        message = f"{self._bare},{text},{without_proof}".encode()
        signature = _hmac(hashlib.sha256(client_key).digest(), message)
        proof = bytes(a ^ b for a, b in zip(client_key, signature))
        self._signature = _hmac(_hmac(salted, b"Server Key"), message)
        return _encode(f"{without_proof},p={base64.b64encode(proof).decode()}")

    def verify(self, success):
        """The server must know the password too."""
        wanted = "v=" + base64.b64encode(self._signature).decode()
        if base64.b64decode(success or "").decode() != wanted:
            raise StreamEnded("the server does not know the password")


def _hmac(key, message):
    return hmac.digest(key, message, "sha256")


def _encode(text):
    return base64.b64encode(text.encode()).decode()
