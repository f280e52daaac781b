"""A stock client (slixmpp) whose every wait has a deadline and says what it missed.

Whatever arrives is put, in order, into an inbox; `expect` takes the first stanza that
matches out of it, waiting if need be, so that no stanza can slip by unobserved.
"""

import asyncio
import logging
import ssl
import uuid
from xml.etree import ElementTree

# slixmpp logs what is reported here by exceptions, and a complaint when it is imported.
logging.getLogger("slixmpp").setLevel(logging.CRITICAL)

import slixmpp  # noqa: E402
from slixmpp.exceptions import IqError, IqTimeout
from slixmpp.xmlstream.xmlstream import NotConnectedError

from . import channel_binding
from .waiting import LabError, LabTimeout, within

DEADLINE_SECONDS = 30.0
STANZA_ERRORS = "{urn:ietf:params:xml:ns:xmpp-stanzas}"


class Client(slixmpp.ClientXMPP):
    """Use `Client.login`. Nothing is answered by itself but what slixmpp's plugins answer."""

    def __init__(self, server, jid, password, mechanisms, plugins, tls_version):
        super().__init__(jid, password, plugin_config={
            "feature_mechanisms": {"use_mechs": mechanisms, "sasl_callback": self._credentials}
        } if mechanisms else {})
        self.home = server
        self.inbox = []
        self.acked = []
        # Given each stanza before the inbox; true means that it is taken.
        self.collector = None
        self._news = asyncio.Event()
        self._failure = None
        self._ended = asyncio.Event()
        self.roster.auto_authorize = None
        self.roster.auto_subscribe = False
        self.whitespace_keepalive = False
        self._context = ssl.create_default_context(cafile=server.lab.authority.trust)
        if tls_version:
            self._context.minimum_version = self._context.maximum_version = tls_version
        # A server in a case about bad certificates may itself have one.
        if server.domains.get(self.boundjid.domain) not in ("normal", "server-only"):
            self._context.check_hostname = False
            self._context.verify_mode = ssl.CERT_NONE
        for plugin in plugins:
            self.register_plugin(plugin)
        self.add_filter("in", self._arrived)
        for event in ("failed_all_auth", "connection_failed", "stream_error", "ssl_invalid_chain"):
            self.add_event_handler(event, lambda data, event=event: self._failed(event, data))
        self.add_event_handler("failed_auth", lambda data: self._failed("failed_auth", data))
        self.add_event_handler("disconnected", self._lost)
        self.add_event_handler("stanza_acked", self._acknowledged)
        self._started = asyncio.Event()
        self.add_event_handler("session_start", lambda _: self._started.set())
        self.resumed = asyncio.Event()
        self.add_event_handler("session_resumed", lambda _: self.resumed.set())

    @classmethod
    async def login(cls, server, jid, password, mechanisms=("SCRAM-SHA-1",), direct_tls=False,
                    stream_management=False, plugins=("xep_0030", "xep_0092", "xep_0199"),
                    tls_version=None, deadline=DEADLINE_SECONDS):
        """Connect, authenticate, bind; raises LabError with the server's reason.

        Without `mechanisms` slixmpp chooses and behaves as it comes."""
        plugins = (*plugins, "xep_0198") if stream_management else plugins
        client = cls(server, jid, password, set(mechanisms), plugins, tls_version)
        server.lab.clients.append(client)
        await client.open(direct_tls, deadline)
        return client

    async def open(self, direct_tls=False, deadline=DEADLINE_SECONDS):
        """Connect (again) and wait for the session, fresh or resumed."""
        self._failure = None
        self._ended.clear()
        self._started.clear()
        self.resumed.clear()
        port = 5223 if direct_tls else 5222
        self.connect((self.home.address, port), use_ssl=direct_tls,
                     force_starttls=not direct_tls, disable_starttls=direct_tls)
        waits = [asyncio.ensure_future(event.wait())
                 for event in (self._started, self.resumed, self._ended)]
        try:
            await asyncio.wait(waits, timeout=deadline, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        if not (self._started.is_set() or self.resumed.is_set()):
            self.cancel_connection_attempt()
            reason = self._failure or "no answer"
            raise LabError(f"{self.requested_jid} cannot log in to {self.home.name}: {reason}")

    def get_ssl_context(self):
        return self._context

    def _credentials(self, required, optional):
        """Without channel binding but where a -PLUS mechanism was asked for, and then with the
        server's certificate instead of tls-unique, which TLS 1.3 has not."""
        known = {"username": self.requested_jid.user, "password": self.password,
                 "host": self.requested_jid.domain, "service": "xmpp"}
        wanted = self["feature_mechanisms"].use_mechs or ()
        if any(mechanism.endswith("-PLUS") for mechanism in wanted):
            known["channel_binding"] = channel_binding.end_point(self.socket)
        return {key: known[key] for key in set(required) | set(optional) if key in known}

    def _failed(self, event, data):
        text = data["condition"] if isinstance(data, slixmpp.ElementBase) else str(data or "")
        # The first fault is the cause of those that follow.
        self._failure = self._failure or f"{event} {text}".strip()
        if event == "connection_failed":
            self._ended.set()
        self._news.set()

    def _lost(self, reason):
        self._ended.set()
        self._news.set()

    def _arrived(self, stanza):
        if isinstance(stanza, (slixmpp.Message, slixmpp.Presence, slixmpp.Iq)):
            if not (self.collector and self.collector(stanza)):
                self.inbox.append(stanza)
            self._news.set()
        return stanza

    def _acknowledged(self, stanza):
        self.acked.append(stanza)
        self._news.set()

    # --- waiting ---

    async def expect(self, match, what, deadline=DEADLINE_SECONDS):
        """Take the first stanza for which `match` is true; LabTimeout tells what came instead."""
        def take():
            for index, stanza in enumerate(self.inbox):
                if match(stanza):
                    return self.inbox.pop(index)
            return None
        return await self.until(take, what, deadline)

    async def until(self, condition, what, deadline=DEADLINE_SECONDS):
        """Wait for something that stanzas or acknowledgements bring about; returns its value."""
        loop = asyncio.get_running_loop()
        end = loop.time() + deadline
        while True:
            value = condition()
            if value:
                return value
            self._news.clear()
            remaining = end - loop.time()
            if remaining <= 0:
                raise LabTimeout(f"{self.boundjid} got no {what} within {deadline:g} s; "
                                 f"got instead: {self.describe_inbox()}")
            if self._ended.is_set():
                raise LabError(f"{self.boundjid} lost its stream waiting for {what}: "
                               f"{self._failure or 'no reason'}")
            try:
                await asyncio.wait_for(self._news.wait(), remaining)
            except asyncio.TimeoutError:
                pass

    async def message(self, body=None, sender=None, kind=None, deadline=DEADLINE_SECONDS):
        """The next message with this body, sender (bare or full) and type."""
        return await self.expect(
            lambda s: s.name == "message" and (body is None or s["body"] == body)
            and _from(s, sender) and (kind is None or s["type"] == kind),
            f"message {body or ''!r} {kind or ''} from {sender}", deadline)

    async def presence(self, sender, kind=None, status=None, deadline=DEADLINE_SECONDS):
        """The next presence from `sender`; kind: "available" or a presence type."""
        def matches(stanza):
            return (stanza.name == "presence" and _from(stanza, sender)
                    and (kind is None or stanza.xml.get("type", "available") == kind)
                    and (status is None or stanza["status"] == status))
        return await self.expect(matches, f"presence {kind or ''} {status or ''} from {sender}",
                                 deadline)

    async def error(self, identifier, deadline=DEADLINE_SECONDS):
        """The error stanza with this id, as (condition, text)."""
        stanza = await self.expect(lambda s: s.xml.get("type") == "error"
                                   and s.xml.get("id") == identifier,
                                   f"error for {identifier}", deadline)
        return error_of(stanza)

    async def barrier(self):
        """Return once the own server has handled all that was sent before."""
        reply = await self.request("get", self.boundjid.domain, "{urn:xmpp:ping}ping")
        if reply.xml.get("type") != "result":
            raise LabError(f"{self.boundjid.domain} does not answer a ping: {reply}")

    async def nothing(self, match, what):
        """Raise if a matching stanza has arrived by the time the server answers a ping."""
        await self.barrier()
        for stanza in self.inbox:
            if match(stanza):
                raise LabError(f"{self.boundjid} got an unwanted {what}: {stanza}")

    def describe_inbox(self):
        return "; ".join(str(stanza)[:300] for stanza in self.inbox[-6:]) or "nothing"

    # --- sending ---

    def say(self, to, body, kind="chat", identifier=None):
        """Send a message; returns its id."""
        message = self.make_message(to, body, mtype=kind)
        message["id"] = identifier or uuid.uuid4().hex
        message.send()
        return message["id"]

    def show(self, kind=None, to=None, status=None):
        """Send presence of any type; returns its id."""
        presence = self.make_presence(ptype=kind, pto=to, pstatus=status)
        presence["id"] = uuid.uuid4().hex
        presence.send()
        return presence["id"]

    async def become_available(self):
        """As stock clients do: the roster first, which makes the session an interested one."""
        await self.contacts()
        self.show()
        await self.barrier()

    async def request(self, kind, to, payload, deadline=DEADLINE_SECONDS):
        """Send an iq with one empty payload element (or an ElementTree one) and return the
        answer, result or error."""
        element = ElementTree.Element(payload) if isinstance(payload, str) else payload
        iq = self.make_iq(ito=to, itype=kind, id=uuid.uuid4().hex)
        iq.append(element)
        try:
            answer = await iq.send(timeout=deadline)
        except IqError as error:
            answer = error.iq
        except IqTimeout:
            raise LabTimeout(f"{self.boundjid} got no answer to {payload} from {to} "
                             f"within {deadline:g} s") from None
        self.inbox = [s for s in self.inbox if s.xml.get("id") != iq["id"] or s.name != "iq"]
        return answer

    async def contacts(self):
        """The roster as the server has it: {jid: (subscription, ask or None, name or None)}."""
        answer = await self.request("get", None, "{jabber:iq:roster}query")
        return {item.get("jid"): (item.get("subscription", "none"), item.get("ask"),
                                  item.get("name"))
                for item in answer.xml.iter("{jabber:iq:roster}item")}

    # --- the end ---

    async def close(self):
        """End the session in order."""
        if self.transport:
            self.end_session_on_disconnect = True
            try:
                self.send_raw("<presence type='unavailable'/>")
                await within(3, self.disconnect(wait=2.0, ignore_send_queue=True), "stream end")
            except (NotConnectedError, LabTimeout):
                pass
        self.drop()
        if self._run_out_filters:
            self._run_out_filters.cancel()

    def drop(self):
        """Cut the connection without a word, as a lost network does."""
        self.cancel_connection_attempt()
        if self.transport:
            self.transport.abort()

    @property
    def gone(self):
        """The connection has ended."""
        return self._ended.is_set()

    async def lost(self, deadline=DEADLINE_SECONDS):
        """Wait until the connection is gone."""
        await within(deadline, self._ended.wait(), f"end of {self.boundjid}'s stream")


def error_of(stanza):
    """(defined condition, text or "") of an error stanza."""
    condition, text = None, ""
    for error in stanza.xml:
        if error.tag.endswith("}error"):
            for child in error:
                if child.tag == STANZA_ERRORS + "text":
                    text = child.text or ""
                elif child.tag.startswith(STANZA_ERRORS):
                    condition = child.tag[len(STANZA_ERRORS):]
    return condition, text


def _from(stanza, sender):
    if sender is None:
        return True
    origin = stanza["from"]
    return str(origin) == str(sender) or ("/" not in str(sender) and origin.bare == str(sender))


__all__ = ["Client", "error_of"]
