// @modelcontextprotocol/client 2.x: it asks for 2026-07-28 first, and over HTTP+SSE for what has a handshake.

import { Client, SSEClientTransport, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { bearer, bearerOfStream, refusal, report, sayYes, settings } from "./session.mjs";

const [mode, target, ...rest] = process.argv.slice(2);
const versionNegotiation = mode === "sse" ? undefined : { mode: { pin: "2026-07-28" } };
const client = new Client(
  { name: "housekey-tests", version: "1.0.0" },
  { versionNegotiation, capabilities: { elicitation: {} } },
);
client.setRequestHandler("elicitation/create", sayYes);

const transports = {
  http: () => new StreamableHTTPClientTransport(new URL(target), bearer()),
  sse: () => new SSEClientTransport(new URL(target), bearerOfStream()),
  stdio: () => new StdioClientTransport({ command: target, args: rest, env: settings(), stderr: "inherit" }),
};

if (mode === "refused") {
  await refusal(() => client.connect(transports.http()));
} else {
  await client.connect(transports[mode]());
  await report(client, () => client.getNegotiatedProtocolVersion());
}
