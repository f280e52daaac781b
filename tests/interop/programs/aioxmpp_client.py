"""A chat client made with aioxmpp; see README.md for what it reports and obeys.

Usage: aioxmpp_client.py JID PASSWORD SERVICE; SSL_CERT_FILE names the authority to trust."""

import asyncio
import json
import os
import sys
from datetime import timedelta

import aioxmpp
import aioxmpp.dispatcher
import aioxmpp.security_layer


def report(event, **fields):
    print(json.dumps({"event": event, **fields}), flush=True)


def trusting_context():
    context = aioxmpp.security_layer.default_ssl_context()
    context.load_verify_locations(os.environ["SSL_CERT_FILE"])
    return context


class Program:
    def __init__(self, jid, password):
        self.client = aioxmpp.PresenceManagedClient(
            aioxmpp.JID.fromstr(jid),
            aioxmpp.make_security_layer(password)._replace(ssl_context_factory=trusting_context))
        self.client.backoff_start = timedelta(seconds=0.1)
        self.ended = asyncio.Event()
        self.roster = self.client.summon(aioxmpp.RosterClient)
        self.roster.on_entry_added.connect(self.contact)
        self.roster.on_entry_subscription_state_changed.connect(self.contact)
        self.roster.on_subscribe.connect(self.subscribe)
        presence = self.client.summon(aioxmpp.PresenceClient)
        presence.on_available.connect(self.presence)
        presence.on_changed.connect(self.presence)
        presence.on_unavailable.connect(self.presence)
        messages = self.client.summon(aioxmpp.dispatcher.SimpleMessageDispatcher)
        for kind in (aioxmpp.MessageType.CHAT, aioxmpp.MessageType.HEADLINE):
            messages.register_callback(kind, None, self.message)
        self.client.on_stream_suspended.connect(lambda reason: report("disconnect"))
        self.client.on_stream_resumed.connect(lambda: report("resumed"))
        self.client.on_failure.connect(self.failed)

    @staticmethod
    def contact(item):
        report("contact", jid=str(item.jid), subscription=item.subscription)

    def subscribe(self, stanza):
        self.roster.approve(stanza.from_)
        self.roster.subscribe(stanza.from_)

    @staticmethod
    def presence(full_jid, stanza):
        report("presence", **{"from": str(full_jid)}, type=stanza.type_.value or "available",
               status=stanza.status.any() if stanza.status else "")

    def message(self, stanza):
        body = stanza.body.any() if stanza.body else None
        if not body:
            return
        report("message", **{"from": str(stanza.from_)}, body=body)
        if body == "end":
            self.ended.set()
            return
        answer = aioxmpp.Message(type_=aioxmpp.MessageType.CHAT, to=stanza.from_)
        answer.body[None] = f"echo: {body}"
        self.client.enqueue(answer)

    def failed(self, error):
        report("failed", text=f"{type(error).__name__}: {error}")
        self.ended.set()

    async def run(self):
        async with self.client.connected():
            report("online", jid=str(self.client.local_jid),
                   contacts=sorted(str(jid) for jid in self.roster.items))
            await self.ended.wait()
        report("stopped")


async def main():
    await Program(*sys.argv[1:3]).run()


asyncio.run(main())
