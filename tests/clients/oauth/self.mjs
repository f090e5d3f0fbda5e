// The programs here are tried on each other before Housekey is tried on them: `node --test` in this folder. What those
// tests share.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { createRemoteJWKSet, jwtVerify } from "jose";
import { visit } from "./visitor.mjs";

const HERE = fileURLToPath(new URL(".", import.meta.url));
export const CALLBACK = "http://127.0.0.1:8765/callback";

/** Runs a program to its end. */
export async function program(name, options, interpreter = process.execPath) {
  const child = spawn(interpreter, [join(HERE, name)], {
    env: { ...process.env, OAUTH_OPTIONS: JSON.stringify(options), PYTHONDONTWRITEBYTECODE: "1" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const texts = [child.stdout, child.stderr].map(async (stream) => {
    let text = "";
    for await (const chunk of stream.setEncoding("utf8")) text += chunk;
    return text;
  });
  const [stdout, stderr] = await Promise.all(texts);
  const status = child.exitCode ?? (await new Promise((resolve) => child.on("close", resolve)));
  return { status, stderr, ...(status === 0 ? { result: JSON.parse(stdout) } : {}) };
}

export async function result(...given) {
  const { status, stderr, result } = await program(...given);
  assert.equal(status, 0, stderr);
  return result;
}

/** Starts a program that serves, for as long as a test runs. */
export async function serve(t, name, options = {}) {
  const child = spawn(process.execPath, [join(HERE, name), JSON.stringify(options)], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const ended = new Promise((resolve) => child.on("exit", resolve));
  t.after(async () => {
    child.stdin.end();
    assert.equal(await ended, 0, `${name} ends with its standard input`);
  });
  const line = await createInterface({ input: child.stdout })[Symbol.asyncIterator]().next();
  assert.equal(line.done, false, `${name} has said nothing`);
  return JSON.parse(line.value);
}

/** A server of ours, for as long as a test runs. */
export async function here(t, handler) {
  const server = createServer(handler);
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${server.address().port}`;
}

export async function folder(t) {
  const path = await mkdtemp(join(tmpdir(), "housekey-self-"));
  t.after(() => rm(path, { recursive: true, force: true }));
  return path;
}

export const json = async (url, init) => (await fetch(url, init)).json();
export const post = (url, value = {}) =>
  json(url, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(value) });

/** The client side of a code flow. */
export class Login {
  constructor(provider, metadata, more = {}) {
    this.provider = provider;
    this.metadata = metadata;
    this.verifier = randomBytes(32).toString("base64url");
    this.nonce = randomBytes(8).toString("hex");
    this.state = randomBytes(8).toString("hex");
    this.url = `${metadata.authorization_endpoint}?${new URLSearchParams({
      client_id: provider.client_id,
      response_type: "code",
      redirect_uri: CALLBACK,
      scope: "openid email profile",
      state: this.state,
      nonce: this.nonce,
      code_challenge: createHash("sha256").update(this.verifier).digest("base64url"),
      code_challenge_method: "S256",
      ...more,
    })}`;
  }

  static async at(provider, more) {
    return new Login(provider, await json(`${provider.issuer}/.well-known/openid-configuration`), more);
  }

  async token(form, basic = false) {
    const { client_id, client_secret } = this.provider;
    const headers = basic ? { authorization: `Basic ${btoa(`${client_id}:${client_secret}`)}` } : {};
    const body = new URLSearchParams({ ...form, ...(basic ? {} : { client_id, client_secret }) });
    const response = await fetch(this.metadata.token_endpoint, { method: "POST", headers, body });
    return { status: response.status, ...(await response.json()) };
  }

  exchange(code, more, basic) {
    const form = { grant_type: "authorization_code", code, redirect_uri: CALLBACK, code_verifier: this.verifier };
    return this.token({ ...form, ...more }, basic);
  }

  async whole(login = "alice", more = {}, basic = false) {
    const visited = await visit({ url: this.url, login });
    assert.equal(visited.reached, true, visited.error);
    const query = new URL(visited.final_url).searchParams;
    assert.equal(query.get("state"), this.state);
    assert.equal(query.get("iss"), this.provider.issuer);
    return this.exchange(query.get("code"), more, basic);
  }

  verify(token, more = {}) {
    const keys = createRemoteJWKSet(new URL(this.metadata.jwks_uri));
    return jwtVerify(token, keys, { issuer: this.provider.issuer, audience: this.provider.client_id, ...more });
  }
}
