// A real OpenID provider, `oidc-provider`, with a login and a consent page and people of our own.
//
// Options, all of them optional:
//   client_id, client_secret   the confidential client, `housekey`; it may use client_secret_basic and _post
//   redirect_uris              what it may redirect to
//   users                      more people, or other claims of the known ones: {"login": {claims}}
//   alg                        RS256, PS256, ES256 or EdDSA
//   consent                    false: nobody is asked for consent here
//   refresh                    "always", "offline_access" (only with that scope), or "never"
//   access_tokens              "jwt" or "opaque", for a resource that is named
//   resources                  the resources that exist; without it, everything at loopback
//   default_resource           for requests that name none
//   default_scope              for authorization requests without one
//   scopes                     scopes beside openid, email, profile and offline_access
//   ttl                        seconds: {access_token, id_token, refresh_token, code, session}
//   path                       of the issuer, "/realms/test"
//   port                       of a provider that is started anew under the same issuer
//
// POST /__clients {redirect_uris, client_id?}  GET /__log
// POST /__rotate[?drop][&alg=]                 a new key signs; with `drop` the old ones are gone
// POST /__revoke?user=                         ends somebody's grants, and so their tokens; and their sessions
// POST /__users {login: {claims} | null}       changes somebody, whose next tokens say so

import { AsyncLocalStorage } from "node:async_hooks";
import { randomBytes } from "node:crypto";
import { exportJWK, generateKeyPair } from "jose";
import { Provider, errors } from "oidc-provider";
import { body, escape, jsonBody, send, serve } from "./program.mjs";

const person = (login, domain, more) => [
  login,
  { email: `${login}@${domain}`, email_verified: true, name: login, hd: domain, groups: [], ...more },
];

const PEOPLE = Object.fromEntries([
  person("alice", "example.com", { groups: ["analysts"] }),
  person("bob", "example.com"),
  person("mallory", "example.com", { email_verified: false }),
  person("eve", "evil.test"),
  person("carol", "example.com", { email: undefined, email_verified: undefined }),
]);

const LOOPBACK = /^https?:\/\/(127\.0\.0\.1|localhost|\[::1\])(:\d+)?(\/|$)/;

const now = () => Math.floor(Date.now() / 1000);

/** All that the provider keeps. It outlives a rebuilt provider, so keys rotate under tokens that stay good. */
class Store {
  static records = new Map();

  constructor(model) {
    this.model = model;
  }

  static *of(model) {
    for (const [key, record] of Store.records) {
      if (key.startsWith(`${model}:`)) yield [key, record];
    }
  }

  async upsert(id, payload, expiresIn) {
    Store.records.set(`${this.model}:${id}`, { payload, expires: expiresIn ? now() + expiresIn : Infinity });
  }

  async find(id) {
    const record = Store.records.get(`${this.model}:${id}`);
    if (record === undefined || record.expires <= now()) return undefined;
    return this.model === "Client" ? asPresented(record.payload) : record.payload;
  }

  async findByUid(uid) {
    for (const [, { payload, expires }] of Store.of(this.model)) {
      if (payload.uid === uid && expires > now()) return payload;
    }
    return undefined;
  }

  async findByUserCode() {
    return undefined;
  }

  async consume(id) {
    const record = Store.records.get(`${this.model}:${id}`);
    if (record) record.payload.consumed = now();
  }

  async destroy(id) {
    Store.records.delete(`${this.model}:${id}`);
  }

  async revokeByGrantId(grantId) {
    for (const [key, { payload }] of Store.records) {
      if (payload.grantId === grantId) Store.records.delete(key);
    }
  }
}

/** Whether the request that is being answered authenticates its client with Basic. */
const presented = new AsyncLocalStorage();

/** The library knows one way per client; most providers take either, so this client is what it presents itself as. */
function asPresented(client) {
  if (!client.either_method) return client;
  const { either_method: _, ...metadata } = client;
  return {
    ...metadata,
    token_endpoint_auth_method: presented.getStore()?.basic ? "client_secret_basic" : "client_secret_post",
  };
}

/** Which endpoints were called how often, and what became of grants; no secrets. */
class Log {
  endpoints = {};
  grants = {};

  count(table, name) {
    table[name] = (table[name] ?? 0) + 1;
  }

  request(method, path) {
    this.count(this.endpoints, `${method} ${path.replace(/^(\/(?:interaction|auth))\/[^/]+/, "$1/*")}`);
  }

  grant(ctx, outcome) {
    const type = ctx.oidc?.params?.grant_type ?? ctx.oidc?.body?.grant_type ?? "unknown";
    this.count(this.grants, `${type} ${outcome}`);
  }
}

const page = (title, content) => `<!doctype html><html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>${escape(title)}</title>
<style>body { font: 16px/1.5 sans-serif; max-width: 28rem; margin: 3rem auto; padding: 0 1rem }
input, button { font: inherit; padding: .4rem .8rem }</style>
<h1>${escape(title)}</h1>${content}</html>`;

const loginPage = (action, failed) =>
  page(
    "Log in to the test provider",
    `${failed ? "<p role=alert>There is nobody of that name.</p>" : ""}<form method="post" action="${escape(action)}">
<input type="hidden" name="prompt" value="login">
<p><label>Name <input name="login" autocomplete="username" required autofocus></label>
<p><label>Password <input name="password" type="password" autocomplete="current-password" required></label>
<p><button name="submit" value="login">Log in</button></form>`,
  );

const consentPage = (action, client, scopes) =>
  page(
    "Share your identity",
    `<p>${escape(client)} asks for: ${escape(scopes.join(", "))}.<form method="post" action="${escape(action)}">
<input type="hidden" name="prompt" value="consent">
<button name="decision" value="allow">Allow</button> <button name="decision" value="deny">Deny</button></form>`,
  );

async function start(options, origin) {
  const path = options.path ?? "";
  const issuer = `${origin}${path}`;
  const people = { ...PEOPLE };
  const log = new Log();
  const cookieKeys = [randomBytes(16).toString("hex")];
  let alg = options.alg ?? "RS256";
  let keys = [];
  let handler;

  const change = (users) => {
    for (const [login, claims] of Object.entries(users ?? {})) {
      if (claims === null) delete people[login];
      else people[login] = { ...people[login], ...claims };
    }
  };
  change(options.users);

  const claimsOf = (login) => {
    const entries = Object.entries(people[login] ?? {});
    return Object.fromEntries(entries.filter(([, value]) => value !== undefined && value !== null));
  };

  const addKey = async (drop) => {
    const { privateKey } = await generateKeyPair(alg, { extractable: true });
    const kid = `key-${randomBytes(6).toString("hex")}`;
    const key = { ...(await exportJWK(privateKey)), kid, use: "sig", alg };
    keys = drop ? [key] : [key, ...keys];
    return keys.map(({ kid }) => kid);
  };

  const clients = new Store("Client");
  const register = async ({ client_id, redirect_uris }) => {
    const id = client_id ?? options.client_id ?? "housekey";
    const known = Store.records.get(`Client:${id}`)?.payload;
    await clients.upsert(id, {
      client_id: id,
      client_secret: options.client_secret ?? `secret-of-${id}-0123456789`,
      client_name: id,
      grant_types: ["authorization_code", "refresh_token"],
      response_types: ["code"],
      ...known,
      redirect_uris: redirect_uris ?? known?.redirect_uris ?? [],
      id_token_signed_response_alg: alg,
      either_method: true,
    });
    return { client_id: id, redirect_uris: redirect_uris ?? [] };
  };

  const granted = (ctx) => {
    const { client, session } = ctx.oidc;
    const grantId = ctx.oidc.result?.consent?.grantId ?? session.grantIdFor(client.clientId);
    if (grantId) return ctx.oidc.provider.Grant.find(grantId);
    return options.consent === false ? grantAll(ctx) : undefined;
  };
  const grantAll = async ({ oidc }) => {
    const grant = new oidc.provider.Grant({ clientId: oidc.client.clientId, accountId: oidc.session.accountId });
    grant.addOIDCScope(String(oidc.params.scope));
    for (const resource of [oidc.params.resource ?? []].flat()) grant.addResourceScope(resource, oidc.params.scope);
    await grant.save();
    return grant;
  };

  const build = () => {
    const scopes = options.scopes ?? ["clickhouse:read"];
    const ttl = { access_token: 3600, id_token: 3600, refresh_token: 86_400, code: 60, session: 3600, ...options.ttl };
    const provider = new Provider(issuer, {
      adapter: Store,
      jwks: { keys },
      scopes: ["openid", "offline_access", "email", "profile", ...scopes],
      claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name", "hd", "groups"] },
      // As Google does: what a scope stands for is in the ID token too.
      conformIdTokenClaims: false,
      clientDefaults: { id_token_signed_response_alg: alg },
      findAccount: (_, sub) => people[sub] && { accountId: sub, claims: () => ({ sub, ...claimsOf(sub) }) },
      extraTokenClaims: (_, token) => (token.accountId ? claimsOf(token.accountId) : undefined),
      loadExistingGrant: granted,
      issueRefreshToken: (_, client, code) =>
        client.grantTypeAllowed("refresh_token") &&
        options.refresh !== "never" &&
        (options.refresh !== "offline_access" || code.scopes.has("offline_access")),
      rotateRefreshToken: true,
      interactions: { url: (_, { uid }) => `${path}/interaction/${uid}` },
      renderError: (ctx, out) => {
        ctx.type = "html";
        ctx.body = page("The test provider refuses", `<p>${escape(out.error)}: ${escape(out.error_description ?? "")}`);
      },
      cookies: { keys: cookieKeys },
      ttl: {
        AccessToken: ttl.access_token,
        AuthorizationCode: ttl.code,
        IdToken: ttl.id_token,
        RefreshToken: ttl.refresh_token,
        Session: ttl.session,
        Grant: Math.max(ttl.refresh_token, ttl.session),
        Interaction: 600,
      },
      features: {
        devInteractions: { enabled: false },
        introspection: { enabled: true },
        registration: { enabled: true },
        revocation: { enabled: true },
        userinfo: { enabled: true },
        resourceIndicators: {
          enabled: true,
          defaultResource: () => options.default_resource,
          useGrantedResource: () => true,
          getResourceServerInfo: (_, resource) => {
            const exists = options.resources ? options.resources.includes(resource) : LOOPBACK.test(resource);
            if (!exists) throw new errors.InvalidTarget();
            const scope = ["openid", "email", "profile", ...scopes].join(" ");
            const common = { scope, audience: resource, accessTokenTTL: ttl.access_token };
            if (options.access_tokens === "opaque") return { ...common, accessTokenFormat: "opaque" };
            return { ...common, accessTokenFormat: "jwt", jwt: { sign: { alg } } };
          },
        },
      },
    });
    provider.on("grant.success", (ctx) => log.grant(ctx, "ok"));
    provider.on("grant.error", (ctx, error) => log.grant(ctx, error.error ?? error.message));
    provider.on("server_error", (_, error) => process.stderr.write(`${error.stack}\n`));
    const callback = provider.callback();
    handler = (request, response, url) =>
      url.pathname.startsWith("/interaction/")
        ? interact(provider, request, response, url)
        : callback(request, response);
  };

  const interact = async (provider, request, response, url) => {
    let details;
    try {
      details = await provider.interactionDetails(request, response);
    } catch {
      return send(response, 400, page("The test provider refuses", "<p>This login is over, or another browser's."));
    }
    const { prompt, params, grantId, session } = details;
    const action = `${path}${url.pathname}`;
    const client = await provider.Client.find(params.client_id);
    const ask = (failed) =>
      prompt.name === "login"
        ? loginPage(action, failed)
        : consentPage(action, client?.clientName ?? params.client_id, String(params.scope).split(" "));
    if (request.method !== "POST") return send(response, 200, ask(false));
    const form = new URLSearchParams(await body(request));
    let result;
    if (form.get("decision") === "deny") {
      result = { error: "access_denied", error_description: "the person said no" };
    } else if (prompt.name === "login") {
      const login = form.get("login");
      if (!Object.hasOwn(people, login) || !form.get("password")) return send(response, 400, ask(true));
      result = { login: { accountId: login } };
    } else {
      const Grant = provider.Grant;
      const grant = grantId
        ? await Grant.find(grantId)
        : new Grant({ accountId: session.accountId, clientId: params.client_id });
      const { missingOIDCScope, missingOIDCClaims, missingResourceScopes } = prompt.details;
      if (missingOIDCScope) grant.addOIDCScope(missingOIDCScope.join(" "));
      if (missingOIDCClaims) grant.addOIDCClaims(missingOIDCClaims);
      for (const [resource, scopes] of Object.entries(missingResourceScopes ?? {})) {
        grant.addResourceScope(resource, scopes.join(" "));
      }
      result = { consent: { grantId: await grant.save() } };
    }
    return provider.interactionFinished(request, response, result, { mergeWithLastSubmission: true });
  };

  const revoke = async (login) => {
    let revoked = 0;
    for (const [key, { payload }] of [...Store.of("Grant")]) {
      if (payload.accountId !== login) continue;
      Store.records.delete(key);
      await new Store("AccessToken").revokeByGrantId(payload.jti);
      revoked += 1;
    }
    for (const [key, { payload }] of [...Store.of("Session")]) {
      if (payload.accountId === login) Store.records.delete(key);
    }
    return { revoked };
  };

  const control = {
    "GET /__log": () => ({ endpoints: log.endpoints, grants: log.grants }),
    "POST /__clients": async (_, request) => register(await jsonBody(request)),
    "POST /__users": async (_, request) => (change(await jsonBody(request)), { users: Object.keys(people) }),
    "POST /__revoke": ({ searchParams }) => revoke(searchParams.get("user")),
    "POST /__rotate": async ({ searchParams }) => {
      alg = searchParams.get("alg") ?? alg;
      const keys = await addKey(searchParams.has("drop"));
      await register({});
      build();
      return { keys };
    },
  };

  await addKey(true);
  const { client_id } = await register({ redirect_uris: options.redirect_uris });
  build();
  const { client_secret } = Store.records.get(`Client:${client_id}`).payload;

  return {
    ready: { issuer, client_id, client_secret, users: Object.keys(people) },
    handler: async (request, response) => {
      const url = new URL(request.url, origin);
      const command = control[`${request.method} ${url.pathname}`];
      if (command) return send(response, 200, await command(url, request));
      if (!url.pathname.startsWith(`${path}/`)) return send(response, 404, { error: "not_found" });
      // The library sees itself mounted when both forms of the URL are there.
      request.originalUrl = request.url;
      url.pathname = url.pathname.slice(path.length);
      log.request(request.method, url.pathname);
      if (url.pathname === "/auth" && options.default_scope && !url.searchParams.has("scope")) {
        url.searchParams.set("scope", options.default_scope);
        request.originalUrl = `${path}${url.pathname}${url.search}`;
      }
      request.url = `${url.pathname}${url.search}`;
      const basic = /^basic /i.test(request.headers.authorization ?? "");
      return presented.run({ basic }, () => handler(request, response, url));
    },
  };
}

await serve(start);
