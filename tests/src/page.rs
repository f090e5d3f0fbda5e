//! `docs/mcp.md`, written from the tables that the suites run by.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::clients::{CLIENTS, Way};
use crate::conformance::{EXPECTED, REQUIREMENTS, SUBJECTS, Subject};
use crate::protocol::{DIFFERENCES, REFUSED, REVISIONS};

/// What is there on which host; the last column says where it is tested.
const ABILITIES: &[(&str, [&str; 4], &str)] = &[
    ("streamable HTTP, every revision", ["yes", "no", "yes", "yes"], "`conformance`, `black_box`"),
    ("HTTP+SSE (`--transport sse`)", ["yes", "no", "no", "no"], "`real_clients`"),
    ("one message a line, every revision", ["no", "yes", "no", "no"], "`real_clients`, `black_box`"),
    ("progress while a query runs", ["yes", "yes", "yes", "yes"], "`black_box`"),
    (
        "a question before something is lost",
        ["2026-07-28", "yes", "2026-07-28", "2026-07-28"],
        "`real_clients`, `conformance`",
    ),
    (
        "`subscriptions/listen` (2026-07-28)",
        ["yes", "yes", "no", "no"],
        "`core/tests/exchange`, `native-host`",
    ),
    ("a query ends with its request", ["yes", "yes", "mostly", "mostly"], "`black_box`"),
    ("`Mcp-Session-Id`, GET, DELETE and resumption", ["no", "no", "no", "no"], "`conformance` (fixture)"),
];

const HEAD: &str = "\
# MCP

This page is generated from the tables by which the tests run (`tests/src/{protocol,clients,conformance,page}.rs`), and a test
compares it with them: `HOUSEKEY_WRITE_PAGE=1 cargo test -p system-tests --test conformance page` writes it anew.

Housekey speaks every revision of MCP that there has been, each as its clients expect it. A request that says its revision in
`_meta` stands alone (2026-07-28); everything else is taken as a client with a handshake. Both may come over one connection.
";

const ABSENT: &str = "\
## What is deliberately absent

- **Sessions over streamable HTTP.** Nothing of the product needs one, and without them any replica answers any request. So over
  HTTP no client with a handshake is asked anything, `logging`, `resources.subscribe` and `listChanged` are not advertised, GET and
  DELETE are 405. The engine has sessions, streams that can be taken up again, and all of that: the fixture of the conformance suite
  switches them on, and HTTP+SSE and stdio, whose sessions live in the process, have what they need of it.
- **Streams that outlive a request at the edge.** A component lives as long as its request, so it has neither HTTP+SSE nor
  `subscriptions/listen`. Questions of 2026-07-28 need no stream and are asked there, too.
- **Sampling and roots in the product.** No tool of Housekey's needs the client's model or its folders.
- **Tasks**, an extension.
- **Icons.** They would have to be fetched from somewhere.
";

const TAIL: &str = "\
## How the engine is held to this

- `tests/suites/conformance`: the official suite in both requirement sets, and the tables of this page, on every host.
- `tests/suites/real_clients`: the clients above, as alice with a token, over every way.
- `core/tests/exchange/model.rs`: random turns of clients of all revisions at one server, as two people and as nobody, in sessions
  and without. Never a panic, never an answer to another id or a second one, no success without a token, nobody in another's
  session, progress that grows. `cargo fuzz run exchange_model` in `core/` goes on with it.
- `core/tests/exchange`: the rules one by one.
";

/// The page.
pub fn page() -> String {
    let mut out = String::from(HEAD);
    out.push_str("\n## What is spoken where\n\n| | native, HTTP | native, stdio | `--component` | stock runtime | tested by |\n| --- | --- | --- | --- | --- | --- |\n");
    for (what, hosts, tests) in ABILITIES {
        let _ = writeln!(out, "| {what} | {} | {tests} |", hosts.join(" | "));
    }
    differences(&mut out);
    clients(&mut out);
    conformance(&mut out);
    refusals(&mut out);
    out.push('\n');
    out.push_str(ABSENT);
    out.push('\n');
    out.push_str(TAIL);
    out
}

fn differences(out: &mut String) {
    let _ = writeln!(out, "\n## What differs between revisions\n\n| | {} |", REVISIONS.join(" | "));
    out.push_str("| --- | --- | --- | --- | --- | --- |\n");
    for difference in DIFFERENCES {
        let cells: Vec<_> = REVISIONS
            .iter()
            .map(|revision| if difference.revisions.contains(revision) { "yes" } else { "" })
            .collect();
        let _ = writeln!(out, "| {} | {} |", difference.what, cells.join(" | "));
    }
}

fn clients(out: &mut String) {
    out.push_str(
        "\n## Clients\n\nEach at one version, over every way that it has, and the revision that it and Housekey agree on. *Asked* is \
         where its user is asked before something is lost.\n\n| client | version | HTTP | HTTP+SSE | stdio | asked |\n| --- | --- | --- | --- | --- | --- |\n",
    );
    for client in CLIENTS {
        let on =
            |way: Way| client.ways.iter().find(|(one, _)| *one == way).map_or("", |(_, revision)| revision);
        let asked: Vec<_> = client.asked.iter().map(|way| way.word()).collect();
        let _ = writeln!(
            out,
            "| `{}` | {} | {} | {} | {} | {} |",
            client.package,
            client.version,
            on(Way::Http),
            on(Way::Sse),
            on(Way::Stdio),
            asked.join(", ")
        );
    }
}

fn conformance(out: &mut String) {
    out.push_str(
        "\n## The official suite\n\n`@modelcontextprotocol/conformance` 0.2.0-alpha.12. *Fixture* is the engine with the tools, resources and \
         prompts that the suite asks for; the others are the product. A warning counts as a failure here.\n\n\
         | | revision | scored | pass | in part | cannot apply |\n| --- | --- | --- | --- | --- | --- |\n",
    );
    for subject in SUBJECTS {
        for set in REQUIREMENTS {
            let mut whole = 0;
            let mut in_part = BTreeMap::new();
            let concerned = EXPECTED.iter().filter(|expected| expected.concerns(subject, set.revision));
            for entry in concerned.flat_map(|expected| expected.entries) {
                let (scenario, check) = entry.split_once(':').unwrap_or((entry, ""));
                if set.is_unscored(scenario) {
                    continue;
                }
                if check.is_empty() {
                    whole += 1;
                } else {
                    in_part.insert(scenario, ());
                }
            }
            let passed = set.scored - whole - in_part.len();
            let name = match subject {
                Subject::Product(host) => format!("product, {host}"),
                Subject::Fixture => "fixture".to_owned(),
            };
            let _ = writeln!(
                out,
                "| {name} | {} | {} | {passed} | {} | {whole} |",
                set.revision,
                set.scored,
                in_part.len()
            );
        }
    }
    out.push_str("\nWhat cannot apply, and why; a line that came to pass would fail the suite:\n\n");
    for expected in EXPECTED {
        let whose = match expected.of {
            crate::conformance::Whose::Product => "product",
            crate::conformance::Whose::Fixture => "fixture",
        };
        let entries: Vec<_> = expected.entries.iter().map(|entry| format!("`{entry}`")).collect();
        let set = expected.revision.unwrap_or("every set");
        let _ = writeln!(out, "- {whose}, {set}: {}. {}", expected.reason, entries.join(", "));
    }
}

fn refusals(out: &mut String) {
    out.push_str(
        "\n## Refusals\n\nOf 2026-07-28 over HTTP, in the order in which they are looked for. With a handshake the JSON-RPC error is the body of a \
         200, but for what is no JSON-RPC at all. What ClickHouse refuses is a result with `isError`.\n\n\
         | | status | code |\n| --- | --- | --- |\n",
    );
    for refused in REFUSED {
        let code = refused.code.map(|code| code.to_string()).unwrap_or_default();
        let _ = writeln!(out, "| {} | {} | {code} |", refused.what, refused.status);
    }
}
