// The clients, at a small MCP server of the official SDK in Housekey's place, whose authorization server is the
// provider itself. HOUSEKEY_PYTHON_SDK1 and _SDK2 name interpreters for `sdk_py.py`; without one its tests are skipped.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import { createRemoteJWKSet, jwtVerify } from "jose";
import { folder, here, post, program, result, serve } from "./self.mjs";
import { refused } from "./session.mjs";

/** A server that takes the provider's tokens, in Housekey's place. */
async function mcp(t, more = {}) {
  const provider = await serve(t, "provider.mjs", { default_scope: "openid email", ...more });
  let resource;
  const keys = createRemoteJWKSet(new URL(`${provider.issuer}/jwks`));
  const origin = await here(t, async (request, response) => {
    const { pathname } = new URL(request.url, resource);
    if (pathname.startsWith("/.well-known/oauth-protected-resource")) {
      response.setHeader("content-type", "application/json");
      return response.end(
        JSON.stringify({ resource, authorization_servers: [provider.issuer], scopes_supported: ["openid", "email"] }),
      );
    }
    if (pathname !== "/mcp") return response.writeHead(404).end();
    const token = /^Bearer (.+)/.exec(request.headers.authorization ?? "")?.[1] ?? "";
    const person = await jwtVerify(token, keys, { issuer: provider.issuer, audience: resource }).catch(() => undefined);
    if (person === undefined) {
      const challenge = `Bearer resource_metadata="${origin}/.well-known/oauth-protected-resource/mcp"`;
      return response.writeHead(401, { "www-authenticate": challenge }).end();
    }
    if (request.method !== "POST") return response.writeHead(405).end();
    const server = new McpServer({ name: "stand-in", version: "1" });
    server.registerTool("execute_query", {}, () => ({ content: [{ type: "text", text: person.payload.email }] }));
    const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: undefined, enableJsonResponse: true });
    response.on("close", () => void server.close());
    await server.connect(transport);
    return transport.handleRequest(request, response);
  });
  resource = `${origin}/mcp`;
  return { provider, resource, origin };
}

const python = (name) => {
  const path = process.env[name];
  return { interpreter: path, skip: path ? false : `${name} names no interpreter` };
};
const CLIENTS = [
  { name: "TypeScript SDK 1", script: "sdk-ts.mjs", options: { sdk: 1 } },
  { name: "TypeScript SDK 2", script: "sdk-ts.mjs", options: { sdk: 2 } },
  { name: "mcp-remote", script: "remote.mjs", options: {} },
  { name: "Python SDK 1", script: "sdk_py.py", options: { node: process.execPath }, ...python("HOUSEKEY_PYTHON_SDK1") },
  { name: "Python SDK 2", script: "sdk_py.py", options: { node: process.execPath }, ...python("HOUSEKEY_PYTHON_SDK2") },
];

for (const { name, script, options, interpreter, skip = false } of CLIENTS) {
  test(`${name}: from nothing to a refresh`, { skip }, async (t) => {
    const { resource } = await mcp(t, { ttl: { access_token: 3 } });
    const told = await result(script, { url: resource, login: "bob", expire: true, ...options }, interpreter);
    assert.equal(told.outcome, "authorized", JSON.stringify(told));
    assert.deepEqual([told.tools, told.who, told.who_later], [["execute_query"], "bob@example.com", "bob@example.com"]);
    assert.deepEqual([told.refreshed, told.rotated, told.visits.length], [true, true, 1]);
  });

  test(`${name}: a no`, { skip }, async (t) => {
    const { resource } = await mcp(t);
    const told = await result(script, { url: resource, idp_decision: "deny", ...options }, interpreter);
    assert.deepEqual(
      [told.outcome, told.stage, told.error],
      ["refused", "authorize", "access_denied"],
      JSON.stringify(told),
    );
  });

  test(`${name}: nobody there`, { skip }, async () => {
    const { status, stderr } = await program(script, { url: "http://127.0.0.1:1/mcp", ...options }, interpreter);
    assert.equal(status, 1);
    assert.equal(stderr.trim().split("\n").length, 1, stderr);
  });
}

for (const sdk of [1, 2]) {
  test(`TypeScript SDK ${sdk}: a second run goes on, until it is revoked`, async (t) => {
    const { provider, resource } = await mcp(t, { ttl: { access_token: 2 } });
    const store = join(await folder(t), "store.json");
    const once = () => result("sdk-ts.mjs", { url: resource, sdk, store });
    assert.equal((await once()).visits.length, 1);
    assert.equal((await once()).visits.length, 0);
    await post(`${provider.url}/__revoke?user=alice`);
    const { access_token } = JSON.parse(await readFile(store, "utf8")).tokens;
    await refused(resource, access_token, 20_000);
    const last = await once();
    assert.deepEqual([last.outcome, last.visits.length], ["authorized", 1], JSON.stringify(last));
  });
}

test("TypeScript SDK 2 with the browser", async (t) => {
  const { resource } = await mcp(t);
  const shots = await folder(t);
  const told = await result("sdk-ts.mjs", { url: resource, sdk: 2, browser: { screenshots: shots } });
  assert.deepEqual([told.outcome, told.visits[0].pages.length], ["authorized", 2], JSON.stringify(told));
});

test("conformance: both scenarios of an authorization server", async (t) => {
  const { provider, resource } = await mcp(t);
  const told = await result("conformance.mjs", { issuer: provider.issuer, resource });
  assert.deepEqual([told.failed, told.scenarios.length], [0, 2], JSON.stringify(told));
});
