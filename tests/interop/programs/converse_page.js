// The page of a Converse.js; see README.md for what it reports and obeys. It reports by POST, and
// knows one more body, "reload".

import converse from "/converse/converse.min.js";

const options = Object.fromEntries(new URLSearchParams(location.search));

const report = (event, fields = {}) =>
  fetch("/report", { method: "POST", body: JSON.stringify({ event, ...fields }) });

window.addEventListener("error", (event) => report("output", { text: event.message }));

converse.plugins.add("reporter", {
  initialize() {
    const { api } = this._converse;
    const { Strophe } = converse.env;
    let ending = false;

    const handle = () => {
      const connection = api.connection.get();
      connection.addHandler((presence) => {
        const [status] = presence.getElementsByTagName("status");
        report("presence", {
          from: presence.getAttribute("from"),
          type: presence.getAttribute("type") ?? "available",
          status: status?.textContent ?? "",
        });
        return true;
      }, null, "presence");
      connection.addHandler((iq) => {
        for (const item of iq.getElementsByTagName("item"))
          report("contact", {
            jid: item.getAttribute("jid"),
            subscription: item.getAttribute("subscription"),
          });
        return true;
      }, Strophe.NS.ROSTER, "iq", "set");
      return connection;
    };

    // What a chat's window holds, whenever that changes.
    const show = (chat) => {
      const tell = () =>
        report("shown", {
          with: chat.get("jid"),
          bodies: chat.messages.map((message) => message.get("body")).sort(),
        });
      chat.messages.on("add", tell);
      chat.messages.fetched.then(tell);
    };

    api.listen.on("connected", async () => {
      if (handle().hasResumed()) {
        report("resumed");
        return;
      }
      await api.waitUntil("rosterContactsFetched");
      const roster = await api.contacts.get();
      report("online", {
        jid: api.connection.get().jid,
        contacts: roster.map((contact) => contact.get("jid")).sort(),
      });
      for (const contact of roster) show(await api.chats.open(contact.get("jid")));
    });
    api.listen.on("will-reconnect", () => report("disconnect"));
    api.listen.on("reconnected", () => report(handle().hasResumed() ? "resumed" : "again"));
    api.listen.on("disconnected", () => report(ending ? "stopped" : "disconnect"));

    api.listen.on("contactRequest", (contact) => {
      contact.authorize().subscribeToPresence();
    });

    api.listen.on("message", async ({ stanza, attrs }) => {
      if (!attrs.body || !stanza) return;
      if (attrs.sender === "me") {
        report("copy", { body: attrs.body });
        return;
      }
      const from = stanza.getAttribute("from");
      report("message", { from, body: attrs.body });
      if (attrs.body === "end") {
        ending = true;
        api.user.logout();
      } else if (attrs.body === "reload") {
        location.reload();
      } else {
        const chat = await api.chats.open(attrs.from);
        await chat.sendMessage({ body: `echo: ${attrs.body}` });
      }
    });
  },
});

converse.initialize({
  auto_login: true,
  auto_reconnect: true,
  jid: options.jid,
  password: options.password,
  websocket_url: options.service,
  discover_connection_methods: false,
  view_mode: "fullscreen",
  whitelisted_plugins: ["reporter"],
  assets_path: "/converse/",
  loglevel: "warn",
  show_desktop_notifications: false,
  play_sounds: false,
}).catch((error) => report("failed", { text: String(error) }));
