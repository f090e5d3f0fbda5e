// A person with a real browser, headless Chromium: logs in at `provider.mjs`, decides at Housekey's consent page and
// stops where the browser is sent back to the client, whom nobody needs to play.
//
// Options:
//   url                        where to begin
//   login                      whom to log in as at the provider, "alice"
//   decision, idp_decision     "allow" or "deny": Housekey's consent page, and the provider's; null: look and stop
//   callback                   where to stop; without it, the redirect_uri of the URL
//   follow                     true: the callback is called, for a client that listens there
//   screenshots                a folder for one PNG of every page
//   javascript                 false: pages run no scripts
//   viewport                   "desktop" or "phone"
//   dark                       true: pages are asked for dark colours
//   frame                      true: the URL is shown inside a page of another origin, and nothing is filled in
//   profile                    a folder that the browser keeps, with its cookies, from one visit to the next
//   chromium                   the program, else HOUSEKEY_CHROMIUM, else `chromium` on PATH
//
// Result: {final_url, reached, pages: [{url, title, status, fits, csp, screenshot?}], cookies: [{name, flags}],
//          console: [...], frame?: {blocked, url}, error?}

import { createServer } from "node:http";
import { access, constants, mkdir } from "node:fs/promises";
import { delimiter, join } from "node:path";
import puppeteer from "puppeteer-core";
import { atEnd, escape, isProgram, listen, required, run, scratch, until } from "./program.mjs";
import { callbackOf, isAt } from "./visitor.mjs";

const STEP_MS = 20_000;
const MAX_PAGES = 12;
const VIEWPORTS = {
  desktop: { width: 1280, height: 800 },
  phone: { width: 390, height: 844, deviceScaleFactor: 2, isMobile: true, hasTouch: true },
};

async function chromium(named) {
  const path = named ?? process.env.HOUSEKEY_CHROMIUM;
  const candidates = path ? [path] : process.env.PATH.split(delimiter).map((folder) => join(folder, "chromium"));
  for (const candidate of candidates) {
    const found = await access(candidate, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (found) return candidate;
  }
  throw new Error("there is no chromium: run tests/setup/chromium");
}

async function launch({ chromium: named, profile }) {
  const browser = await puppeteer.launch({
    executablePath: await chromium(named),
    headless: true,
    // Over a pipe, so that the browser ends when this program does, however that ends.
    pipe: true,
    userDataDir: profile ?? (await scratch("browser")),
    args: [
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-default-apps",
      "--disable-dev-shm-usage",
      "--disable-gpu",
      "--disable-sync",
      "--no-first-run",
      "--password-store=basic",
      // Its sandbox does not run for root.
      ...(process.getuid?.() === 0 ? ["--no-sandbox"] : []),
    ],
  });
  atEnd(() => browser.close());
  return browser;
}

/** Watches one page: where it is sent, what it complains of, what it has shown. */
class Watch {
  pages = [];
  console = [];
  statuses = new Map();
  arrived;
  /** What the browser refused to do. */
  refused;

  constructor(page, { callback, follow, screenshots }) {
    Object.assign(this, { page, callback, follow, screenshots });
    page.on("console", (message) => this.#said(message.text()));
    page.on("pageerror", (error) => this.#said(error.message));
    page.on("requestfailed", (request) => {
      const reason = request.failure()?.errorText;
      if (request.isNavigationRequest() && reason !== "net::ERR_ABORTED" && !this.arrived)
        this.#said(`${reason} ${request.url()}`);
    });
    page.on("response", (response) => this.#answered(response));
    page.on("request", (request) => this.#asked(request));
  }

  #said(text) {
    this.console.push(text);
    if (/Content Security Policy|Refused to|X-Frame-Options|ERR_(BLOCKED|UNSAFE|CONNECTION|NAME)/.test(text))
      this.refused ??= text;
  }

  #answered(response) {
    if (!response.request().isNavigationRequest()) return;
    this.statuses.set(response.url().split("#")[0], { status: response.status(), headers: response.headers() });
  }

  /** A callback of another scheme is never asked for, nor is the answer reported that leads there, except here. */
  async hear() {
    const session = await this.page.createCDPSession();
    session.on("Network.responseReceivedExtraInfo", ({ statusCode, headers }) => {
      if (statusCode < 300 || statusCode > 399) return;
      const [, location] = Object.entries(headers).find(([name]) => name.toLowerCase() === "location") ?? [];
      if (location !== undefined && !/^https?:/.test(location) && isAt(this.callback, location)) {
        this.arrived ??= location;
      }
    });
    await session.send("Network.enable");
  }

  #asked(request) {
    const top = request.isNavigationRequest() && request.frame() === this.page.mainFrame();
    if (top && isAt(this.callback, request.url())) {
      this.arrived ??= request.url();
      if (!this.follow) {
        return request.respond({ status: 200, contentType: "text/plain", body: "the client" }).catch(() => {});
      }
    }
    return request.continue().catch(() => {});
  }

  /** Notes the page that is shown now. */
  async note() {
    const url = this.page.url();
    const { status, headers } = this.statuses.get(url.split("#")[0]) ?? {};
    const { fits, title } = await this.page.evaluate(() => ({
      fits: document.documentElement.scrollWidth <= document.documentElement.clientWidth,
      title: document.title,
    }));
    const page = { url, title, status: status ?? null, fits, csp: headers?.["content-security-policy"] ?? null };
    if (this.screenshots !== undefined) {
      const number = String(this.pages.length + 1).padStart(2, "0");
      const name = title.replace(/\W+/g, "-").toLowerCase() || "page";
      page.screenshot = join(this.screenshots, `${number}-${name}.png`);
      await this.page.screenshot({ path: page.screenshot, fullPage: true });
    }
    this.pages.push(page);
  }
}

/** Puts in what a person would, and gives back the button that they press. */
async function fillIn(page, { login, decision, idp_decision }) {
  const name = await page.$("input[name=login]");
  if (name !== null) {
    await name.type(login);
    await page.type("input[name=password]", "anything");
    return page.$("form [type=submit], form button");
  }
  const isProvider = (await page.$("input[name=prompt]")) !== null;
  const wanted = isProvider ? idp_decision : decision;
  return wanted === null ? null : page.$(`form [name=decision][value="${wanted}"]`);
}

async function walk(page, watch, person) {
  let logins = 0;
  for (let count = 0; count < MAX_PAGES; count += 1) {
    if (watch.arrived) return undefined;
    await watch.note();
    if ((await page.$("input[name=login]")) !== null && (logins += 1) > 1) return "the login was refused";
    const button = await fillIn(page, person);
    if (button === null) return `ended at a page with status ${watch.pages.at(-1).status}: ${watch.pages.at(-1).title}`;
    // A page is another one when its document is: this mark does not outlive it.
    const mark = `left${count}`;
    await page.evaluate((mark) => Object.assign(window, { [mark]: true }), mark);
    watch.refused = undefined;
    await button.click();
    await until(STEP_MS, `another page after ${page.url()}`, async () => {
      if (watch.arrived || watch.refused) return true;
      const is = await page
        .evaluate((mark) => document.readyState === "complete" && window[mark] !== true, mark)
        .catch(() => false);
      return is ? true : undefined;
    });
    if (watch.refused && !watch.arrived) return `the browser refused: ${watch.refused}`;
  }
  return `more than ${MAX_PAGES} pages`;
}

async function framed(page, url, watch) {
  // An origin of its own at the same host: browsers do not let public pages show local ones anyway.
  const host = createServer((_, response) => {
    response.setHeader("content-type", "text/html");
    response.end(
      `<!doctype html><title>A page of somebody else</title><iframe src="${escape(url)}" width="800" height="600">`,
    );
  });
  atEnd(() => host.close());
  atEnd(() => host.closeAllConnections());
  await page.goto(`http://127.0.0.1:${await listen(host)}/`, { waitUntil: "load", timeout: STEP_MS });
  const frame = await until(STEP_MS, "the frame", async () =>
    page.frames().find((frame) => frame.parentFrame() !== null),
  );
  await watch.note();
  // A blocked frame shows an error page of the browser's own, whatever the URL of the frame says.
  const at = await frame.evaluate(() => document.location.href).catch(() => "chrome-error://chromewebdata/");
  return { blocked: at.startsWith("chrome-error:"), url: at };
}

const shownCookie = ({ name, domain, path, httpOnly, secure, sameSite, session }) => ({
  name,
  domain,
  path,
  httpOnly,
  secure,
  sameSite: sameSite ?? null,
  session,
});

export async function browse(options) {
  const { url, callback = callbackOf(url), follow = false, screenshots } = required(options, "url");
  const person = { login: "alice", decision: "allow", idp_decision: "allow", ...options };
  if (screenshots !== undefined) await mkdir(screenshots, { recursive: true });
  const browser = await launch(options);
  const page = (await browser.pages())[0] ?? (await browser.newPage());
  page.setDefaultTimeout(STEP_MS);
  const viewport = VIEWPORTS[options.viewport ?? "desktop"];
  if (viewport === undefined) throw new Error(`there is no viewport ${options.viewport}`);
  await page.setViewport(viewport);
  await page.setJavaScriptEnabled(options.javascript !== false);
  if (options.dark) await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: "dark" }]);
  const watch = new Watch(page, { callback, follow, screenshots });
  await watch.hear();
  await page.setRequestInterception(true);

  let error;
  let frame;
  if (options.frame) {
    frame = await framed(page, url, watch);
  } else {
    try {
      await page.goto(url, { waitUntil: "load", timeout: STEP_MS });
    } catch (failure) {
      if (!watch.arrived) throw failure;
    }
    error = await walk(page, watch, person);
    // Whoever listens at the callback has the right to answer before the browser goes.
    if (watch.arrived && follow && /^https?:/.test(watch.arrived)) {
      await until(STEP_MS, "the page of the callback", async () => {
        const here = await page.evaluate(() => document.readyState).catch(() => undefined);
        return here === "complete" && isAt(callback, page.url()) ? true : undefined;
      });
      await watch.note();
    }
  }
  const cookies = (await browser.cookies()).map(shownCookie);
  const result = {
    final_url: watch.arrived ?? page.url(),
    reached: watch.arrived !== undefined,
    pages: watch.pages,
    cookies,
    console: watch.console,
    frame,
    error,
  };
  // Not killed: what is kept in a profile is written when the browser closes.
  await browser.close();
  return result;
}

if (isProgram(import.meta)) await run(browse);
