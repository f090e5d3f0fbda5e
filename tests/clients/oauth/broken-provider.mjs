// An OpenID provider that approves everything and errs when told to. It is our own on purpose: what the library behind
// `provider.mjs` would never send is what this is for.
//
// Options: client_id ("housekey"), client_secret, alg ("RS256"), claims (of the person), fault (from the start), port.
//
// POST /__next {fault, times?, ...}    the next `times` (1) occasions of that fault go wrong
// POST /__always {fault, ...} | {}     every occasion does, or none
// POST /__mint {fault?, claims?, kind?: "id" | "access", lifetime?}   -> {token}, signed by this provider
// GET /__log                           -> {endpoints, codes: [token requests of each code], refreshes: [...],
//                                          authorize: {pkce, nonce, state}, problems}
// GET /__faults                        -> {name: where it happens}
//
// A fault of a flow is decided when the flow begins, or with {"at": "refresh"} when a refresh token is used; one of
// the token endpoint meets codes and refresh tokens, or with {"at": "code"} or {"at": "refresh"} only one of them.

import { createHash, createPublicKey, randomBytes, timingSafeEqual } from "node:crypto";
import { exportJWK, exportSPKI, generateKeyPair } from "jose";
import { CALLBACKS, CLAIMS, Faults, PLACES, Refusal, SIGNATURES, TOKENS, answers, placeOf } from "./faults.mjs";
import { body, jsonBody, send, serve } from "./program.mjs";

const now = () => Math.floor(Date.now() / 1000);
const fresh = () => randomBytes(24).toString("base64url");

async function makeKey(alg, kid) {
  const pair = await generateKeyPair(alg, { extractable: true });
  const jwk = await exportJWK(pair.publicKey);
  const pem = await exportSPKI(pair.publicKey);
  const der = createPublicKey(pem).export({ type: "spki", format: "der" });
  return { ...pair, jwk, pem, der, published: { ...jwk, kid, use: "sig", alg } };
}

const same = (left, right) => {
  const [a, b] = [left, right].map((text) => createHash("sha256").update(String(text)).digest());
  return timingSafeEqual(a, b);
};

async function start(options, url) {
  const alg = options.alg ?? "RS256";
  const provider = {
    url,
    issuer: url,
    client_id: options.client_id ?? "housekey",
    client_secret: options.client_secret ?? "secret-of-housekey-0123456789",
    header: { alg, kid: "broken-1", typ: "JWT" },
    key: await makeKey(alg, "broken-1"),
    other: await makeKey(alg, "of-another"),
  };
  const identity = {
    sub: "alice",
    email: "alice@example.com",
    email_verified: true,
    name: "Alice",
    hd: "example.com",
    groups: ["analysts"],
    ...options.claims,
  };
  const faults = new Faults();
  if (options.fault !== undefined) faults.always({ fault: options.fault, ...options });

  const codes = new Map();
  const refreshes = new Map();
  const accesses = new Map();
  const log = { endpoints: {}, authorize: { pkce: 0, nonce: 0, state: 0 }, problems: [] };
  const problem = (text) => void log.problems.push(text);

  const mint = (claims, fault) => {
    const name = fault?.name;
    if (name !== undefined && Object.hasOwn(CLAIMS, name)) {
      claims = { ...claims, ...CLAIMS[name](claims, provider, fault) };
    }
    const sign = SIGNATURES[Object.hasOwn(SIGNATURES, name ?? "") ? name : "none"];
    return sign(claims, { ...provider.header, ...fault?.header }, provider);
  };

  const claimsOf = (audience, lifetime) => ({
    iss: provider.issuer,
    aud: audience,
    iat: now(),
    exp: now() + lifetime,
    ...identity,
  });

  const documents = () => ({
    issuer: provider.issuer,
    authorization_endpoint: `${url}/authorize`,
    token_endpoint: `${url}/token`,
    userinfo_endpoint: `${url}/userinfo`,
    jwks_uri: `${url}/jwks`,
    response_types_supported: ["code"],
    grant_types_supported: ["authorization_code", "refresh_token"],
    subject_types_supported: ["public"],
    id_token_signing_alg_values_supported: [alg],
    token_endpoint_auth_methods_supported: ["client_secret_basic", "client_secret_post"],
    code_challenge_methods_supported: ["S256"],
    authorization_response_iss_parameter_supported: true,
    scopes_supported: ["openid", "email", "profile"],
  });

  /** Answers with a document, unless this occasion's fault is the whole answer. */
  const answer = (response, place, document, fault = faults.take(place)) => {
    const make = fault && PLACES[place][fault.name];
    if (make && Object.hasOwn(answers(place), fault.name)) return make(response, fault, provider);
    return send(response, 200, make ? make(document, fault, provider) : document);
  };

  const authorize = ({ searchParams: asked }, response) => {
    for (const [name, parameter] of [
      ["pkce", "code_challenge"],
      ["nonce", "nonce"],
      ["state", "state"],
    ]) {
      if (asked.get(parameter)) log.authorize[name] += 1;
    }
    if (asked.get("client_id") !== provider.client_id) return send(response, 400, { error: "unauthorized_client" });
    if (asked.getAll("state").length > 1) problem("two states at the authorization endpoint");
    const code = fresh();
    codes.set(code, {
      uses: 0,
      fault: faults.take("flow", "authorize"),
      nonce: asked.get("nonce") ?? undefined,
      challenge: asked.get("code_challenge"),
      redirect_uri: asked.get("redirect_uri"),
      scope: asked.get("scope"),
    });
    const callback = new URL(asked.get("redirect_uri"));
    const query = callback.searchParams;
    query.set("code", code);
    if (asked.has("state")) query.set("state", asked.get("state"));
    query.set("iss", provider.issuer);
    const fault = faults.take("authorize");
    if (fault) CALLBACKS[fault.name](query, fault);
    return response.writeHead(302, { location: callback.href, "cache-control": "no-store" }).end();
  };

  const credentials = (request, form) => {
    const [, basic] = /^basic (.+)$/i.exec(request.headers.authorization ?? "") ?? [];
    if (basic && form.has("client_secret")) problem("two client authentications at the token endpoint");
    if (!basic) return [form.get("client_id"), form.get("client_secret")];
    const [id, ...secret] = Buffer.from(basic, "base64").toString().split(":");
    return [decodeURIComponent(id), decodeURIComponent(secret.join(":"))];
  };

  const token = async (request, response) => {
    const form = new URLSearchParams(await body(request));
    const refresh = form.get("grant_type") === "refresh_token";
    const known = refresh ? refreshes.get(form.get("refresh_token")) : codes.get(form.get("code"));
    if (known) known.uses += 1;
    const fault = faults.take("token", refresh ? "refresh" : "code");
    if (fault && !Object.hasOwn(TOKENS, fault.name)) return PLACES.token[fault.name](response, fault, provider);
    const refuse = (error, why) => {
      problem(why);
      return send(response, error === "invalid_client" ? 401 : 400, { error, error_description: why });
    };
    const [id, secret] = credentials(request, form);
    if (!same(id, provider.client_id) || !same(secret, provider.client_secret)) {
      return refuse("invalid_client", "wrong client credentials");
    }
    if (!known) return refuse("invalid_grant", "an unknown code or refresh token");
    if (known.uses > 1) return refuse("invalid_grant", "a second use");
    if (!refresh) {
      if (form.get("redirect_uri") !== known.redirect_uri) return refuse("invalid_grant", "another redirect_uri");
      const digest = createHash("sha256")
        .update(form.get("code_verifier") ?? "")
        .digest("base64url");
      if (known.challenge && digest !== known.challenge) return refuse("invalid_grant", "a wrong code_verifier");
    }
    const flow = refresh ? faults.take("flow", "refresh") : known.fault;
    const claims = { ...claimsOf(provider.client_id, 3600), nonce: known.nonce };
    const access_token = fresh();
    const refresh_token = fresh();
    accesses.set(access_token, { ...identity, ...onlyClaims(claims, flow) });
    refreshes.set(refresh_token, { uses: 0, nonce: undefined, scope: known.scope });
    const tokens = {
      access_token,
      token_type: "Bearer",
      expires_in: 3600,
      scope: known.scope ?? undefined,
      refresh_token,
      id_token: await mint(claims, flow),
    };
    return send(response, 200, fault ? TOKENS[fault.name](tokens) : tokens);
  };

  /** What a fault says of the person it says at the userinfo endpoint as well. */
  const onlyClaims = (claims, fault) => {
    const changes = fault && Object.hasOwn(CLAIMS, fault.name) ? CLAIMS[fault.name](claims, provider, fault) : {};
    return Object.fromEntries(Object.entries(changes).filter(([name]) => Object.hasOwn(identity, name)));
  };

  const userinfo = (request, response) => {
    const [, bearer] = /^bearer (.+)$/i.exec(request.headers.authorization ?? "") ?? [];
    const person = accesses.get(bearer);
    if (!person) return send(response, 401, { error: "invalid_token" });
    return answer(response, "userinfo", person);
  };

  const minted = async (request) => {
    const { fault, claims, kind = "access", lifetime = 3600 } = await jsonBody(request);
    const header = kind === "access" ? { typ: "at+jwt" } : {};
    const all = { ...claimsOf(provider.client_id, lifetime), ...claims };
    for (const [name, value] of Object.entries(all)) if (value === null) delete all[name];
    if (fault !== undefined && placeOf(fault) !== "flow") throw new Refusal(`${fault} is not a fault of a token`);
    return { token: await mint(all, { name: fault, header, claims }) };
  };

  const uses = (table) => [...table.values()].map(({ uses }) => uses);
  const control = {
    "GET /__log": () => ({ ...log, codes: uses(codes), refreshes: uses(refreshes) }),
    "GET /__faults": () =>
      Object.fromEntries(
        Object.entries(PLACES).flatMap(([place, faults]) => Object.keys(faults).map((name) => [name, place])),
      ),
    "POST /__next": async (request) => (faults.next(await jsonBody(request)), {}),
    "POST /__always": async (request) => (faults.always(await jsonBody(request)), {}),
    "POST /__mint": minted,
  };

  return {
    ready: { issuer: provider.issuer, client_id: provider.client_id, client_secret: provider.client_secret },
    handler: async (request, response) => {
      const at = new URL(request.url, url);
      const name = `${request.method} ${at.pathname}`;
      if (control[name]) {
        try {
          return send(response, 200, await control[name](request));
        } catch (error) {
          if (error instanceof Refusal) return send(response, 400, { error: error.message });
          throw error;
        }
      }
      log.endpoints[name] = (log.endpoints[name] ?? 0) + 1;
      switch (name) {
        case "GET /.well-known/openid-configuration":
        case "GET /.well-known/oauth-authorization-server":
          return answer(response, "discovery", documents());
        case "GET /jwks":
          return answer(response, "jwks", { keys: [provider.key.published] });
        case "GET /jwks-of-another":
          return send(response, 200, { keys: [provider.other.published] });
        case "GET /authorize":
          return authorize(at, response);
        case "POST /token":
          return token(request, response);
        case "GET /userinfo":
        case "POST /userinfo":
          return userinfo(request, response);
        default:
          return send(response, 404, { error: "not_found" });
      }
    },
  };
}

await serve(start);
