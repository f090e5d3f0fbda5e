// What every client does in a session that should go well; prints one JSON report.

const WHO = "SELECT currentUser() AS who, toInt64('9223372036854775807') AS big";

export async function report(client) {
  const { tools } = await client.listTools();
  const call = (query) => client.callTool({ name: "execute_query", arguments: { query } });
  const good = await call(WHO);
  const denied = await call("SELECT * FROM hr.salaries");
  console.log(
    JSON.stringify({
      tools: tools.map((tool) => tool.name),
      structured: good.structuredContent,
      denied: denied.isError ? denied.content[0].text : null,
    }),
  );
  await client.close();
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
  return { requestInit: { headers: { Authorization: `Bearer ${process.env.MCP_TEST_TOKEN}` } } };
}
