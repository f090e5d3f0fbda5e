// @modelcontextprotocol/sdk 1.x: handshake revisions.

import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { bearer, refusal, report, settings } from "./session.mjs";

const [mode, target, ...rest] = process.argv.slice(2);
const client = new Client({ name: "housekey-tests", version: "1.0.0" });
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
