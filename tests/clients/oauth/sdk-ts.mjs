// The MCP TypeScript SDKs with their own OAuth clients: they discover, register, send somebody to the authorization
// URL, exchange the code, call, and refresh by themselves.
//
// Options:
//   url                        the MCP endpoint
//   sdk                        1 (@modelcontextprotocol/sdk) or 2 (@modelcontextprotocol/client)
//   era                        with 2: "auto" (default), "legacy", or a revision to insist on, "2026-07-28"
//   login, decision, idp_decision, jar     see visitor.mjs
//   browser                    true, or options of browser.mjs: Chromium instead of the visitor
//   redirect_uri, scope, client_id, client_secret, client_name, client_metadata_url    of the client
//   store                      a file for what the client keeps; a second run goes on with it
//   expire                     true: waits until the first access token is refused, then calls again
//   expire_ms                  how long at most (60000)
//
// Result: {outcome: "authorized", tools, who, who_later?, refreshed?, visits: [..], token: {..}, requests: [..]}
//      or {outcome: "refused", stage: "connect" | "authorize" | "exchange" | "call", error, visits, requests}

import { isProgram, required, run } from "./program.mjs";
import { CALLBACK, Store, brought, look, noting, refusal, refused, send, who } from "./session.mjs";

async function sdk(version, era = "auto") {
  if (version === 1) {
    const [{ Client }, { StreamableHTTPClientTransport }, { UnauthorizedError }] = await Promise.all([
      import("@modelcontextprotocol/sdk/client/index.js"),
      import("@modelcontextprotocol/sdk/client/streamableHttp.js"),
      import("@modelcontextprotocol/sdk/client/auth.js"),
    ]);
    return {
      make: () => new Client({ name: "housekey-tests", version: "1.0.0" }),
      Transport: StreamableHTTPClientTransport,
      UnauthorizedError,
      finish: (transport, query) => transport.finishAuth(query.get("code")),
    };
  }
  if (version === 2) {
    const { Client, StreamableHTTPClientTransport, UnauthorizedError } = await import("@modelcontextprotocol/client");
    const mode = era === "auto" || era === "legacy" ? era : { pin: era };
    return {
      make: () => new Client({ name: "housekey-tests", version: "1.0.0" }, { versionNegotiation: { mode } }),
      Transport: StreamableHTTPClientTransport,
      UnauthorizedError,
      // It looks at `iss` and `error` itself.
      finish: (transport, query) => transport.finishAuth(query),
    };
  }
  throw new Error(`there is no SDK ${version}`);
}

/** What the SDKs ask of an application: where it keeps things, and how it sends somebody away. */
class Application {
  visits = [];

  constructor(store, options) {
    this.store = store;
    this.options = options;
  }

  get redirectUrl() {
    return this.options.redirect_uri ?? CALLBACK;
  }

  get clientMetadataUrl() {
    return this.options.client_metadata_url;
  }

  get clientMetadata() {
    return {
      client_name: this.options.client_name ?? "Housekey tests",
      redirect_uris: [this.redirectUrl],
      grant_types: ["authorization_code", "refresh_token"],
      response_types: ["code"],
      token_endpoint_auth_method: "none",
      scope: this.options.scope,
    };
  }

  state() {
    this.sent = crypto.randomUUID();
    return this.sent;
  }

  clientInformation() {
    const { client_id, client_secret } = this.options;
    return client_id ? { client_id, client_secret } : this.store.get("client");
  }

  saveClientInformation(client) {
    return this.store.set("client", client);
  }

  tokens() {
    return this.store.get("tokens");
  }

  saveTokens(tokens) {
    return this.store.set("tokens", tokens);
  }

  saveCodeVerifier(verifier) {
    return this.store.set("verifier", verifier);
  }

  codeVerifier() {
    return this.store.get("verifier");
  }

  async redirectToAuthorization(url) {
    this.visit = await send(url.href, this.options);
    this.visits.push(this.visit);
  }

  async invalidateCredentials(scope) {
    if (scope === "all" || scope === "client") await this.store.set("client", undefined);
    if (scope === "all" || scope === "tokens") await this.store.set("tokens", undefined);
    if (scope === "all" || scope === "verifier") await this.store.set("verifier", undefined);
  }
}

export async function flow(options) {
  const { url, sdk: version = 1 } = required(options, "url");
  const { make, Transport, UnauthorizedError, finish } = await sdk(version, options.era);
  const application = new Application(await Store.open(options.store), options);
  const requests = [];
  const told = () => ({ visits: application.visits, requests });
  const transport = () => new Transport(new URL(url), { authProvider: application, fetch: noting(requests) });

  // Twice: what is kept may be refused, and its replacement as well, but then that is the answer.
  let client;
  let stage = "connect";
  for (let attempt = 0; client === undefined; attempt += 1) {
    const at = transport();
    const connecting = make();
    try {
      await connecting.connect(at);
      client = connecting;
    } catch (error) {
      if (requests.every(({ status }) => status === undefined)) throw error;
      if (!(error instanceof UnauthorizedError) || application.visit === undefined || attempt > 1) {
        return refusal(stage, error, told());
      }
      const { query, code, error: denied } = brought(application.visit);
      application.visit = undefined;
      if (code === null) return refusal("authorize", denied ?? "neither a code nor an error came back", told());
      if (query.get("state") !== application.sent) return refusal("authorize", "another state came back", told());
      try {
        await finish(at, query);
      } catch (error) {
        return refusal("exchange", error, told());
      }
      stage = "call";
    }
  }
  try {
    const first = application.tokens();
    const seen = await look(client);
    const later = {};
    if (options.expire) {
      await refused(url, application.tokens().access_token, options.expire_ms ?? 60_000);
      later.who_later = await who(client);
      later.refreshed = application.tokens().access_token !== first.access_token;
      later.rotated = application.tokens().refresh_token !== first.refresh_token;
    }
    const { token_type, expires_in, scope, refresh_token } = application.tokens() ?? {};
    const token = { token_type, expires_in, scope, refreshable: refresh_token !== undefined };
    return {
      outcome: "authorized",
      ...seen,
      ...later,
      token,
      client_id: application.clientInformation()?.client_id,
      ...told(),
    };
  } catch (error) {
    return refusal("call", error, told());
  } finally {
    await client.close();
  }
}

if (isProgram(import.meta)) await run(flow);
