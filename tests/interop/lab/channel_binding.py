"""SCRAM-*-PLUS with tls-server-end-point (RFC 5929) for slixmpp, which knows tls-unique only."""

import hashlib
import ssl

from slixmpp.util.sasl import mechanisms


class EndPoint(bytes):
    """Channel binding data of this type, as opposed to what slixmpp finds by itself."""


def end_point(socket):
    """The hash of the server's certificate (SHA-256 suffices for all signatures of the
    laboratory's authority)."""
    if not isinstance(socket, (ssl.SSLSocket, ssl.SSLObject)):
        return b""
    return EndPoint(hashlib.sha256(socket.getpeercert(binary_form=True)).digest())


def _first_message(self, challenge):
    message = _original(self, challenge)
    if self.use_channel_binding and isinstance(self.credentials["channel_binding"], EndPoint):
        wrong, right = b"p=tls-unique", b"p=tls-server-end-point"
        self.gs2_header = self.gs2_header.replace(wrong, right)
        message = self.gs2_header + self.client_first_message_bare
    return message


_original = mechanisms.SCRAM.process_1
mechanisms.SCRAM.process_1 = _first_message
