// `mcp-remote`, the bridge with which clients that know only stdio reach a server that wants OAuth: it listens for the
// callback itself, prints where somebody must go, and keeps tokens in a folder.
//
// Options: url; login, decision, idp_decision, jar, browser as in `sdk-ts.mjs`; folder, what it keeps from run to run
// (else a fresh one); arguments, more of its command line; expire and expire_ms as in `sdk-ts.mjs`.
//
// Result: as that of `sdk-ts.mjs`, with `log`, what mcp-remote wrote, in place of `requests`.

import { mkdir, readFile, readdir } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { atEnd, isProgram, listen, required, run, scratch } from "./program.mjs";
import { brought, look, refusal, refused, send, who } from "./session.mjs";

const PROGRAM = fileURLToPath(import.meta.resolve("mcp-remote/dist/proxy.js"));
const REQUEST_MS = 80_000;

/** A port that was free a moment ago, for a program that must be told one. */
export async function freePort() {
  const server = createServer();
  const port = await listen(server);
  await new Promise((closed) => server.close(closed));
  return port;
}

/** The tokens that it keeps, whatever it calls the file. */
async function kept(folder) {
  for (const name of await readdir(folder, { recursive: true })) {
    if (name.endsWith("tokens.json")) {
      const tokens = JSON.parse(await readFile(join(folder, name), "utf8"));
      return tokens.tokens ?? tokens;
    }
  }
  return undefined;
}

/** The secrets of its log are those that a browser brings. */
const told = (text) =>
  text
    .replace(/([?&](?:code|state|code_challenge)=)[^&\s]+/g, "$1...")
    .split("\n")
    .filter(Boolean);

export async function flow(options) {
  const { url } = required(options, "url");
  const home = await scratch("mcp-remote");
  const folder = options.folder ?? join(home, "kept");
  await mkdir(folder, { recursive: true });
  const port = await freePort();
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: [PROGRAM, url, String(port), "--host", "127.0.0.1", "--allow-http", ...(options.arguments ?? [])],
    // It would like to open a browser: one that does nothing.
    env: { PATH: process.env.PATH, HOME: home, BROWSER: "true", MCP_REMOTE_CONFIG_DIR: folder },
    stderr: "pipe",
  });
  atEnd(() => transport.close());
  const visits = [];
  let log = "";
  let visiting;
  let denied;
  const ended = Promise.withResolvers();
  transport.stderr.on("data", (chunk) => {
    log += chunk;
    const asked = /Please authorize this client by visiting:\s+(https?:\/\/\S+)\s/g;
    const urls = [...log.matchAll(asked)].map(([, url]) => url);
    if (urls.length <= visits.length || visiting) return;
    // Its listener is there before it says where to go.
    visiting = send(urls[visits.length], { ...options, follow: true })
      .then((visit) => {
        visits.push(visit);
        const { code, error } = brought(visit);
        if (code === null) {
          denied = error ?? "neither a code nor an error came back";
          ended.reject(new Error(denied));
        }
      })
      .catch(ended.reject)
      .finally(() => (visiting = undefined));
  });
  transport.stderr.on("end", () => ended.reject(new Error(`mcp-remote has ended: ${told(log).at(-1) ?? ""}`)));
  ended.promise.catch(() => {});
  const client = new Client({ name: "housekey-tests", version: "1.0.0" });
  const orEnd = (promise) => Promise.race([promise, ended.promise]);
  let stage = "connect";
  try {
    await orEnd(client.connect(transport, { timeout: REQUEST_MS }));
    stage = "call";
    const seen = await orEnd(look(client));
    const first = await kept(folder);
    const later = {};
    if (options.expire) {
      await refused(url, first.access_token, options.expire_ms ?? 60_000);
      later.who_later = await orEnd(who(client));
      later.refreshed = (await kept(folder)).access_token !== first.access_token;
      later.rotated = (await kept(folder)).refresh_token !== first.refresh_token;
    }
    const { token_type, expires_in, scope, refresh_token } = (await kept(folder)) ?? {};
    const token = { token_type, expires_in, scope, refreshable: refresh_token !== undefined };
    return { outcome: "authorized", ...seen, ...later, token, visits, log: told(log) };
  } catch (error) {
    if (/ECONNREFUSED|fetch failed/.test(log) && visits.length === 0) throw new Error(`nobody answers at ${url}`);
    return refusal(denied ? "authorize" : stage, denied ?? error, { visits, log: told(log) });
  } finally {
    await transport.close();
  }
}

if (isProgram(import.meta)) await run(flow);
