// A chat client made with Strophe.js; see README.md for what it reports and obeys.

import { fail, jid, password, report, service } from "./report.mjs";

import { MemoryStorageBackend, Strophe, $iq, $msg, $pres } from "strophe.js";

// Whatever it says below this goes to stdout.
Strophe.setLogLevel(Strophe.LogLevel.WARN);
const { Status } = Strophe;
const connection = new Strophe.Connection(service, {
  enableStreamManagement: true,
  streamManagement: { storage: new MemoryStorageBackend() },
});
let ending = false;

const items = (iq) =>
  [...iq.getElementsByTagName("item")].map((item) => ({
    jid: item.getAttribute("jid"),
    subscription: item.getAttribute("subscription"),
  }));

const onRoster = (iq) => {
  items(iq).forEach((item) => report("contact", item));
  connection.send($iq({ type: "result", id: iq.getAttribute("id") }));
  return true;
};

const onPresence = (presence) => {
  const from = presence.getAttribute("from");
  const type = presence.getAttribute("type") ?? "available";
  const [status] = presence.getElementsByTagName("status");
  report("presence", { from, type, status: status?.textContent ?? "" });
  if (type === "subscribe") {
    connection.send($pres({ to: from, type: "subscribed" }));
    connection.send($pres({ to: from, type: "subscribe" }));
  }
  return true;
};

const onMessage = (message) => {
  const from = message.getAttribute("from");
  const [element] = message.getElementsByTagName("body");
  if (!element) return true;
  const body = element.textContent;
  report("message", { from, body });
  if (body === "end") {
    ending = true;
    connection.disconnect();
  } else {
    connection.send($msg({ to: from, type: "chat" }).c("body").t(`echo: ${body}`));
  }
  return true;
};

const onConnected = () => {
  // Handlers end with each connection, a resumed one as well.
  connection.addHandler(onRoster, Strophe.NS.ROSTER, "iq", "set");
  connection.addHandler(onPresence, null, "presence");
  connection.addHandler(onMessage, null, "message");
  if (connection.hasResumed()) {
    report("resumed");
    return;
  }
  connection.sendIQ(
    $iq({ type: "get" }).c("query", { xmlns: Strophe.NS.ROSTER }),
    (answer) => {
      const contacts = items(answer).map((item) => item.jid);
      report("online", { jid: connection.jid, contacts: contacts.sort() });
      connection.send($pres());
    },
    (error) => fail(Strophe.serialize(error)),
  );
};

const onStatus = (status, condition) => {
  if (status === Status.CONNECTED) {
    onConnected();
  } else if (status === Status.AUTHFAIL) {
    fail(`authentication failed: ${condition}`);
  } else if (status === Status.DISCONNECTED) {
    report(ending ? "stopped" : "disconnect");
    // Where it ends, Node.js does so once the connection is closed.
    if (!ending) setImmediate(connect);
  }
};

const connect = () => connection.connect(jid, password, onStatus);
connect();
