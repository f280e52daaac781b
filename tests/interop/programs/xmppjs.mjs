// A chat client made with @xmpp/client, for tests/interop/cases/clients.py.
//
// Usage: node xmppjs.mjs '{"service", "domain", "username", "password"}'
// It reports what happens as one JSON object a line, answers each message with an echo, and
// obeys two bodies: "cut" destroys its connection without a word (the library reconnects and
// resumes), "end" ends the session and the program.

import { report } from "./report.mjs";

import { client, xml } from "@xmpp/client";

const xmpp = client(JSON.parse(process.argv[2]));
xmpp.reconnect.delay = 100;

const cut = () => {
  const socket = xmpp.socket.socket ?? xmpp.socket;
  (socket.terminate ?? socket.destroy).call(socket);
};

xmpp.on("error", (error) => report("error", { text: `${error.name}: ${error.message}` }));
xmpp.on("disconnect", () => report("disconnect"));
xmpp.streamManagement.on("resumed", () => report("resumed"));

xmpp.on("online", async (jid) => {
  const roster = await xmpp.iqCaller.get(xml("query", "jabber:iq:roster"));
  report("online", { jid: jid.toString(), contacts: roster.getChildren("item").length });
  await xmpp.send(xml("presence"));
});

xmpp.on("stanza", async (stanza) => {
  const body = stanza.is("message") && stanza.getChildText("body");
  if (!body) return;
  report("message", { from: stanza.attrs.from, body });
  if (body === "cut") {
    cut();
  } else if (body === "end") {
    await xmpp.stop();
    report("stopped");
  } else {
    const to = stanza.attrs.from;
    await xmpp.send(xml("message", { to, type: "chat" }, xml("body", {}, `echo: ${body}`)));
  }
});

xmpp.start().catch((error) => {
  report("failed", { text: `${error.name}: ${error.message}` });
  process.exit(1);
});
