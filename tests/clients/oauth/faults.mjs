// What can go wrong at `broken-provider.mjs`, by the place where it happens, and on which occasion it does.

import { createHash, randomBytes } from "node:crypto";
import { CompactSign, EncryptJWT, SignJWT, base64url, exportJWK } from "jose";
import { send } from "./program.mjs";

const now = () => Math.floor(Date.now() / 1000);
const bytes = (text) => new TextEncoder().encode(text);
const fresh = () => randomBytes(24).toString("base64url");
const encoded = (value) => base64url.encode(JSON.stringify(value));
const HUGE = 64 << 20;

/** Faults that are other claims: (claims, provider, fault) => changes, where undefined takes a claim away. */
export const CLAIMS = {
  claims: (_, __, fault) => Object.fromEntries(Object.entries(fault.claims).map(([k, v]) => [k, v ?? undefined])),
  wrong_aud: () => ({ aud: "somebody-else" }),
  aud_among_others: ({ aud }) => ({ aud: [aud, "somebody-else"] }),
  aud_among_others_foreign_azp: ({ aud }) => ({ aud: [aud, "somebody-else"], azp: "somebody-else" }),
  aud_prefix: ({ aud }) => ({ aud: `${aud}-2` }),
  empty_aud: () => ({ aud: [] }),
  missing_aud: () => ({ aud: undefined }),
  wrong_iss: () => ({ iss: "https://evil.test" }),
  iss_with_slash: ({ iss }) => ({ iss: `${iss}/` }),
  missing_iss: () => ({ iss: undefined }),
  expired: () => ({ iat: now() - 7200, exp: now() - 3600 }),
  missing_exp: () => ({ exp: undefined }),
  exp_text: () => ({ exp: String(now() + 3600) }),
  exp_infinite: () => ({ exp: 1e300 }),
  not_yet_valid: () => ({ nbf: now() + 3600 }),
  issued_in_future: () => ({ iat: now() + 3600, exp: now() + 7200 }),
  wrong_nonce: () => ({ nonce: "of-another-login" }),
  missing_nonce: () => ({ nonce: undefined }),
  foreign_azp: () => ({ azp: "somebody-else" }),
  missing_sub: () => ({ sub: undefined }),
  empty_sub: () => ({ sub: "" }),
  number_sub: () => ({ sub: 42 }),
  email_unverified: () => ({ email_verified: false }),
  email_verified_absent: () => ({ email_verified: undefined }),
  email_verified_text: () => ({ email_verified: "true" }),
  email_verified_text_false: () => ({ email_verified: "false" }),
  email_verified_one: () => ({ email_verified: 1 }),
  email_absent: () => ({ email: undefined }),
  email_null: () => ({ email: null }),
  email_list: ({ email }) => ({ email: [email] }),
  email_odd_case: () => ({ email: "Alice@EXAMPLE.com" }),
  email_spaces: ({ email }) => ({ email: ` ${email}\t` }),
  email_newline: ({ email }) => ({ email: `${email}\nx-injected: 1` }),
  // A Cyrillic letter in the name, a full-width dot and a dotless letter in the domain.
  email_homoglyph: () => ({ email: "\u0430lice@example.com" }),
  email_unicode_domain: () => ({ email: "alice@example\uff0ecom" }),
  email_dotless: () => ({ email: "al\u0131ce@example.com" }),
  email_decomposed: () => ({ email: "zoe\u0308@example.com" }),
  email_two_ats: () => ({ email: "alice@evil.test@example.com" }),
  email_quoted_at: () => ({ email: '"alice@evil.test"@example.com' }),
  email_subdomain: () => ({ email: "alice@sub.example.com" }),
  email_suffix_domain: () => ({ email: "alice@notexample.com" }),
  email_prefix_domain: () => ({ email: "alice@example.com.evil.test" }),
  email_no_local_part: () => ({ email: "@example.com" }),
  email_no_domain: () => ({ email: "alice" }),
  email_backtick: () => ({ email: "al`ice@example.com" }),
  email_huge: () => ({ email: `${"a".repeat(100_000)}@example.com` }),
  wrong_domain: () => ({ email: "eve@evil.test", hd: "evil.test", sub: "eve" }),
  hd_absent: () => ({ hd: undefined }),
  hd_foreign: () => ({ hd: "evil.test" }),
  hd_odd_case: () => ({ hd: "EXAMPLE.com" }),
  hd_list: ({ hd }) => ({ hd: [hd] }),
};

const signed = (claims, header, key) => new SignJWT(claims).setProtectedHeader(header).sign(key);

/** Faults that are other signatures or forms: (claims, header, provider) => token. */
export const SIGNATURES = {
  unknown_kid: (claims, header, { key }) => signed(claims, { ...header, kid: "unheard-of" }, key.privateKey),
  // Its key is not among the published ones either.
  unknown_key: (claims, header, { other }) => signed(claims, { ...header, kid: "of-another" }, other.privateKey),
  missing_kid: (claims, { kid: _, ...header }, { key }) => signed(claims, header, key.privateKey),
  other_key: (claims, header, { other }) => signed(claims, header, other.privateKey),
  other_key_without_kid: (claims, { kid: _, ...header }, { other }) => signed(claims, header, other.privateKey),
  alg_none: (claims) => `${encoded({ alg: "none", typ: "JWT" })}.${encoded(claims)}.`,
  alg_none_with_kid: (claims, { kid }) => `${encoded({ alg: "none", kid })}.${encoded(claims)}.`,
  alg_none_odd_case: (claims, { kid }) => `${encoded({ alg: "nOnE", kid })}.${encoded(claims)}.`,
  hs256_pem: (claims, header, { key }) => hmac(claims, header, key.pem),
  hs256_pem_trimmed: (claims, header, { key }) => hmac(claims, header, key.pem.trim()),
  hs256_der: (claims, header, { key }) => hmac(claims, header, key.der),
  hs256_modulus: (claims, header, { key }) => hmac(claims, header, base64url.decode(key.jwk.n ?? key.jwk.x)),
  hs256_modulus_text: (claims, header, { key }) => hmac(claims, header, key.jwk.n ?? key.jwk.x),
  hs256_jwk: (claims, header, { key }) => hmac(claims, header, JSON.stringify(key.published)),
  hs256_client_secret: (claims, header, { client_secret }) => hmac(claims, header, client_secret),
  alg_mislabelled: async (claims, header, provider) => {
    const [, payload, signature] = (await SIGNATURES.none(claims, header, provider)).split(".");
    return `${encoded({ ...header, alg: "PS256" })}.${payload}.${signature}`;
  },
  embedded_jwk: async (claims, { kid: _, ...header }, { other }) =>
    signed(claims, { ...header, jwk: await exportJWK(other.publicKey) }, other.privateKey),
  embedded_jku: (claims, header, { other, url }) =>
    signed(claims, { ...header, kid: "of-another", jku: `${url}/jwks-of-another` }, other.privateKey),
  unknown_crit: (claims, header, { key }) =>
    new SignJWT(claims)
      .setProtectedHeader({ ...header, crit: ["urn:x"], "urn:x": 1 })
      .sign(key.privateKey, { crit: { "urn:x": true } }),
  tampered: async (claims, header, provider) => {
    const [head, , signature] = (await SIGNATURES.none(claims, header, provider)).split(".");
    return `${head}.${encoded({ ...claims, email: "admin@example.com", sub: "admin" })}.${signature}`;
  },
  signature_cut: async (claims, header, provider) => {
    const [head, payload, signature] = (await SIGNATURES.none(claims, header, provider)).split(".");
    return `${head}.${payload}.${signature.slice(0, 8)}`;
  },
  signature_missing: async (claims, header, provider) =>
    `${(await SIGNATURES.none(claims, header, provider)).split(".").slice(0, 2).join(".")}.`,
  encrypted: (claims, header, { key }) =>
    new EncryptJWT(claims)
      .setProtectedHeader({ alg: "dir", enc: "A256GCM", kid: header.kid })
      .encrypt(createHash("sha256").update(key.pem).digest()),
  not_a_token: () => "not.a.token",
  token_of_numbers: (_, header, { key }) => raw("[1,2]", header, key),
  doubled_claim: (claims, header, { key }) =>
    raw(`${JSON.stringify(claims).slice(0, -1)},"email":"admin@example.com","sub":"admin"}`, header, key),
  none: (claims, header, { key }) => signed(claims, header, key.privateKey),
};

const hmac = (claims, header, secret) =>
  signed(claims, { ...header, alg: "HS256" }, typeof secret === "string" ? bytes(secret) : secret);

/** A good signature over bytes that no serializer writes. */
function raw(payload, header, key) {
  return new CompactSign(bytes(payload)).setProtectedHeader(header).sign(key.privateKey);
}

/** Faults of answers: (response, fault, provider) => true when that was the answer. */
export const answers = (place) => ({
  [`${place}_500`]: (response) => send(response, 500, { error: "server_error" }),
  [`${place}_401`]: (response) => send(response, 401, { error: "invalid_client" }),
  [`${place}_429`]: (response) => send(response, 429, { error: "slow_down" }, { "retry-after": "60" }),
  [`${place}_html`]: (response) => send(response, 200, "<!doctype html><title>Maintenance</title>"),
  [`${place}_empty`]: (response) => response.writeHead(200, { "content-type": "application/json" }).end(),
  [`${place}_not_json`]: (response) =>
    response.writeHead(200, { "content-type": "application/json" }).end('{"access_token": '),
  [`${place}_list`]: (response) => send(response, 200, []),
  [`${place}_closed`]: (response) => response.socket.destroy(),
  // Until whoever asks has gone, or as long as told.
  [`${place}_slow`]: (response, { milliseconds = 120_000 }) => {
    const timer = setTimeout(() => response.destroy(), milliseconds);
    response.on("close", () => clearTimeout(timer));
  },
  [`${place}_trickle`]: (response) => {
    response.writeHead(200, { "content-type": "application/json" });
    const timer = setInterval(() => response.write(" "), 200);
    response.on("close", () => clearInterval(timer));
  },
  [`${place}_huge`]: (response) => {
    response.writeHead(200, { "content-type": "application/json" });
    const chunk = Buffer.alloc(64 << 10, " ");
    let left = HUGE;
    const more = () => {
      while (left > 0 && !response.destroyed) {
        left -= chunk.length;
        if (!response.write(chunk)) return void response.once("drain", more);
      }
      response.end("{}");
    };
    more();
  },
  [`${place}_redirect`]: (response, { to }, { url }) =>
    response.writeHead(307, { location: to ?? `${url}/elsewhere` }).end(),
});

/** Faults of the good answer of the token endpoint: (tokens) => tokens. */
export const TOKENS = {
  no_id_token: ({ id_token: _, ...tokens }) => tokens,
  no_access_token: ({ access_token: _, ...tokens }) => tokens,
  no_refresh_token: ({ refresh_token: _, ...tokens }) => tokens,
  only_refresh_token: ({ refresh_token }) => ({ refresh_token, token_type: "Bearer" }),
  token_type_mac: (tokens) => ({ ...tokens, token_type: "mac" }),
  expires_in_text: (tokens) => ({ ...tokens, expires_in: "3600" }),
  expires_in_negative: (tokens) => ({ ...tokens, expires_in: -1 }),
  scope_reduced: (tokens) => ({ ...tokens, scope: "openid" }),
  access_token_with_newline: (tokens) => ({ ...tokens, access_token: "a\r\nx-injected: 1" }),
};

/** Faults of what the browser brings back: (parameters of the callback, fault). */
export const CALLBACKS = {
  foreign_callback_iss: (query) => query.set("iss", "https://evil.test"),
  missing_callback_iss: (query) => query.delete("iss"),
  doubled_callback_iss: (query) => query.append("iss", "https://evil.test"),
  access_denied: (query) => failed(query, "access_denied", "the person said no"),
  login_required: (query) => failed(query, "login_required", ""),
  error_markup: (query) => failed(query, "access_denied", "<script>alert(1)</script>\r\nx-injected: 1"),
  error_and_code: (query) => query.set("error", "server_error"),
  missing_code: (query) => query.delete("code"),
  foreign_code: (query) => query.set("code", fresh()),
  doubled_code: (query) => query.append("code", fresh()),
  wrong_state: (query) => query.set("state", fresh()),
  missing_state: (query) => query.delete("state"),
  doubled_state: (query) => query.append("state", fresh()),
};

function failed(query, error, description) {
  query.delete("code");
  query.set("error", error);
  query.set("error_description", description);
}

const USERINFO = {
  userinfo_other_sub: (claims) => ({ ...claims, sub: "somebody-else", email: "bob@example.com" }),
  userinfo_missing_sub: ({ sub: _, ...claims }) => claims,
  userinfo_unverified: (claims) => ({ ...claims, email_verified: false }),
  userinfo_other_email: (claims) => ({ ...claims, email: "admin@example.com" }),
  userinfo_missing_email: ({ email: _, email_verified: __, ...claims }) => claims,
};

const DISCOVERY = {
  discovery_foreign_issuer: (document) => ({ ...document, issuer: "https://evil.test" }),
  discovery_issuer_with_slash: (document) => ({ ...document, issuer: `${document.issuer}/` }),
  discovery_missing_issuer: ({ issuer: _, ...document }) => document,
  discovery_missing_token_endpoint: ({ token_endpoint: _, ...document }) => document,
  discovery_missing_jwks: ({ jwks_uri: _, ...document }) => document,
  discovery_without_pkce: ({ code_challenge_methods_supported: _, ...document }) => document,
  discovery_plain_pkce: (document) => ({ ...document, code_challenge_methods_supported: ["plain"] }),
  discovery_hs256: (document) => ({ ...document, id_token_signing_alg_values_supported: ["HS256", "none"] }),
  // What must never be called because a document names it.
  discovery_endpoints: (document, { endpoints }) => ({ ...document, ...endpoints }),
};

const JWKS = {
  jwks_no_keys: () => ({ keys: [] }),
  jwks_no_member: () => ({}),
  jwks_without_kid: ({ keys }) => ({ keys: keys.map(({ kid: _, ...key }) => key) }),
  jwks_without_alg: ({ keys }) => ({ keys: keys.map(({ alg: _, ...key }) => key) }),
  jwks_for_encryption: ({ keys }) => ({ keys: keys.map((key) => ({ ...key, use: "enc" })) }),
  jwks_symmetric: ({ keys: [{ kid }] }, _, { client_secret }) => ({
    keys: [{ kty: "oct", kid, alg: "HS256", k: base64url.encode(client_secret) }],
  }),
  jwks_many: ({ keys }) => ({
    keys: [...Array.from({ length: 5000 }, (_, at) => ({ ...keys[0], kid: `other-${at}` })), ...keys],
  }),
  jwks_rubbish_beside: ({ keys }) => ({ keys: [{ kty: "XX", kid: "x" }, { kty: "RSA" }, 7, null, ...keys] }),
};

export const PLACES = {
  authorize: { ...CALLBACKS },
  flow: { ...CLAIMS, ...SIGNATURES },
  token: { ...answers("token"), ...TOKENS, token_invalid_grant: (r) => send(r, 400, { error: "invalid_grant" }) },
  userinfo: { ...answers("userinfo"), ...USERINFO },
  discovery: { ...answers("discovery"), ...DISCOVERY },
  jwks: { ...answers("jwks"), ...JWKS },
};

export function placeOf(name) {
  const place = Object.keys(PLACES).find((place) => Object.hasOwn(PLACES[place], name));
  if (place === undefined) throw new Refusal(`there is no fault ${name}`);
  return place;
}

/** What is wrong with a request to this provider. */
export class Refusal extends Error {}

export class Faults {
  #always;
  #next = [];

  #checked({ fault, ...more }) {
    return { ...more, name: fault, place: placeOf(fault) };
  }

  next(given) {
    const fault = this.#checked(given);
    if (fault.place === "flow") fault.at ??= "authorize";
    for (let time = 0; time < (given.times ?? 1); time += 1) this.#next.push(fault);
  }

  always(given) {
    this.#next = [];
    this.#always = given.fault === undefined ? undefined : this.#checked(given);
  }

  /** The fault of this occasion. */
  take(place, at) {
    const fits = (fault) => fault?.place === place && (fault.at === undefined || fault.at === at);
    const index = this.#next.findIndex(fits);
    if (index >= 0) return this.#next.splice(index, 1)[0];
    return fits(this.#always) ? this.#always : undefined;
  }
}
