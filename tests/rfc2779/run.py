#!/usr/bin/python3
"""Requirements of RFC 2779 that no scene can show, against the real server on loopback.

    tests/rfc2779/run.py CAUSEWAY CAUSEWAYCTL

One server, one client written here that sees its own TLS records, and can change or repeat them. TAP, one line a case.
A header "also: tests/rfc2779/run.py, NAME" of a scene names a case.
"""

import base64
import hashlib
import json
import os
import re
import shutil
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import time

DOMAIN = "d1.m.test"
DOMAINS = 100
PASSWORD = "a-secret-of-theirs"
PATIENCE = 20


class Gone(Exception):
    """The server ended the connection, or took no part in it any more."""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A process in a folder of its own, with a hundred domains under one certificate."""

    def __init__(self, program, ctl):
        self.folder = tempfile.mkdtemp(prefix="rfc2779-")
        self.ctl_program = ctl
        self.port, self.web = free_port(), free_port()
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=m.test",
                        "-addext", "subjectAltName=DNS:*.m.test", "-keyout", "key.pem", "-out", "cert.pem"],
                       cwd=self.folder, check=True, capture_output=True)
        lines = []
        for n in range(1, DOMAINS + 1):
            lines += ["[[domain]]", f'name = "d{n}.m.test"', 'certificate = "cert.pem"', 'key = "key.pem"']
        lines += ["[tls]", 'trust = "cert.pem"', "[c2s]", f'listen_tls = ["127.0.0.1:{self.port}"]', "[s2s]", f'listen = ["127.0.0.1:{free_port()}"]',
                  "[http]", f'listen = ["127.0.0.1:{self.web}"]', "[control]", 'socket = "causeway.sock"',
                  "[store]", 'url = "sqlite:causeway.db"', "[server]", "threads = 2"]
        with open(f"{self.folder}/causeway.toml", "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
        self.log = open(f"{self.folder}/log", "w", encoding="utf-8")
        began = time.monotonic()
        self.process = subprocess.Popen([program, "--config", f"{self.folder}/causeway.toml"], stderr=self.log,
                                        stdout=self.log)
        while self._ctl("status").returncode != 0:
            if self.process.poll() is not None or time.monotonic() - began > 60:
                self.log.close()
                with open(f"{self.folder}/log", encoding="utf-8") as file:
                    raise RuntimeError("the server did not start: " + file.read()[-2000:])
            time.sleep(0.05)

    def _ctl(self, *arguments, text=None):
        return subprocess.run([self.ctl_program, "--socket", f"{self.folder}/causeway.sock", "--json", *arguments],
                              input=text, capture_output=True, text=True, check=False)

    def ctl(self, *arguments, text=None):
        done = self._ctl(*arguments, text=text)
        if done.returncode != 0:
            raise RuntimeError(f"{arguments}: {done.stderr}")
        return json.loads(done.stdout)

    def add(self, jid):
        self.ctl("user", "add", "--password-stdin", "--iterations", "1", jid, text=PASSWORD + "\n")

    def waiting(self, jid):
        """How many messages wait for an account."""
        return self.ctl("user", "show", jid)["offline_stanzas"]

    def end(self):
        self.process.terminate()
        self.process.wait(30)
        self.log.close()
        shutil.rmtree(self.folder)


class TlsLink:
    """TLS over memory, so that its records can be held in the hand."""

    framing = "stream"

    def __init__(self, server):
        self.socket = socket.create_connection(("127.0.0.1", server.port), PATIENCE)
        self.seen, self.out = ssl.MemoryBIO(), ssl.MemoryBIO()
        context = ssl.create_default_context(cafile=f"{server.folder}/cert.pem")
        self.tls = context.wrap_bio(self.seen, self.out, server_hostname=DOMAIN)
        self.sent = b""
        while True:
            try:
                self.tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                self.flush(self.out.read())
                self.seen.write(self.receive())
        self.flush(self.out.read())

    def receive(self):
        try:
            data = self.socket.recv(65536)
        except OSError as error:
            raise Gone(str(error)) from error
        if not data:
            raise Gone("the connection was closed")
        return data

    def flush(self, data):
        self.sent += data
        try:
            self.socket.sendall(data)
        except OSError as error:
            raise Gone(str(error)) from error

    def records(self, text):
        """The encrypted bytes for this text, which are not sent."""
        self.tls.write(text.encode())
        return self.out.read()

    def send(self, text):
        self.flush(self.records(text))

    def read(self):
        while True:
            try:
                data = self.tls.read(65536)
            except ssl.SSLWantReadError:
                self.seen.write(self.receive())
                continue
            except ssl.SSLError as error:
                raise Gone(str(error)) from error
            if not data:
                raise Gone("TLS was closed")
            return data.decode()


class WebLink:
    """RFC 7395, as a proxy on the same machine passes it on."""

    framing = "web"

    def __init__(self, server, client_address):
        self.socket = socket.create_connection(("127.0.0.1", server.web), PATIENCE)
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall((f"GET /xmpp-websocket HTTP/1.1\r\nHost: {DOMAIN}\r\nUpgrade: websocket\r\n"
                             f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
                             f"Sec-WebSocket-Protocol: xmpp\r\nX-Forwarded-For: {client_address}\r\n\r\n").encode())
        self.buffer = b""
        while b"\r\n\r\n" not in self.buffer:
            self._more()
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        proof = base64.b64encode(hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest())
        if b" 101 " not in head or proof not in head:
            raise Gone(head.decode())

    def _more(self):
        data = self.socket.recv(65536)
        if not data:
            raise Gone("the connection was closed")
        self.buffer += data

    def send(self, text):
        data, mask = text.encode(), os.urandom(4)
        length = bytes([0x80 | len(data)]) if len(data) < 126 else bytes([0x80 | 126]) + struct.pack(">H", len(data))
        self.socket.sendall(b"\x81" + length + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(data)))

    def read(self):
        while True:
            while len(self.buffer) < 4:
                self._more()
            length, start = self.buffer[1] & 0x7F, 2
            if length == 126:
                length, start = struct.unpack(">H", self.buffer[2:4])[0], 4
            while len(self.buffer) < start + length:
                self._more()
            kind, text = self.buffer[0] & 0x0F, self.buffer[start:start + length]
            self.buffer = self.buffer[start + length:]
            if kind == 1:
                return text.decode()


class Client:
    """As much of a client as is needed: PLAIN, one resource, text in and out."""

    def __init__(self, link, user, resource, domain=DOMAIN):
        self.link, self.text, self.domain = link, "", domain
        self.open()
        secret = base64.b64encode(f"\0{user}\0{PASSWORD}".encode()).decode()
        self.link.send(f"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{secret}</auth>")
        self.expect("<success")
        self.open()
        self.link.send("<iq xmlns='jabber:client' type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>"
                       f"<resource>{resource}</resource></bind></iq>")
        self.expect("<jid>")
        self.link.send("<presence xmlns='jabber:client'/>")
        self.expect("<presence")

    def open(self):
        if self.link.framing == "web":
            self.link.send(f"<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='{self.domain}' version='1.0'/>")
        else:
            self.link.send("<?xml version='1.0'?><stream:stream xmlns='jabber:client' version='1.0' "
                           f"xmlns:stream='http://etherx.jabber.org/streams' to='{self.domain}'>")
        self.expect("features>")

    def expect(self, what):
        """Reads until that text comes; what stood before it is forgotten."""
        until = time.monotonic() + PATIENCE
        while what not in self.text:
            if time.monotonic() > until:
                raise Gone(f"{what} did not come, but {self.text[-300:]}")
            self.text += self.link.read()
        self.text = self.text.partition(what)[2]

    def message(self, to, body):
        self.link.send(self.stanza(to, body))

    @staticmethod
    def stanza(to, body):
        return f"<message xmlns='jabber:client' type='chat' to='{to}' id='{body}'><body>{body}</body></message>"

    def synchronise(self):
        """Everything sent before has been dealt with."""
        self.link.send(f"<iq xmlns='jabber:client' type='get' to='{self.domain}' id='sync'>"
                       "<ping xmlns='urn:xmpp:ping'/></iq>")
        self.expect("sync")


def check(right, what):
    if not right:
        raise AssertionError(what)


def ended(client):
    """The server says no more than an alert, and closes."""
    try:
        while True:
            client.link.read()
    except Gone:
        return True


def bob_has(server, count):
    check(server.waiting(f"bob@{DOMAIN}") == count, f"{server.waiting(f'bob@{DOMAIN}')} messages wait, not {count}")


def case_flipped_bit(server):
    """2.5.1: one bit flipped on its way ends the connection, and nothing of it is accepted"""
    before = server.waiting(f"bob@{DOMAIN}")
    for place in (5, 20, -1):
        client = Client(TlsLink(server), "alice", "flip")
        client.message(f"bob@{DOMAIN}", "whole")
        client.synchronise()
        before += 1
        bob_has(server, before)
        record = bytearray(client.link.records(client.stanza(f"bob@{DOMAIN}", "flipped")))
        record[place] ^= 1
        client.link.flush(bytes(record))
        check(ended(client), "the connection goes on")
        bob_has(server, before)


def case_flipped_bit_to_the_client(server):
    """2.5.1: the same in the other direction is detected by the client's TLS"""
    client = Client(TlsLink(server), "alice", "flip")
    client.link.send(f"<iq xmlns='jabber:client' type='get' to='{DOMAIN}' id='x'><ping xmlns='urn:xmpp:ping'/></iq>")
    data = bytearray(client.link.receive())
    data[-1] ^= 1
    client.link.seen.write(bytes(data))
    try:
        text = client.link.read()
    except Gone as gone:
        check(re.search("BAD_RECORD_MAC|DECRYPTION", str(gone)), str(gone))
        return
    raise AssertionError(f"accepted: {text}")


def case_record_sent_again(server):
    """2.5.2: a record that is sent once more ends the connection, and the message came once"""
    before = server.waiting(f"bob@{DOMAIN}")
    client = Client(TlsLink(server), "alice", "again")
    record = client.link.records(client.stanza(f"bob@{DOMAIN}", "once"))
    client.link.flush(record)
    client.synchronise()
    client.link.flush(record)
    check(ended(client), "the connection goes on")
    bob_has(server, before + 1)


def case_recorded_connection(server):
    """2.5.2: all that a client sent, sent once more on another connection, logs nobody in and delivers nothing"""
    before = server.waiting(f"bob@{DOMAIN}")
    client = Client(TlsLink(server), "alice", "recorded")
    client.message(f"bob@{DOMAIN}", "recorded")
    client.synchronise()
    bob_has(server, before + 1)
    with socket.create_connection(("127.0.0.1", server.port), PATIENCE) as again:
        try:
            again.sendall(client.link.sent)
            while again.recv(65536):
                pass
        except ConnectionError:
            pass
    bob_has(server, before + 1)


def case_behind_a_proxy(server):
    """2.4.1 to 2.4.3: a WebSocket behind a proxy: a subscription, presence and messages
    both ways, and the client's own address is known"""
    here = Client(TlsLink(server), "carol", "here")
    web = Client(WebLink(server, "192.0.2.7"), "carol", "web")
    here.expect("/web")
    rows = {row["resource"]: row["address"] for row in server.ctl("session", "list", f"carol@{DOMAIN}")}
    check(rows["web"].startswith("192.0.2.7"), f"its address is {rows['web']}")
    here.message(f"carol@{DOMAIN}/web", "to-the-web")
    web.expect("to-the-web")
    web.message(f"carol@{DOMAIN}/here", "from-the-web")
    here.expect("from-the-web")
    alice = Client(TlsLink(server), "alice", "asked")
    web.link.send(f"<presence xmlns='jabber:client' to='alice@{DOMAIN}' type='subscribe'/>")
    alice.expect("type='subscribe'")
    alice.link.send(f"<presence xmlns='jabber:client' to='carol@{DOMAIN}' type='subscribed'/>")
    web.expect("type='subscribed'")
    web.expect("/asked")


def case_many_domains(server):
    """2.1.5: of a hundred domains in one process the last takes logins as the first does"""
    last = f"d{DOMAINS}.m.test"
    server.add(f"bob@{last}")
    client = Client(TlsLink(server), "bob", "last", last)
    client.message(f"alice@{last}", "nobody")
    client.expect("service-unavailable")


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    cases = [value for name, value in globals().items() if name.startswith("case_")]
    server = Server(os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2]))
    failed = 0
    try:
        for user in ("alice", "bob", "carol"):
            server.add(f"{user}@{DOMAIN}")
        print(f"1..{len(cases)}")
        for number, case in enumerate(cases, 1):
            name = " ".join(case.__doc__.split())
            try:
                case(server)
                print(f"ok {number} {name}", flush=True)
            except (AssertionError, Gone, OSError, RuntimeError) as error:
                failed += 1
                print(f"not ok {number} {name}\n# {type(error).__name__}: {error}", flush=True)
    finally:
        server.end()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
