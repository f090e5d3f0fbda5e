// @modelcontextprotocol/sdk 1.x: handshake revisions. MCP_TEST_SDK names the package, for old ones lie beside the new.

import { bearer, bearerOfStream, refusal, report, sayYes, settings } from "./session.mjs";

const [mode, target, ...rest] = process.argv.slice(2);
const sdk = process.env.MCP_TEST_SDK ?? "@modelcontextprotocol/sdk";
const { Client } = await import(`${sdk}/client/index.js`);
const { StdioClientTransport } = await import(`${sdk}/client/stdio.js`);
const { StreamableHTTPClientTransport } = await import(`${sdk}/client/streamableHttp.js`);
const { SSEClientTransport } = await import(`${sdk}/client/sse.js`);
const { ElicitRequestSchema } = await import(`${sdk}/types.js`);

const capabilities = ElicitRequestSchema ? { elicitation: {} } : {};
const client = new Client({ name: "housekey-tests", version: "1.0.0" }, { capabilities });
if (ElicitRequestSchema) client.setRequestHandler(ElicitRequestSchema, sayYes);

// What was agreed on; the client itself does not tell.
let revision;
const request = client.request.bind(client);
client.request = async (message, ...others) => {
  const result = await request(message, ...others);
  if (message.method === "initialize") revision = result.protocolVersion;
  return result;
};

const transports = {
  http: () => new StreamableHTTPClientTransport(new URL(target), bearer()),
  sse: () => new SSEClientTransport(new URL(target), bearerOfStream()),
  stdio: () => new StdioClientTransport({ command: target, args: rest, env: settings(), stderr: "inherit" }),
};

if (mode === "refused") {
  await refusal(() => client.connect(transports.http()));
} else {
  await client.connect(transports[mode]());
  await report(client, () => revision);
}
