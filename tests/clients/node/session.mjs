// What every client does in a session that should go well; prints one JSON report.

const WHO = "SELECT currentUser() AS who, toInt64('9223372036854775807') AS big";

/** The questions that the server has asked, each of which was answered with a yes. */
const questions = [];

export async function report(client, revision) {
  const { tools } = await client.listTools();
  const call = (query, tool = "execute_query") => client.callTool({ name: tool, arguments: { query } });
  if (process.env.MCP_TEST_WRITE) {
    const written = await call(process.env.MCP_TEST_WRITE, "write_query");
    return print(client, { revision: revision(), questions, failed: Boolean(written.isError), text: text(written) });
  }
  const good = await call(WHO);
  const denied = await call("SELECT * FROM hr.salaries");
  const { resources } = await client.listResources();
  const { prompts } = await client.listPrompts();
  return print(client, {
    revision: revision(),
    tools: tools.map((tool) => tool.name),
    // Revisions before 2025-06-18 have the text alone.
    structured: good.structuredContent ?? JSON.parse(text(good)),
    is_structured: good.structuredContent !== undefined,
    denied: denied.isError ? text(denied) : null,
    resources: resources.map((resource) => resource.uri),
    prompts: prompts.map((prompt) => prompt.name),
  });
}

async function print(client, report) {
  console.log(JSON.stringify(report));
  await client.close();
}

const text = (result) => result.content[0].text;

/** Says yes to whatever the server asks its user. */
export async function sayYes({ params }) {
  questions.push(params.message);
  const content = {};
  for (const [name, { type, enum: choices }] of Object.entries(params.requestedSchema.properties)) {
    content[name] = type === "boolean" ? true : (choices?.[0] ?? "yes");
  }
  return { action: "accept", content };
}

// A refusal must reach the caller as an error that says 401 or unauthorised.
export async function refusal(connect) {
  try {
    await connect();
  } catch (error) {
    const text = `${error.name} ${error.message} ${error.code ?? ""}`;
    const refused = /401|unauthori[sz]ed/i.test(text);
    console.log(JSON.stringify({ refused, text: refused ? undefined : text }));
    return;
  }
  console.log(JSON.stringify({ refused: false }));
}

export function settings() {
  return { PATH: process.env.PATH, ...JSON.parse(process.env.MCP_TEST_SETTINGS) };
}

export function bearer() {
  return { requestInit: { headers: authorization() } };
}

/** The same for HTTP+SSE, whose stream old clients open with a `fetch` of their own. */
export function bearerOfStream() {
  const withToken = (url, init) => {
    const headers = new Headers(init?.headers);
    headers.set("Authorization", authorization().Authorization);
    return fetch(url, { ...init, headers });
  };
  return { ...bearer(), eventSourceInit: { fetch: withToken } };
}

const authorization = () => ({ Authorization: `Bearer ${process.env.MCP_TEST_TOKEN}` });
