// The official suite's `authorization` scenarios against an authorization server: a client is registered there, and
// whoever is sent away by the suite is played by the visitor or the browser.
//
// Options: issuer; resource, the MCP endpoint; scenario, one instead of all; redirect_uris beside the suite's; login,
// decision, idp_decision, browser as in `sdk-ts.mjs`; client_id and client_secret instead of a registration.
//
// Result: {passed, failed, scenarios: [{name, passed, failed, warnings, checks: [{id, status, message}]}], visits}

import { spawn } from "node:child_process";
import { readFile, readdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { atEnd, isProgram, required, run, scratch } from "./program.mjs";
import { freePort } from "./remote.mjs";
import { send } from "./session.mjs";

const PROGRAM = fileURLToPath(import.meta.resolve("@modelcontextprotocol/conformance/dist/index.js"));

async function metadata(issuer) {
  const { origin, pathname } = new URL(issuer);
  const path = pathname === "/" ? "" : pathname;
  for (const url of [
    `${origin}/.well-known/oauth-authorization-server${path}`,
    `${origin}/.well-known/openid-configuration${path}`,
    `${origin}${path}/.well-known/openid-configuration`,
  ]) {
    const response = await fetch(url);
    if (response.ok) return response.json();
    await response.body?.cancel();
  }
  throw new Error(`${issuer} publishes no metadata`);
}

async function register(issuer, redirect_uris) {
  const { registration_endpoint } = await metadata(issuer);
  if (registration_endpoint === undefined) throw new Error(`${issuer} has no registration endpoint`);
  const response = await fetch(registration_endpoint, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      client_name: "Conformance suite",
      application_type: "native",
      redirect_uris,
      grant_types: ["authorization_code", "refresh_token"],
      response_types: ["code"],
      token_endpoint_auth_method: "none",
    }),
  });
  const client = await response.json();
  if (response.status !== 201) throw new Error(`the registration was answered ${response.status}: ${client.error}`);
  return client;
}

/** Every `checks.json` below a folder; the folder above it is named after its scenario. */
async function results(folder) {
  const scenarios = [];
  for (const name of await readdir(folder, { recursive: true })) {
    if (!name.endsWith("checks.json")) continue;
    const checks = JSON.parse(await readFile(join(folder, name), "utf8"));
    const count = (wanted) => checks.filter(({ status }) => status === wanted).length;
    scenarios.push({
      name: dirname(name).replace(/-\d{4}-\d\d-\d\dT.*$/, ""),
      passed: count("SUCCESS"),
      failed: count("FAILURE"),
      warnings: count("WARNING"),
      checks: checks.map(({ id, status, errorMessage }) => ({ id, status, message: errorMessage ?? null })),
    });
  }
  return scenarios.sort((a, b) => a.name.localeCompare(b.name));
}

export async function suite(options) {
  const { issuer, scenario, resource } = required(options, "issuer");
  const port = await freePort();
  const client = options.client_id
    ? options
    : await register(issuer, [`http://127.0.0.1:${port}/callback`, ...(options.redirect_uris ?? [])]);
  const folder = await scratch("conformance");
  const given = { "--url": issuer, "--client-id": client.client_id, "--port": port, "--output-dir": folder };
  if (client.client_secret) given["--client-secret"] = client.client_secret;
  if (resource) given["--resource"] = resource;
  if (scenario) given["--scenario"] = scenario;
  const child = spawn(process.execPath, [PROGRAM, "authorization", ...Object.entries(given).flat().map(String)], {
    stdio: ["ignore", "pipe", "pipe"],
    cwd: folder,
  });
  atEnd(() => child.kill("SIGKILL"));
  const visits = [];
  const asked = new Set();
  const failures = [];
  let text = "";
  const hear = (chunk) => {
    text += chunk;
    for (const [, url] of text.matchAll(/(https?:\/\/\S*[?&]code_challenge=\S*)\s/g)) {
      if (asked.has(url)) continue;
      asked.add(url);
      send(url, { ...options, follow: true }).then(
        (visit) => visits.push(visit),
        (error) => failures.push(error),
      );
    }
  };
  child.stdout.setEncoding("utf8").on("data", hear);
  child.stderr.setEncoding("utf8").on("data", hear);
  const status = await new Promise((resolve, reject) => child.on("close", resolve).on("error", reject));
  if (failures.length > 0) throw failures[0];
  const scenarios = await results(folder);
  if (scenarios.length === 0)
    throw new Error(`the suite has ended with ${status} and no result: ${text.trim().slice(-300)}`);
  const sum = (name) => scenarios.reduce((sum, scenario) => sum + scenario[name], 0);
  return { passed: sum("passed"), failed: sum("failed"), status, scenarios, visits };
}

if (isProgram(import.meta)) await run(suite);
