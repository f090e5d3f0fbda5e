// What every OAuth client here does once it is let in, and how it tells what became of it.

import { readFile, writeFile } from "node:fs/promises";
import { browse } from "./browser.mjs";
import { describe, until } from "./program.mjs";
import { visit } from "./visitor.mjs";

export const QUERY = "SELECT currentUser()";

/** Nobody listens there: a visit ends where it would be called. */
export const CALLBACK = "http://127.0.0.1:8765/callback";

/** What a client keeps between runs, in a file if there is a `store`. */
export class Store {
  static async open(file) {
    const store = new Store();
    store.file = file;
    store.kept = {};
    if (file !== undefined) {
      try {
        store.kept = JSON.parse(await readFile(file, "utf8"));
      } catch (error) {
        if (error.code !== "ENOENT") throw error;
      }
    }
    return store;
  }

  get(name) {
    return this.kept[name];
  }

  async set(name, value) {
    if (value === undefined) delete this.kept[name];
    else this.kept[name] = value;
    if (this.file !== undefined) await writeFile(this.file, JSON.stringify(this.kept), { mode: 0o600 });
  }
}

/** Sends somebody to an authorization URL: the browser if the options say so, else the visitor. */
export async function send(url, options) {
  const { login, decision, idp_decision, jar, browser } = options;
  const person = { url, login, decision, idp_decision, follow: options.follow };
  const given = Object.fromEntries(Object.entries(person).filter(([, value]) => value !== undefined));
  const result = browser
    ? await browse({ ...given, ...(browser === true ? {} : browser) })
    : await visit({ ...given, jar });
  return result;
}

/** Lists the tools and asks who is there. */
export async function look(client) {
  const { tools } = await client.listTools();
  return { tools: tools.map(({ name }) => name), who: await who(client) };
}

export async function who(client) {
  const result = await client.callTool({ name: "execute_query", arguments: { query: QUERY } });
  if (result.isError) throw new Error(`execute_query failed: ${result.content?.[0]?.text}`);
  return result.structuredContent?.rows?.[0]?.[0] ?? result.content?.[0]?.text;
}

/** Waits until the server refuses a token. */
export async function refused(url, token, milliseconds) {
  const request = { jsonrpc: "2.0", id: 1, method: "ping" };
  await until(milliseconds, "a refusal of the old token", async () => {
    const response = await fetch(url, {
      method: "POST",
      headers: {
        authorization: `Bearer ${token}`,
        "content-type": "application/json",
        accept: "application/json, text/event-stream",
      },
      body: JSON.stringify(request),
    });
    await response.body?.cancel();
    return response.status === 401 ? true : undefined;
  });
}

/** What a visit says of the client that sent it, with what it brought back. */
export function brought(visit) {
  const query = visit.reached ? new URL(visit.final_url).searchParams : new URLSearchParams();
  return { query, code: query.get("code"), error: visit.reached ? query.get("error") : visit.error };
}

/** How a run ended that was refused somewhere. */
export const refusal = (stage, error, more) => ({
  outcome: "refused",
  stage,
  error: error instanceof Error ? `${error.constructor.name}: ${describe(error)}` : error,
  ...more,
});

/** A fetch that notes what is asked for, without what is secret. */
export function noting(requests) {
  return async (input, init) => {
    const url = new URL(input instanceof Request ? input.url : input);
    const method = init?.method ?? (input instanceof Request ? input.method : "GET");
    const note = { method, path: url.pathname };
    requests.push(note);
    const response = await fetch(input, init);
    note.status = response.status;
    return response;
  };
}
