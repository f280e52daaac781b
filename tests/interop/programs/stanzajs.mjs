// A chat client made with stanza.js; see README.md for what it reports and obeys.

import { fail, jid, password, report } from "./report.mjs";

import { createClient } from "stanza";

// It finds the WebSocket's address by itself (XEP-0156), reconnects and resumes by itself.
const client = createClient({
  jid,
  password,
  transports: { websocket: true, bosh: false },
  autoReconnect: true,
  maxReconnectBackoff: 0.1,
});

client.on("session:started", async () => {
  const roster = await client.getRoster();
  report("online", { jid: client.jid, contacts: roster.items.map((item) => item.jid).sort() });
  client.sendPresence();
});

client.on("stream:management:resumed", () => report("resumed"));
client.on("disconnected", () => report("disconnect"));
client.on("auth:failed", () => fail("authentication failed"));
client.on("stream:error", (error) => report("error", { text: JSON.stringify(error) }));

client.on("roster:update", (iq) => {
  for (const item of iq.roster.items)
    report("contact", { jid: item.jid, subscription: item.subscription });
});

client.on("presence", ({ from, type = "available", status = "" }) =>
  report("presence", { from, type, status }),
);

client.on("subscribe", ({ from }) => {
  client.acceptSubscription(from);
  client.subscribe(from);
});

client.on("message", async ({ from, body }) => {
  if (!body) return;
  report("message", { from, body });
  if (body === "end") {
    await client.disconnect();
    report("stopped");
    process.exit(0);
  }
  client.sendMessage({ to: from, type: "chat", body: `echo: ${body}` });
});

client.connect().catch(fail);
