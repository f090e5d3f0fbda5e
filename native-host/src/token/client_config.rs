//! What a person copies to connect a client of theirs: files and commands, each written down once.

use std::borrow::Cow;

use reqwest::Url;
use serde_json::Value;

/// The name that clients know the server by.
const SERVER: &str = "housekey";

/// What the commands ask, because its answer says whether all of it works.
const STATEMENT: &str = "SELECT currentUser()";

/// A client that can be configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Client {
    /// Claude Code, by `.mcp.json`.
    Claude,
    /// Cursor, by `.cursor/mcp.json`.
    Cursor,
    /// VS Code, by `.vscode/mcp.json`.
    VsCode,
    /// A command for a POSIX shell.
    Curl,
}

impl Client {
    pub(crate) const ALL: [Self; 4] = [Self::Claude, Self::Cursor, Self::VsCode, Self::Curl];

    /// Its name on the command line.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Claude => "claude",
            Self::Cursor => "cursor",
            Self::VsCode => "vscode",
            Self::Curl => "curl",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|client| client.name() == name)
    }
}

/// What proves who asks.
#[derive(Clone, Copy)]
pub(crate) enum Bearer<'a> {
    /// This token, literally.
    Token(&'a str),
    /// The token in this variable of the shell that the text is given to.
    Variable(&'a str),
}

/// A Housekey and somebody who may use it.
#[derive(Clone, Copy)]
pub(crate) struct Connection<'a> {
    /// The MCP endpoint.
    pub(crate) url: &'a str,
    /// Who.
    pub(crate) bearer: Bearer<'a>,
}

impl Connection<'_> {
    /// The file or the command for a client. With a variable, files are for a here-document.
    pub(crate) fn shown(self, client: Client) -> String {
        match client {
            Client::Claude => self.file("mcpServers", true),
            Client::Cursor => self.file("mcpServers", false),
            Client::VsCode => self.file("servers", true),
            Client::Curl => self.curl(),
        }
    }

    /// The command that tells Claude Code.
    pub(crate) fn claude_command(self) -> String {
        format!("claude mcp add --transport http {SERVER} {} --header {}", quoted(self.url), self.header())
    }

    /// The command that makes the MCP Inspector call the tool.
    pub(crate) fn inspector_command(self) -> String {
        format!(
            "npx @modelcontextprotocol/inspector --cli {} --transport http \\\n  --header {} \
             --method tools/call --tool-name execute_query \\\n  --tool-arg {}",
            quoted(self.url),
            self.header(),
            quoted(&format!("query={STATEMENT}")),
        )
    }

    /// JSON by hand, because its order is for readers.
    fn file(self, servers: &str, typed: bool) -> String {
        let kind = if typed { "\n      \"type\": \"http\"," } else { "" };
        let (url, authorization) = (Value::from(self.url), Value::from(self.authorization()));
        format!(
            "{{\n  \"{servers}\": {{\n    \"{SERVER}\": {{{kind}\n      \"url\": {url},\n      \
             \"headers\": {{ \"Authorization\": {authorization} }}\n    }}\n  }}\n}}"
        )
    }

    /// A call in the revision of the handshakes, which is answered without one.
    fn curl(self) -> String {
        let call = format!(
            "{{\"jsonrpc\": \"2.0\", \"id\": 1, \"method\": \"tools/call\",\n  \"params\": \
             {{\"name\": \"execute_query\", \"arguments\": {{\"query\": {}}}}}}}",
            Value::from(STATEMENT)
        );
        format!(
            "curl -sS {} -H {} \\\n  -H 'Content-Type: application/json' \
             -H 'MCP-Protocol-Version: 2025-11-25' \\\n  -d {}",
            quoted(self.url),
            self.header(),
            quoted(&call),
        )
    }

    fn authorization(self) -> String {
        match self.bearer {
            Bearer::Token(token) => format!("Bearer {token}"),
            Bearer::Variable(name) => format!("Bearer ${name}"),
        }
    }

    /// The header as a word of the shell, which puts a variable's value in.
    fn header(self) -> String {
        let header = format!("Authorization: {}", self.authorization());
        match self.bearer {
            Bearer::Token(_) => quoted(&header).into_owned(),
            Bearer::Variable(_) => format!("\"{header}\""),
        }
    }
}

/// A URL at which a client can find Housekey, written as URLs are.
pub(super) fn url(text: &str) -> Result<String, &'static str> {
    let url = Url::parse(text).map_err(|_| "it is not a URL, such as https://mcp.example.com/mcp")?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("it must begin with http:// or https://");
    }
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        return Err("it must have no user, no password and no fragment");
    }
    Ok(url.into())
}

/// A word of a POSIX shell (Shell Command Language, section 2.2.2).
fn quoted(text: &str) -> Cow<'_, str> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:@%+,=".contains(&byte);
    if !text.is_empty() && text.bytes().all(plain) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(format!("'{}'", text.replace('\'', "'\\''")))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use serde_json::json;

    use super::*;

    /// The words that a shell makes of a command, without running it.
    fn words(command: &str, environment: &[(&str, &str)]) -> Vec<String> {
        let script = format!("printf '%s\\0' {command}");
        let output =
            Command::new("sh").args(["-c", &script]).envs(environment.iter().copied()).output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{command}");
        let text = String::from_utf8(output.stdout).unwrap();
        text.strip_suffix('\0').unwrap().split('\0').map(str::to_owned).collect()
    }

    const URL: &str = "https://mcp.example.com/it's/$HOME?a=1&b=`x`";

    fn by_token() -> Connection<'static> {
        Connection { url: URL, bearer: Bearer::Token("e30.a_-.b.c.d") }
    }

    #[test]
    fn files_are_json_in_the_shape_that_each_client_reads() {
        let headers = json!({ "Authorization": "Bearer e30.a_-.b.c.d" });
        let typed = json!({ "housekey": { "type": "http", "url": URL, "headers": headers } });
        for (client, wanted) in [
            (Client::Claude, json!({ "mcpServers": typed })),
            (Client::Cursor, json!({ "mcpServers": { "housekey": { "url": URL, "headers": headers } } })),
            (Client::VsCode, json!({ "servers": typed })),
        ] {
            let shown: Value = serde_json::from_str(&by_token().shown(client)).unwrap();
            assert_eq!(shown, wanted, "{client:?}");
        }
    }

    #[test]
    fn a_shell_splits_commands_into_what_was_meant() {
        let by_variable = Connection { bearer: Bearer::Variable("ALICE"), ..by_token() };
        let header = "Authorization: Bearer e30.a_-.b.c.d";
        for connection in [by_token(), by_variable] {
            let words = |command: &str| words(command, &[("ALICE", "e30.a_-.b.c.d")]);
            let curl = words(&connection.shown(Client::Curl));
            let [program, silent, url, _, authorization, _, kind, _, revision, _, body] = curl.as_slice()
            else {
                panic!("{curl:?}")
            };
            assert_eq!([program.as_str(), silent, url, authorization], ["curl", "-sS", URL, header]);
            assert_eq!(
                [kind.as_str(), revision],
                ["Content-Type: application/json", "MCP-Protocol-Version: 2025-11-25"]
            );
            let body: Value = serde_json::from_str(body).unwrap();
            assert_eq!(body["params"]["arguments"]["query"], STATEMENT);

            let claude = words(&connection.claude_command());
            assert_eq!(claude[2..], ["add", "--transport", "http", "housekey", URL, "--header", header]);
            let inspector = words(&connection.inspector_command());
            assert_eq!(inspector[3], URL);
            assert_eq!(inspector.last().unwrap(), "query=SELECT currentUser()");
        }
    }

    #[test]
    fn words_need_quotes_or_do_not() {
        for (text, wanted) in [
            ("a-b", "a-b"),
            ("", "''"),
            ("a b", "'a b'"),
            ("it's", "'it'\\''s'"),
            ("$(x)", "'$(x)'"),
            ("~", "'~'"),
        ] {
            assert_eq!(quoted(text), wanted);
            assert_eq!(words(&quoted(text), &[]), [text]);
        }
    }

    #[test]
    fn only_addresses_of_the_web_are_urls_here() {
        assert_eq!(url("http://127.0.0.1:8080/mcp").unwrap(), "http://127.0.0.1:8080/mcp");
        assert_eq!(url("https://MCP.example.com").unwrap(), "https://mcp.example.com/");
        for text in ["", "localhost:8080", "mcp", "ftp://h/", "http://u:p@h/", "http://h/#x", "http://"] {
            assert!(url(text).is_err(), "{text}");
        }
    }
}
