// The identity providers, good and broken, and what stands in for a ClickHouse that validates their tokens.

import assert from "node:assert/strict";
import { test } from "node:test";
import { jwtVerify } from "jose";
import { CALLBACK, Login, here, json, post, serve } from "./self.mjs";
import { visit } from "./visitor.mjs";

for (const alg of ["RS256", "ES256", "PS256", "EdDSA"]) {
  test(`provider: a code flow with ${alg}, both client authentications`, async (t) => {
    const provider = await serve(t, "provider.mjs", { alg, redirect_uris: [CALLBACK] });
    for (const basic of [true, false]) {
      const login = await Login.at(provider);
      const tokens = await login.whole("alice", {}, basic);
      assert.equal(tokens.status, 200, JSON.stringify(tokens));
      const { payload, protectedHeader } = await login.verify(tokens.id_token, { algorithms: [alg] });
      assert.equal(protectedHeader.alg, alg);
      assert.equal(payload.nonce, login.nonce);
      assert.deepEqual(
        [payload.sub, payload.email, payload.email_verified, payload.hd, payload.groups],
        ["alice", "alice@example.com", true, "example.com", ["analysts"]],
      );
      const info = await json(login.metadata.userinfo_endpoint, {
        headers: { authorization: `Bearer ${tokens.access_token}` },
      });
      assert.equal(info.email, "alice@example.com");
    }
    const { endpoints, grants } = await json(`${provider.url}/__log`);
    assert.equal(endpoints["POST /token"], 2);
    assert.deepEqual(grants, { "authorization_code ok": 2 });
  });
}

test("provider: redirect URIs are set later, and the issuer has a path", async (t) => {
  const provider = await serve(t, "provider.mjs", { path: "/realms/test" });
  assert.ok(provider.issuer.endsWith("/realms/test"));
  const login = await Login.at(provider);
  const early = await visit({ url: login.url });
  assert.equal(early.reached, false);
  await post(`${provider.url}/__clients`, { redirect_uris: [CALLBACK] });
  assert.equal((await login.whole()).status, 200);
});

test("provider: people", async (t) => {
  const provider = await serve(t, "provider.mjs", {
    redirect_uris: [CALLBACK],
    users: { zoe: { email: "zoe@example.com" } },
  });
  const claims = async (name) => {
    const login = await Login.at(provider);
    return (await login.verify((await login.whole(name)).id_token)).payload;
  };
  assert.equal((await claims("mallory")).email_verified, false);
  assert.equal((await claims("eve")).email, "eve@evil.test");
  assert.equal("email" in (await claims("carol")), false);
  assert.equal((await claims("zoe")).email, "zoe@example.com");
  await post(`${provider.url}/__users`, { zoe: { email_verified: false } });
  assert.equal((await claims("zoe")).email_verified, false);
  const nobody = await visit({ url: (await Login.at(provider)).url, login: "nobody" });
  assert.equal(nobody.reached, false);
  const denied = await visit({ url: (await Login.at(provider)).url, idp_decision: "deny" });
  assert.equal(new URL(denied.final_url).searchParams.get("error"), "access_denied");
});

test("provider: refresh tokens rotate and are revoked", async (t) => {
  const provider = await serve(t, "provider.mjs", { redirect_uris: [CALLBACK], ttl: { id_token: 5 } });
  const login = await Login.at(provider);
  const first = await login.whole();
  const refresh = (refresh_token) => login.token({ grant_type: "refresh_token", refresh_token });
  const second = await refresh(first.refresh_token);
  assert.equal(second.status, 200);
  assert.notEqual(second.refresh_token, first.refresh_token);
  const { payload } = await login.verify(second.id_token);
  assert.equal(payload.exp - payload.iat, 5);
  assert.deepEqual(await post(`${provider.url}/__revoke?user=alice`), { revoked: 1 });
  assert.equal((await refresh(second.refresh_token)).error, "invalid_grant");
  const again = await Login.at(provider);
  const fresh = await again.whole();
  await refresh(fresh.refresh_token);
  assert.equal((await refresh(fresh.refresh_token)).error, "invalid_grant", "a replay");
});

test("provider: keys rotate", async (t) => {
  const provider = await serve(t, "provider.mjs", { redirect_uris: [CALLBACK] });
  const login = await Login.at(provider);
  const old = await login.whole();
  assert.equal((await post(`${provider.url}/__rotate`)).keys.length, 2);
  await login.verify(old.id_token);
  const next = await Login.at(provider);
  const tokens = await next.whole();
  await next.verify(tokens.id_token);
  assert.equal((await post(`${provider.url}/__rotate?drop&alg=ES256`)).keys.length, 1);
  await assert.rejects(login.verify(tokens.id_token), { code: "ERR_JWKS_NO_MATCHING_KEY" });
  const last = await Login.at(provider);
  assert.equal((await last.verify((await last.whole()).id_token)).protectedHeader.alg, "ES256");
  assert.equal((await login.token({ grant_type: "refresh_token", refresh_token: old.refresh_token })).status, 200);
});

test("provider: tokens for a resource", async (t) => {
  const resource = "http://127.0.0.1:1/mcp";
  const jwt = await serve(t, "provider.mjs", { redirect_uris: [CALLBACK], resources: [resource], consent: false });
  const login = await Login.at(jwt, { resource });
  const { access_token } = await login.whole("alice", { resource });
  const { payload } = await login.verify(access_token, { audience: resource, typ: "at+jwt" });
  assert.equal(payload.email, "alice@example.com");
  const foreign = await visit({ url: (await Login.at(jwt, { resource: "https://evil.test/" })).url });
  assert.equal(new URL(foreign.final_url).searchParams.get("error"), "invalid_target");

  const opaque = await serve(t, "provider.mjs", { redirect_uris: [CALLBACK], access_tokens: "opaque" });
  const other = await Login.at(opaque, { resource });
  const tokens = await other.whole("alice", { resource });
  const body = new URLSearchParams({
    token: tokens.access_token,
    client_id: opaque.client_id,
    client_secret: opaque.client_secret,
  });
  const seen = await json(other.metadata.introspection_endpoint, { method: "POST", body });
  assert.deepEqual([seen.active, seen.aud, seen.email], [true, resource, "alice@example.com"]);
});

/** Whether somebody who checks everything takes an ID token. */
async function isGood(login, token) {
  const { payload } = await login.verify(token, { algorithms: ["RS256"], requiredClaims: ["exp", "iat", "sub"] });
  const now = Date.now() / 1000;
  assert.equal(payload.nonce, login.nonce);
  assert.ok(payload.iat < now + 60);
  assert.ok(payload.exp < now + 1e6);
  assert.ok(typeof payload.sub === "string" && payload.sub !== "");
  if (payload.azp !== undefined || Array.isArray(payload.aud))
    assert.equal(payload.azp ?? payload.aud[0], login.provider.client_id);
  if (Array.isArray(payload.aud)) assert.equal(payload.aud.length, 1);
}

/** Faults that leave an ID token good: what is wrong is who it names, or nothing. */
const HARMLESS = /^(none|claims|missing_kid|email_.*|wrong_domain|hd_.*)$/;

test("broken provider: every fault of a token is one, and only once", async (t) => {
  const provider = await serve(t, "broken-provider.mjs");
  const faults = await json(`${provider.url}/__faults`);
  const flows = Object.keys(faults).filter((name) => faults[name] === "flow");
  assert.ok(flows.length > 60);
  const login = await Login.at(provider);
  const once = async () => {
    const { final_url } = await visit({ url: login.url });
    return login.exchange(new URL(final_url).searchParams.get("code"));
  };
  for (const fault of flows) {
    await post(`${provider.url}/__next`, { fault, claims: { email: "x@example.com" } });
    const { id_token } = await once();
    // A doubled claim is wrong only for whom it confuses.
    if (HARMLESS.test(fault) || fault === "doubled_claim") await isGood(login, id_token);
    else await assert.rejects(isGood(login, id_token), undefined, fault);
  }
  await isGood(login, (await once()).id_token);
  const { codes } = await json(`${provider.url}/__log`);
  assert.deepEqual(codes, Array(flows.length + 1).fill(1));
});

test("broken provider: what is signed as a secret with a public key", async (t) => {
  const provider = await serve(t, "broken-provider.mjs");
  const { keys } = await json(`${provider.url}/jwks`);
  const key = Buffer.from(keys[0].n, "base64url");
  const { token } = await post(`${provider.url}/__mint`, { fault: "hs256_modulus" });
  const { payload, protectedHeader } = await jwtVerify(token, key, { algorithms: ["HS256"] });
  assert.deepEqual([payload.email, protectedHeader.kid], ["alice@example.com", keys[0].kid]);
});

test("broken provider: minted access tokens", async (t) => {
  const provider = await serve(t, "broken-provider.mjs");
  const login = await Login.at(provider);
  const { token } = await post(`${provider.url}/__mint`, { claims: { aud: "x", hd: null } });
  const { payload } = await login.verify(token, { audience: "x", typ: "at+jwt" });
  assert.equal("hd" in payload, false);
  const bad = await post(`${provider.url}/__mint`, { fault: "expired", claims: { aud: "x" } });
  await assert.rejects(login.verify(bad.token, { audience: "x" }), { code: "ERR_JWT_EXPIRED" });
  assert.match((await post(`${provider.url}/__mint`, { fault: "token_500" })).error, /not a fault of a token/);
  assert.match((await post(`${provider.url}/__next`, { fault: "nonsense" })).error, /no fault/);
});

test("broken provider: callbacks", async (t) => {
  const provider = await serve(t, "broken-provider.mjs");
  const login = await Login.at(provider);
  const back = async (fault) => {
    await post(`${provider.url}/__next`, { fault });
    return new URL((await visit({ url: login.url })).final_url).searchParams;
  };
  assert.equal((await back("foreign_callback_iss")).get("iss"), "https://evil.test");
  assert.equal((await back("access_denied")).get("error"), "access_denied");
  assert.equal((await back("doubled_code")).getAll("code").length, 2);
  assert.notEqual((await back("wrong_state")).get("state"), login.state);
});

test("broken provider: answers, refreshes and the userinfo endpoint", async (t) => {
  const provider = await serve(t, "broken-provider.mjs");
  const login = await Login.at(provider);
  const code = async () => new URL((await visit({ url: login.url })).final_url).searchParams.get("code");
  const next = (fault, more) => post(`${provider.url}/__next`, { fault, ...more });
  await next("token_500");
  const used = await code();
  assert.equal((await login.exchange(used)).status, 500);
  assert.equal((await login.exchange(used)).error, "invalid_grant", "it was used all the same");
  await next("token_redirect", { to: "http://127.0.0.1:1/" });
  const redirected = await fetch(login.metadata.token_endpoint, { method: "POST", redirect: "manual" });
  assert.deepEqual([redirected.status, redirected.headers.get("location")], [307, "http://127.0.0.1:1/"]);
  await next("token_huge");
  assert.ok(
    (await (await fetch(login.metadata.token_endpoint, { method: "POST" })).arrayBuffer()).byteLength > 60 << 20,
  );
  await next("token_slow", { milliseconds: 100 });
  await assert.rejects(fetch(login.metadata.token_endpoint, { method: "POST" }));
  await next("token_trickle");
  const trickle = await fetch(login.metadata.token_endpoint, { method: "POST" });
  await trickle.body.cancel();
  await next("no_id_token");
  const tokens = await login.exchange(await code());
  assert.equal("id_token" in tokens, false);
  const userinfo = () =>
    json(login.metadata.userinfo_endpoint, { headers: { authorization: `Bearer ${tokens.access_token}` } });
  assert.equal((await userinfo()).sub, "alice");
  await next("userinfo_other_sub");
  assert.equal((await userinfo()).sub, "somebody-else");
  await next("email_unverified", { at: "refresh" });
  const refreshed = await login.token({ grant_type: "refresh_token", refresh_token: tokens.refresh_token });
  assert.equal((await login.verify(refreshed.id_token)).payload.email_verified, false);
  await post(`${provider.url}/__always`, { fault: "discovery_foreign_issuer" });
  assert.equal((await json(`${provider.issuer}/.well-known/openid-configuration`)).issuer, "https://evil.test");
  await post(`${provider.url}/__always`, {});
  assert.equal((await json(`${provider.issuer}/.well-known/openid-configuration`)).issuer, provider.issuer);
  const { codes, problems } = await json(`${provider.url}/__log`);
  assert.equal(codes[0], 2);
  assert.ok(problems.includes("a second use"));
});

test("token processor: who gets through", async (t) => {
  const provider = await serve(t, "broken-provider.mjs");
  const seen = [];
  const clickhouse = await here(t, (request, response) => {
    seen.push(request.headers);
    request.pipe(response);
  });
  const users = { "alice@example.com": { user: "alice", password: "hers" } };
  const common = { clickhouse, issuer: provider.issuer, audience: "clickhouse", users };
  const proxy = await serve(t, "token-processor.mjs", common);
  const mint = async (more = {}) =>
    (await post(`${provider.url}/__mint`, { ...more, claims: { aud: "clickhouse", ...more.claims } })).token;
  const ask = async (headers, at = proxy.url, query = "") =>
    fetch(`${at}/?database=default${query}`, { method: "POST", body: "SELECT 1", headers });
  const good = `Bearer ${await mint()}`;
  const answer = await ask({ authorization: good, "x-clickhouse-format": "JSON" });
  assert.deepEqual([answer.status, await answer.text()], [200, "SELECT 1"]);
  assert.equal(seen[0]["x-clickhouse-user"], "alice");
  assert.equal(seen[0]["x-clickhouse-key"], "hers");
  assert.equal(seen[0]["x-clickhouse-format"], "JSON");
  assert.equal("authorization" in seen[0], false);
  const refusals = [
    [401, {}],
    [401, { authorization: "Bearer rubbish" }],
    [403, { authorization: "Basic YTpi" }],
    [403, { authorization: good, "x-clickhouse-user": "admin" }],
    [403, { authorization: good, "x-clickhouse-key": "" }],
    [403, { authorization: good }, "&user=admin"],
    [403, { authorization: `Bearer ${await mint({ claims: { email: "bob@example.com" } })}` }],
  ];
  for (const fault of ["expired", "wrong_iss", "alg_none", "hs256_pem", "other_key", "missing_exp", "unknown_kid"]) {
    refusals.push([401, { authorization: `Bearer ${await mint({ fault })}` }]);
  }
  refusals.push([401, { authorization: `Bearer ${await mint({ claims: { aud: "elsewhere" } })}` }]);
  for (const [status, headers, query] of refusals) assert.equal((await ask(headers, proxy.url, query)).status, status);
  assert.equal(seen.length, 1, "nothing else has come through");
  const { outcomes, requests } = await json(`${proxy.url}/__log`);
  assert.equal(outcomes.passed, 1);
  assert.equal(requests.length, refusals.length + 1);
  const bare = await serve(t, "token-processor.mjs", { ...common, header: "X-Token" });
  assert.equal((await ask({ "x-token": await mint() }, bare.url)).status, 200);
  assert.equal((await ask({ authorization: good }, bare.url)).status, 403);
});
