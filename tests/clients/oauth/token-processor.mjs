// Stands in for a ClickHouse whose `token_processors` validate tokens, in front of one that has none: a request must
// carry a token of the identity provider and no other credentials; it reaches ClickHouse as the user that the token's
// claim is mapped to.
//
// Options:
//   clickhouse                 the origin of the real server's HTTP interface
//   issuer                     of the tokens; its keys are found by discovery, or at jwks_uri
//   audience                   what tokens must be for, one or a list
//   header                     a header with the bare token, instead of `Authorization: Bearer`
//   claim                      whose value is looked up ("email")
//   users                      {"alice@example.com": {"user": "alice", "password": "..."}}
//   algorithms                 (["RS256", "PS256", "ES256", "EdDSA"])
//
// GET /__log    -> {outcomes: {name: count}, requests: [{method, path, outcome, subject?, status?}]}
// DELETE /__log -> the same, and begins anew

import { request as forward } from "node:http";
import { createRemoteJWKSet, jwtVerify } from "jose";
import { required, send, serve } from "./program.mjs";

const CREDENTIALS = ["x-clickhouse-user", "x-clickhouse-key", "x-clickhouse-ssl-certificate-auth"];
const PARAMETERS = ["user", "password"];
const HOP_BY_HOP = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "upgrade",
  "host",
  "expect",
]);

/** Why a request does not get through. */
class Denied extends Error {
  constructor(outcome, status) {
    super(outcome);
    this.outcome = outcome;
    this.status = status;
  }
}

async function start(options, origin) {
  const {
    clickhouse,
    issuer,
    audience,
    users,
    header,
    claim = "email",
  } = required(options, "clickhouse", "issuer", "audience", "users");
  const algorithms = options.algorithms ?? ["RS256", "PS256", "ES256", "EdDSA"];
  const target = new URL(clickhouse);
  const carrier = header?.toLowerCase() ?? "authorization";
  let keys;
  let requests = [];

  /** The keys are asked for when the first token comes: the provider may start later than this. */
  const published = async () => {
    if (keys === undefined) {
      let { jwks_uri } = options;
      if (jwks_uri === undefined) {
        const response = await fetch(`${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`);
        ({ jwks_uri } = await response.json());
      }
      // Keys are rotated in tests faster than anywhere else.
      keys = createRemoteJWKSet(new URL(jwks_uri), { cooldownDuration: 0, cacheMaxAge: 1_000, timeoutDuration: 5_000 });
    }
    return keys;
  };

  const tokenOf = (headers) => {
    const value = headers[carrier];
    if (value === undefined) return undefined;
    if (header !== undefined) return value;
    return /^bearer +(\S+)$/i.exec(value)?.[1];
  };

  const admit = async (request, url) => {
    // Whatever else there is might win at a server that looks for it first.
    const credentials =
      CREDENTIALS.some((name) => request.headers[name] !== undefined) ||
      PARAMETERS.some((name) => url.searchParams.has(name)) ||
      url.username !== "" ||
      /^basic/i.test(request.headers.authorization ?? "") ||
      (header !== undefined && request.headers.authorization !== undefined);
    if (credentials) throw new Denied("static_credentials", 403);
    const copies = request.rawHeaders.filter((name, at) => at % 2 === 0 && name.toLowerCase() === carrier);
    if (copies.length > 1) throw new Denied("two_tokens", 401);
    const token = tokenOf(request.headers);
    if (token === undefined) throw new Denied("no_token", 401);
    let payload;
    try {
      ({ payload } = await jwtVerify(token, await published(), {
        issuer,
        audience,
        algorithms,
        requiredClaims: ["exp", "sub"],
      }));
    } catch (error) {
      throw new Denied(
        error.code === "ERR_JWT_EXPIRED" ? "expired" : `invalid ${error.code ?? "keys"} ${error.claim ?? ""}`.trim(),
        401,
      );
    }
    const name = payload[claim];
    if (typeof name !== "string" || !Object.hasOwn(users, name)) throw new Denied("unknown_user", 403);
    return { name, ...users[name] };
  };

  const pass = (request, response, url, { user, password }, note) =>
    new Promise((resolve, reject) => {
      const headers = Object.fromEntries(
        Object.entries(request.headers).filter(([name]) => name !== carrier && !HOP_BY_HOP.has(name)),
      );
      headers["x-clickhouse-user"] = user;
      if (password) headers["x-clickhouse-key"] = password;
      const upstream = forward(
        {
          host: target.hostname,
          port: target.port,
          method: request.method,
          path: `${url.pathname}${url.search}`,
          headers,
        },
        (answer) => {
          note.status = answer.statusCode;
          const back = Object.entries(answer.headers).filter(([name]) => !HOP_BY_HOP.has(name));
          response.writeHead(answer.statusCode, Object.fromEntries(back));
          response.flushHeaders();
          answer.pipe(response);
          answer.on("error", () => response.destroy());
          response.on("finish", resolve);
        },
      );
      upstream.on("error", (error) => (response.headersSent ? response.destroy() : reject(error)));
      // Whoever goes away takes the query along.
      response.on("close", () => {
        upstream.destroy();
        resolve();
      });
      request.pipe(upstream);
    });

  const log = () => {
    const outcomes = {};
    for (const { outcome } of requests) outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
    return { outcomes, requests };
  };

  return {
    ready: { host: "127.0.0.1", port: Number(new URL(origin).port) },
    handler: async (request, response) => {
      const url = new URL(request.url, origin);
      if (url.pathname === "/__log") {
        const text = log();
        if (request.method === "DELETE") requests = [];
        return send(response, 200, text);
      }
      const note = { method: request.method, path: url.pathname, outcome: "passed" };
      requests.push(note);
      try {
        // As the real one, it answers this to everybody.
        if (url.pathname === "/ping") return send(response, 200, "Ok.\n", { "content-type": "text/plain" });
        const user = await admit(request, url);
        note.subject = user.name;
        return await pass(request, response, url, user, note);
      } catch (error) {
        note.outcome = error instanceof Denied ? error.outcome : "unreachable";
        note.status = error instanceof Denied ? error.status : 502;
        request.resume();
        const challenge = note.status === 401 ? { "www-authenticate": "Bearer" } : {};
        const text = `Code: 516. DB::Exception: Authentication failed: ${note.outcome}. (AUTHENTICATION_FAILED)\n`;
        return send(response, note.status, text, {
          "content-type": "text/plain; charset=utf-8",
          "x-clickhouse-exception-code": "516",
          ...challenge,
        });
      }
    },
  };
}

await serve(start);
