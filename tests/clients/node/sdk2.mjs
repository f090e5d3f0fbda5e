// @modelcontextprotocol/client 2.x: it asks for 2026-07-28 first.

import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { bearer, refusal, report, settings } from "./session.mjs";

const [mode, target, ...rest] = process.argv.slice(2);
const client = new Client(
  { name: "housekey-tests", version: "1.0.0" },
  { versionNegotiation: { mode: { pin: "2026-07-28" } } },
);
const http = () => client.connect(new StreamableHTTPClientTransport(new URL(target), bearer()));

if (mode === "refused") {
  await refusal(http);
} else if (mode === "stdio") {
  await client.connect(new StdioClientTransport({ command: target, args: rest, env: settings(), stderr: "inherit" }));
  await report(client);
} else {
  await http();
  await report(client);
}
