// What all programs here have in common.
//
// Options are one JSON object: the first argument, else the variable OAUTH_OPTIONS, which keeps secrets out of the list
// of processes. A server listens on a free port of 127.0.0.1, prints one line of JSON when it is ready and ends when
// its standard input does, so none is left behind. Every other program prints one JSON object and ends in bounded time
// (`timeout_ms`). Whatever fails ends with status 1 and one line on standard error.

import { realpathSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** No test takes longer; a server whose standard input nobody closes ends then. */
const SERVER_LIFETIME_MS = 30 * 60_000;
const PROGRAM_LIFETIME_MS = 90_000;
const MAX_BODY = 1 << 20;

const cleanups = [];

/** Runs before the program ends, however it ends, the latest first. */
export function atEnd(cleanup) {
  cleanups.push(cleanup);
}

async function cleanUp() {
  while (cleanups.length > 0) {
    try {
      await cleanups.pop()();
    } catch {
      // What cannot be cleaned up must not hide how the program ended.
    }
  }
}

const oneLine = (text) => String(text).replace(/\s+/g, " ").trim();

/** An error with all that it carries along, on one line. */
export function describe(error) {
  const parts = [];
  for (let at = error; at; at = at.cause) parts.push(oneLine(at.message || at.code || at.name || at));
  for (const inner of error?.errors ?? []) parts.push(oneLine(inner.message));
  return parts.join(": ");
}

/** Whether this module is the program, and not imported by one. */
export const isProgram = (meta) =>
  process.argv[1] !== undefined && fileURLToPath(meta.url) === realpathSync(process.argv[1]);

/** The options of this process; a first argument that is no JSON is the `url`. */
export function options() {
  const given = process.argv[2] ?? process.env.OAUTH_OPTIONS ?? "{}";
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(given)) {
    return { ...JSON.parse(process.argv[3] ?? "{}"), url: given };
  }
  try {
    return JSON.parse(given);
  } catch {
    throw new Error("the options are not JSON");
  }
}

export function required(options, ...names) {
  for (const name of names) {
    if (options[name] === undefined) throw new Error(`the option ${name} is missing`);
  }
  return options;
}

async function end(status, reason) {
  await cleanUp();
  if (reason !== undefined) process.stderr.write(`${reason}\n`);
  process.exit(status);
}

function endOnSignals() {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
    process.on(signal, () => void end(1, `ended by ${signal}`));
  }
}

/** Runs a program that prints what `body` makes of the options. */
export async function run(body) {
  endOnSignals();
  try {
    const given = options();
    const limit = given.timeout_ms ?? PROGRAM_LIFETIME_MS;
    const result = await within(limit, "the program has not ended", body(given));
    await cleanUp();
    await new Promise((written) => process.stdout.write(`${JSON.stringify(result)}\n`, written));
    process.exit(0);
  } catch (error) {
    await end(1, describe(error));
  }
}

/** A promise that fails when it takes too long. */
export async function within(milliseconds, what, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} after ${milliseconds} ms`)), milliseconds);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Asks until there is an answer other than undefined. */
export async function until(milliseconds, what, ask) {
  const last = Date.now() + milliseconds;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (Date.now() > last) throw new Error(`${milliseconds} ms have passed without: ${what}`);
    await new Promise((later) => setTimeout(later, 100));
  }
}

/** Listens on a free port of 127.0.0.1. */
export async function listen(server, port = 0) {
  await new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", resolve);
  });
  return server.address().port;
}

/**
 * Runs a program that is a server. `start` gets the options and the origin, before anybody can know the port, and gives
 * back the handler of requests and what the line says besides the URL.
 */
export async function serve(start) {
  endOnSignals();
  try {
    let handle;
    const server = createServer((request, response) => {
      Promise.resolve(handle(request, response)).catch((error) => {
        process.stderr.write(`${describe(error)}\n`);
        if (response.headersSent) response.destroy();
        else send(response, 500, { error: "server_error" });
      });
    });
    const given = options();
    const port = await listen(server, given.port);
    const url = `http://127.0.0.1:${port}`;
    const { handler, ready } = await start(given, url);
    handle = handler;
    process.stdin
      .on("end", () => void end(0))
      .on("error", () => void end(0))
      .resume();
    setTimeout(() => void end(1, "nobody has closed standard input"), SERVER_LIFETIME_MS).unref();
    process.stdout.write(`${JSON.stringify({ url, ...ready })}\n`);
  } catch (error) {
    await end(1, describe(error));
  }
}

/** Sends JSON, or text as what it is. */
export function send(response, status, body, headers = {}) {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  const type = typeof body === "string" ? "text/html; charset=utf-8" : "application/json";
  response.writeHead(status, { "content-type": type, "cache-control": "no-store", ...headers }).end(text);
}

/** The body of a request. */
export async function body(request) {
  const chunks = [];
  let length = 0;
  for await (const chunk of request) {
    length += chunk.length;
    if (length > MAX_BODY) throw new Error("the body is too long");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

export async function jsonBody(request) {
  const text = await body(request);
  return text === "" ? {} : JSON.parse(text);
}

/** A folder that goes away with the program. */
export async function scratch(name) {
  const folder = await mkdtemp(join(tmpdir(), `housekey-${name}-`));
  atEnd(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
  return folder;
}

/** Text in HTML. */
export const escape = (text) => String(text).replace(/[&<>"']/g, (character) => `&#${character.codePointAt(0)};`);
