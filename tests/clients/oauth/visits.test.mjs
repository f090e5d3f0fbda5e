// Those who visit pages: with Chromium, which is HOUSEKEY_CHROMIUM or on PATH, and without.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { CALLBACK, Login, folder, here, json, post, result, serve } from "./self.mjs";
import { forms, visit } from "./visitor.mjs";

test("visitor: forms", () => {
  const [form] = forms(
    `<form action='/x?a=1&amp;b=2' method=post><input type=hidden name="t" value="&quot;&#x41;">` +
      `<button name=decision value=allow>` +
      `Allow</button></form>`,
  );
  assert.deepEqual([form.action, form.method, form.hidden], ["/x?a=1&b=2", "POST", [["t", '"A']]]);
});

/** A consent page as Housekey's: a plain form, after which the client is called. */
async function consent(t, headers = {}) {
  return here(t, async (request, response) => {
    const url = new URL(request.url, "http://127.0.0.1");
    if (url.pathname !== "/consent") return response.writeHead(404).end();
    if (request.method === "GET") {
      for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
      response.setHeader("set-cookie", "__Host-pending=1; Path=/; Secure; HttpOnly; SameSite=Lax");
      response.setHeader("content-type", "text/html");
      return response.end(
        `<!doctype html><title>Consent</title><form method="post">` +
          `<button name="decision" value="allow">Allow</button>` +
          `<button name="decision" value="deny">Deny</button></form><script>document.title += " with scripts"</script>`,
      );
    }
    let form = "";
    for await (const chunk of request) form += chunk;
    const back = `${url.searchParams.get("redirect_uri")}?decision=${new URLSearchParams(form).get("decision")}`;
    return response.writeHead(303, { location: back }).end();
  });
}

for (const decision of ["allow", "deny"]) {
  test(`visitor and browser: ${decision}`, async (t) => {
    const origin = await consent(t);
    for (const callback of [CALLBACK, "cursor://anysphere.cursor-mcp/callback"]) {
      const url = `${origin}/consent?redirect_uri=${encodeURIComponent(callback)}`;
      const wanted = `${callback}?decision=${decision}`;
      const visited = await result("visitor.mjs", { url, decision });
      const browsed = await result("browser.mjs", { url, decision });
      assert.deepEqual([visited.final_url, visited.reached], [wanted, true]);
      assert.deepEqual([browsed.final_url, browsed.reached], [wanted, true], JSON.stringify(browsed));
      for (const { cookies } of [visited, browsed]) {
        const [{ name, secure, httpOnly, sameSite }] = cookies;
        assert.deepEqual([name, secure, httpOnly, sameSite], ["__Host-pending", true, true, "Lax"]);
      }
    }
  });
}

test("browser: scripts, phones, pictures", async (t) => {
  const [origin, shots] = [await consent(t), await folder(t)];
  const url = `${origin}/consent?redirect_uri=${encodeURIComponent(CALLBACK)}`;
  const plain = await result("browser.mjs", { url, screenshots: shots, viewport: "phone" });
  assert.equal(plain.pages[0].title, "Consent with scripts");
  assert.equal(plain.pages[0].status, 200);
  assert.equal((await readFile(plain.pages[0].screenshot)).subarray(1, 4).toString(), "PNG");
  const without = await result("browser.mjs", { url, javascript: false });
  assert.deepEqual([without.pages[0].title, without.reached], ["Consent", true]);
  const looked = await result("browser.mjs", { url, decision: null });
  assert.deepEqual([looked.reached, looked.pages.length], [false, 1]);
});

test("browser: a policy that keeps forms from leading away", async (t) => {
  const policy = { "content-security-policy": "default-src 'none'; form-action 'self'" };
  const url = `${await consent(t, policy)}/consent?redirect_uri=${encodeURIComponent(CALLBACK)}`;
  const stuck = await result("browser.mjs", { url });
  assert.equal(stuck.reached, false);
  assert.match(stuck.error, /refused.*Content Security Policy/);
});

test("browser: frames", async (t) => {
  const url = (origin) => `${origin}/consent?redirect_uri=${encodeURIComponent(CALLBACK)}`;
  const open = await result("browser.mjs", { url: url(await consent(t)), frame: true });
  assert.equal(open.frame.blocked, false);
  for (const headers of [{ "content-security-policy": "frame-ancestors 'none'" }, { "x-frame-options": "DENY" }]) {
    const shut = await result("browser.mjs", { url: url(await consent(t, headers)), frame: true });
    assert.equal(shut.frame.blocked, true, JSON.stringify(headers));
  }
});

test("browser: a login at the provider, remembered in a profile", async (t) => {
  const provider = await serve(t, "provider.mjs", { redirect_uris: [CALLBACK] });
  const profile = await folder(t);
  const first = await result("browser.mjs", { url: (await Login.at(provider)).url, profile });
  assert.deepEqual([first.reached, first.pages.length], [true, 2]);
  const second = await result("browser.mjs", { url: (await Login.at(provider)).url, profile });
  assert.deepEqual([second.reached, second.pages.length], [true, 0]);
  const jar = join(profile, "jar.json");
  assert.equal((await visit({ url: (await Login.at(provider)).url, jar })).pages.length, 2);
  assert.equal((await visit({ url: (await Login.at(provider)).url, jar })).pages.length, 0);
});

test("visitor: a visit that stops, and another that goes on, through replicas that take turns", async (t) => {
  const front = await serve(t, "front.mjs");
  const url = `${front.url}/consent?redirect_uri=${encodeURIComponent(CALLBACK)}`;
  assert.equal((await visit({ url })).pages[0].status, 503);
  const replicas = [await consent(t), await consent(t)];
  await post(`${front.url}/__upstreams`, replicas);
  const jar = join(await folder(t), "jar.json");
  const stopped = await visit({ url, decision: null, jar });
  assert.deepEqual([stopped.reached, stopped.final_url], [false, url]);
  const resumed = await visit({ url: stopped.final_url, jar });
  assert.equal(resumed.final_url, `${CALLBACK}?decision=allow`);
  assert.deepEqual(await json(`${front.url}/__log`), { [replicas[0]]: 2, [replicas[1]]: 1 });
});
