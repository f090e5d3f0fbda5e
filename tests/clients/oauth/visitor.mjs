// Plays the browser without one: follows redirects with a cookie jar and fills the forms of the provider and of
// Housekey. As a program: `node visitor.mjs URL [OPTIONS]` or `node visitor.mjs OPTIONS`.
//
// Options:
//   url                        where to begin
//   login                      whom to log in as at the provider, "alice"
//   decision, idp_decision     "allow" or "deny": Housekey's consent page, and the provider's; null: look and stop,
//                              from where another visit with the same `jar` can go on
//   callback                   where to stop; without it, the redirect_uri of the URL
//   follow                     true: the callback is called, for a client that listens there
//   jar                        a file that keeps the cookies from one visit to the next
//
// Result: {final_url, reached, pages: [{url, title, status}], cookies: [{name, domain, path, flags}], error?}

import { readFile, writeFile } from "node:fs/promises";
import { isProgram, required, run, within } from "./program.mjs";

const MAX_HOPS = 30;
const HOP_MS = 20_000;

/** Cookies as browsers keep them: a host's ports share them. */
export class Jar {
  cookies = new Map();

  static async load(file) {
    const jar = new Jar();
    if (file === undefined) return jar;
    try {
      for (const cookie of JSON.parse(await readFile(file, "utf8"))) jar.#put(cookie);
    } catch (error) {
      if (error.code !== "ENOENT") throw error;
    }
    return jar;
  }

  async save(file) {
    if (file !== undefined) await writeFile(file, JSON.stringify([...this.cookies.values()]), { mode: 0o600 });
  }

  #put(cookie) {
    this.cookies.set(`${cookie.domain} ${cookie.path} ${cookie.name}`, cookie);
  }

  /** Takes in one Set-Cookie line. */
  set(line, url) {
    const [pair, ...attributes] = line.split(";").map((part) => part.trim());
    const at = pair.indexOf("=");
    const named = new Map(
      attributes.map((attribute) => {
        const [name, ...value] = attribute.split("=");
        return [name.toLowerCase(), value.join("=")];
      }),
    );
    const cookie = {
      name: pair.slice(0, at),
      value: pair.slice(at + 1),
      domain: url.hostname,
      path: named.get("path") || url.pathname.replace(/\/[^/]*$/, "") || "/",
      secure: named.has("secure"),
      httpOnly: named.has("httponly"),
      sameSite: named.get("samesite") ?? null,
      session: !named.has("max-age") && !named.has("expires"),
      expires: named.has("max-age")
        ? Date.now() + Number(named.get("max-age")) * 1000
        : named.has("expires")
          ? Date.parse(named.get("expires"))
          : null,
    };
    if (cookie.name.startsWith("__Host-") && !(cookie.secure && cookie.path === "/" && !named.has("domain"))) return;
    if (cookie.name.startsWith("__Secure-") && !cookie.secure) return;
    this.#put(cookie);
  }

  #fits(cookie, url) {
    const path = cookie.path.endsWith("/") ? cookie.path : `${cookie.path}/`;
    const secure = url.protocol === "https:" || ["127.0.0.1", "localhost", "[::1]"].includes(url.hostname);
    return (
      cookie.domain === url.hostname &&
      `${url.pathname}/`.startsWith(path) &&
      (secure || !cookie.secure) &&
      (cookie.expires === null || cookie.expires > Date.now())
    );
  }

  header(url) {
    const fitting = [...this.cookies.values()].filter((cookie) => this.#fits(cookie, url));
    return fitting.map(({ name, value }) => `${name}=${value}`).join("; ");
  }

  /** The cookies without their values. */
  shown() {
    return [...this.cookies.values()]
      .filter(({ expires }) => expires === null || expires > Date.now())
      .map(({ value: _, expires: __, ...shown }) => shown);
  }
}

const ENTITIES = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };
const unescape = (text) =>
  text.replace(/&(?:#x([0-9a-f]+)|#(\d+)|(\w+));/gi, (whole, hex, decimal, name) => {
    if (hex) return String.fromCodePoint(Number.parseInt(hex, 16));
    if (decimal) return String.fromCodePoint(Number(decimal));
    return ENTITIES[name] ?? whole;
  });

const attributes = (tag) =>
  Object.fromEntries(
    [...tag.matchAll(/([\w-]+)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>"']+))/g)].map(([, name, double, single, bare]) => [
      name.toLowerCase(),
      unescape(double ?? single ?? bare),
    ]),
  );

/** The forms of a page: {action, method, hidden: [[name, value]], names, buttons}. */
export function forms(html) {
  return [...html.matchAll(/<form\b([^>]*)>([\s\S]*?)<\/form>/gi)].map(([, head, inside]) => {
    const { action, method } = attributes(head);
    const inputs = [...inside.matchAll(/<input\b([^>]*)>/gi)].map(([, tag]) => attributes(tag));
    const buttons = [...inside.matchAll(/<button\b([^>]*)>/gi)].map(([, tag]) => attributes(tag));
    const isButton = ({ type }) => type === "submit";
    return {
      action,
      method: (method ?? "get").toUpperCase(),
      hidden: inputs.filter(({ type }) => type === "hidden").map(({ name, value }) => [name, value ?? ""]),
      names: inputs.map(({ name }) => name),
      buttons: [...buttons, ...inputs.filter(isButton)],
    };
  });
}

/** What a person puts into the forms of a page; nothing if it has none that they know. */
function fillIn(html, { login, decision, idp_decision }) {
  for (const form of forms(html)) {
    const fields = new URLSearchParams(form.hidden);
    if (form.names.includes("login")) {
      fields.set("login", login);
      fields.set("password", "anything");
      return { form, fields };
    }
    if (form.buttons.some(({ name }) => name === "decision")) {
      const wanted = fields.has("prompt") ? idp_decision : decision;
      if (!form.buttons.some(({ name, value }) => name === "decision" && value === wanted)) continue;
      fields.set("decision", wanted);
      return { form, fields };
    }
  }
  return undefined;
}

/** The callback of an authorization URL. */
export function callbackOf(url) {
  try {
    return new URL(url).searchParams.get("redirect_uri") ?? undefined;
  } catch {
    return undefined;
  }
}

/** Whether a URL is this callback, with parameters or without. */
export const isAt = (callback, url) =>
  callback !== undefined && url.startsWith(callback) && /^($|[?#&])/.test(url.slice(callback.length));

export async function visit(options) {
  const { url, follow = false, callback = callbackOf(url), jar: file } = required(options, "url");
  const person = { login: "alice", decision: "allow", idp_decision: "allow", ...options };
  const jar = await Jar.load(file);
  const pages = [];
  const result = (final_url, reached, error) => ({ final_url, reached, pages, cookies: jar.shown(), error });
  const finish = async (...end) => {
    await jar.save(file);
    return result(...end);
  };
  let at = url;
  let request = {};
  let logins = 0;
  for (let hop = 0; hop < MAX_HOPS; hop += 1) {
    const arrived = isAt(callback, at);
    if (arrived && !follow) return finish(at, true);
    const here = new URL(at);
    if (!/^https?:$/.test(here.protocol)) return finish(at, false, `cannot visit ${here.protocol}`);
    const cookie = jar.header(here);
    const response = await within(
      HOP_MS,
      `no answer of ${here.origin}`,
      fetch(here, { redirect: "manual", ...request, headers: { ...request.headers, ...(cookie ? { cookie } : {}) } }),
    );
    for (const line of response.headers.getSetCookie()) jar.set(line, here);
    const html = await within(HOP_MS, `no whole page of ${here.origin}`, response.text());
    const location = response.headers.get("location");
    if (!arrived && location !== null && response.status >= 300 && response.status < 400) {
      const keeps = response.status === 307 || response.status === 308;
      if (!keeps) request = {};
      at = new URL(location, here).href;
      continue;
    }
    const title = unescape(/<title[^>]*>([\s\S]*?)<\/title>/i.exec(html)?.[1] ?? "").trim();
    pages.push({ url: at, title, status: response.status });
    if (arrived) return finish(at, true);
    const filled = fillIn(html, person);
    if (filled?.form.names.includes("login")) logins += 1;
    if (filled === undefined || logins > 1) {
      return finish(at, false, `ended at a page with status ${response.status}: ${title}`);
    }
    const target = new URL(filled.form.action ?? at, here);
    if (filled.form.method === "POST") {
      request = { method: "POST", body: filled.fields, headers: { origin: here.origin } };
    } else {
      target.search = filled.fields;
      request = {};
    }
    at = target.href;
  }
  return finish(at, false, `more than ${MAX_HOPS} hops`);
}

if (isProgram(import.meta)) await run(visit);
