// One address before several replicas, which take turns: no two requests in a row reach the same one.
//
// Options: upstreams, a list of origins, which may come later.
//
// POST /__upstreams [origins]    from now on it is these
// GET /__log                     -> {origin: how many requests it was handed}

import { request as forward } from "node:http";
import { jsonBody, send, serve } from "./program.mjs";

async function start({ upstreams = [] }) {
  let turn = 0;
  const counts = {};
  const pass = (request, response) => {
    if (upstreams.length === 0) return send(response, 503, { error: "no_upstream" });
    const origin = upstreams[turn++ % upstreams.length];
    counts[origin] = (counts[origin] ?? 0) + 1;
    const { hostname, port } = new URL(origin);
    // The Host that was asked for stays: a proxy before replicas hides them.
    const { method, url: path, headers } = request;
    const upstream = forward({ hostname, port, method, path, headers }, (answer) => {
      response.writeHead(answer.statusCode, answer.rawHeaders);
      response.flushHeaders();
      answer.pipe(response);
      answer.on("error", () => response.destroy());
    });
    upstream.on("error", () =>
      response.headersSent ? response.destroy() : send(response, 502, { error: "bad_gateway" }),
    );
    response.on("close", () => upstream.destroy());
    request.pipe(upstream);
  };
  return {
    handler: async (request, response) => {
      if (request.url === "/__log") return send(response, 200, counts);
      if (request.url !== "/__upstreams") return pass(request, response);
      upstreams = await jsonBody(request);
      return send(response, 200, { upstreams });
    },
  };
}

await serve(start);
