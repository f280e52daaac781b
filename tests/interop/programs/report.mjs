// What the Node.js programs of this directory have in common. To be imported first.

import { webcrypto } from "node:crypto";

import { WebSocket } from "ws";

// What newer versions of Node.js than Debian 12's have as globals.
globalThis.crypto ??= webcrypto;
globalThis.WebSocket ??= WebSocket;

export const report = (event, fields = {}) =>
  process.stdout.write(JSON.stringify({ event, ...fields }) + "\n");

export const fail = (text) => {
  report("failed", { text: String(text) });
  process.exit(1);
};

export const [jid, password, service] = process.argv.slice(2);
