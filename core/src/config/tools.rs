//! `server.tools`, and `server.dynamic_tools` as it was before: which tools there are, and what others are made of.

use sha2::{Digest, Sha256};

use super::error::ConfigError;
use super::pattern::Pattern;
use super::reader::Reader;
use super::value::{Object, quoted};

/// Housekey's own tools, and whether each writes.
pub const OWN_TOOLS: [(&str, bool); 7] = [
    ("execute_query", false),
    ("write_query", true),
    ("list_databases", false),
    ("list_tables", false),
    ("describe_table", false),
    ("explain_query", false),
    ("search_schema", false),
];

/// Bytes that the name of a tool may have.
const LONGEST_NAME: usize = 64;
/// Rules that a configuration may have.
const MOST_RULES: usize = 100;

const TOOLS: &str = "server.tools";
const DYNAMIC_TOOLS: &str = "server.dynamic_tools";

/// Which tools there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tools {
    /// Those of Housekey's own that are offered, by name; `None` for all.
    pub own: Option<Vec<String>>,
    /// What others are made of.
    pub rules: Vec<ToolRule>,
    /// Seconds for which what the rules found is kept.
    pub ttl: u64,
}

/// A rule that makes tools of what it matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolRule {
    /// What it is about.
    pub source: RuleSource,
    /// The name of its one tool; without one, tools are called after their objects.
    pub name: Option<String>,
    /// What the names of its tools begin with.
    pub prefix: String,
    /// What `database.name` must match.
    pub pattern: Pattern,
}

/// What a rule is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RuleSource {
    /// Views, which are read.
    View,
    /// Tables, into which rows are inserted.
    Table,
}

impl ToolRule {
    /// The name of the tool that it makes of an object.
    pub fn tool_name(&self, database: &str, object: &str) -> String {
        match &self.name {
            Some(name) => tool_name(&format!("{}{name}", self.prefix)),
            None => tool_name(&format!("{}{database}.{object}", self.prefix)),
        }
    }
}

/// A text as the name of a tool: lower case, and `_` for each run of what is no letter or digit of ASCII. One that is
/// too long ends in a digest, so that two of them stay two.
fn tool_name(text: &str) -> String {
    let mut name = String::with_capacity(text.len());
    for character in text.chars().map(|character| character.to_ascii_lowercase()) {
        if character.is_ascii_alphanumeric() {
            name.push(character);
        } else if !name.is_empty() && !name.ends_with('_') {
            name.push('_');
        }
    }
    name.truncate(name.trim_end_matches('_').len());
    if name.len() > LONGEST_NAME {
        let digest = Sha256::digest(text.as_bytes());
        name.truncate(LONGEST_NAME - 9);
        name.push('_');
        name.extend(digest.iter().take(4).map(|byte| format!("{byte:02x}")));
    }
    name
}

/// What a configuration offers of Housekey's own tools and what it makes of objects, while it is read.
#[derive(Default)]
struct Found {
    own: Vec<String>,
    rules: Vec<ToolRule>,
}

impl Reader<'_> {
    pub(super) fn tools(&mut self) -> Tools {
        let mut found = Found::default();
        let (entries, legacy) = (self.objects(TOOLS), self.objects(DYNAMIC_TOOLS));
        for (at, entry) in entries.iter().enumerate() {
            Entry { reader: self, list: TOOLS, at, entry }.read(&mut found);
        }
        for (at, entry) in legacy.iter().enumerate() {
            Entry { reader: self, list: DYNAMIC_TOOLS, at, entry }.read(&mut found);
        }
        if found.rules.len() > MOST_RULES {
            self.rule(&format!("`{TOOLS}` has more than {MOST_RULES} rules: let one match more"));
        }
        if entries.is_empty() && !legacy.is_empty() {
            let name = self.gathered.name(DYNAMIC_TOOLS);
            self.warn(&format!(
                "{name} replaces Housekey's own tools, as in altinity-mcp: there is no `execute_query`. Write the \
                 rules as `{TOOLS}`, with `view_regexp` or `table_regexp` for `regexp`, and add an entry such as \
                 `{{type: read, name: execute_query}}` for each tool that is to stay."
            ));
        }
        let replaced = !entries.is_empty() || !legacy.is_empty();
        Tools { own: replaced.then_some(found.own), rules: found.rules, ttl: self.number("server.tools_ttl") }
    }
}

/// One entry of a list.
struct Entry<'e, 'r> {
    reader: &'e mut Reader<'r>,
    list: &'static str,
    at: usize,
    entry: &'e Object,
}

impl<'e> Entry<'e, '_> {
    fn read(mut self, found: &mut Found) {
        let known: &[&str] = match self.list {
            TOOLS => &["type", "name", "view_regexp", "table_regexp", "prefix", "mode"],
            _ => &["type", "name", "regexp", "prefix", "mode"],
        };
        for (key, _) in self.entry {
            if !known.contains(&key.as_str()) {
                self.problem(key, &format!("is not one of its keys: `{}`", known.join("`, `")));
            }
        }
        let writes = match self.text("type") {
            None => None,
            Some("read") => Some(false),
            Some("write") => Some(true),
            Some(other) => {
                let problem = format!("takes `read` or `write`, not {}", quoted(other));
                return self.problem("type", &problem);
            }
        };
        let source = match (self.text("view_regexp"), self.text("table_regexp"), self.text("regexp")) {
            (Some(_), Some(_), _) => {
                return self.problem("view_regexp", "excludes `table_regexp`: write two entries");
            }
            (Some(text), None, _) => Some(("view_regexp", RuleSource::View, text)),
            (None, Some(text), _) => Some(("table_regexp", RuleSource::Table, text)),
            (None, None, Some(text)) if writes == Some(true) => Some(("regexp", RuleSource::Table, text)),
            (None, None, Some(text)) => Some(("regexp", RuleSource::View, text)),
            (None, None, None) => None,
        };
        match source {
            Some((key, source, text)) => self.rule(found, key, source, text, writes),
            None if self.list == TOOLS => self.own(found, writes),
            None => self.problem("regexp", "is missing"),
        }
    }

    /// One of Housekey's own tools.
    fn own(mut self, found: &mut Found, writes: Option<bool>) {
        let Some(name) = self.text("name") else {
            return self.problem("name", "is missing, and so are `view_regexp` and `table_regexp`");
        };
        let Some((name, tool_writes)) = OWN_TOOLS.iter().find(|(own, _)| *own == name) else {
            let names: Vec<&str> = OWN_TOOLS.iter().map(|(own, _)| *own).collect();
            let problem = format!(
                "names {}, which needs `view_regexp` or `table_regexp`: without one it is a tool of Housekey's own, `{}`",
                quoted(name),
                names.join("`, `")
            );
            return self.problem("name", &problem);
        };
        for key in ["prefix", "mode"] {
            if self.text(key).is_some() {
                return self.problem(key, "needs `view_regexp` or `table_regexp`");
            }
        }
        if writes.is_some_and(|writes| writes != *tool_writes) {
            let kind = if *tool_writes { "write" } else { "read" };
            return self.problem("type", &format!("is `{kind}` for the tool `{name}`"));
        }
        if found.own.iter().any(|other| other == name) {
            return self.problem("name", &format!("names `{name}` again"));
        }
        found.own.push((*name).to_owned());
    }

    /// A rule.
    fn rule(mut self, found: &mut Found, key: &str, source: RuleSource, text: &str, writes: Option<bool>) {
        match (source, writes, self.text("mode")) {
            (RuleSource::View, Some(true), _) => return self.problem("type", "is `read` for views"),
            (RuleSource::Table, Some(false), _) => return self.problem("type", "is `write` for tables"),
            (RuleSource::View, _, Some(_)) => return self.problem("mode", "is for tables"),
            (RuleSource::Table, _, None) => {
                return self.problem("mode", "is missing: tables take `mode: insert`");
            }
            (RuleSource::Table, _, Some(mode)) if mode != "insert" => {
                return self.problem("mode", &format!("takes `insert`, not {}", quoted(mode)));
            }
            (RuleSource::View, _, None) | (RuleSource::Table, _, Some(_)) => {}
        }
        let pattern = match Pattern::parse(text) {
            Ok(pattern) => pattern,
            Err(problem) => return self.problem(key, &problem),
        };
        let name = self.text("name").map(str::to_owned);
        let prefix = self.text("prefix").unwrap_or_default().to_owned();
        let rule = ToolRule { source, name, prefix, pattern };
        if let Some(name) = &rule.name {
            let tool = rule.tool_name("", "");
            if tool.is_empty() {
                return self.problem("name", "has no letter or digit of ASCII");
            }
            if OWN_TOOLS.iter().any(|(own, _)| *own == tool) {
                let problem =
                    format!("makes {} of {}, a tool of Housekey's own", quoted(&tool), quoted(name));
                return self.problem("name", &problem);
            }
            let same = |other: &ToolRule| other.name.is_some() && other.tool_name("", "") == tool;
            if found.rules.iter().any(same) {
                return self.problem("name", &format!("names {} again", quoted(&tool)));
            }
        }
        found.rules.push(rule);
    }

    /// What an entry says, if it says anything.
    fn text(&self, key: &str) -> Option<&'e str> {
        let entry: &'e Object = self.entry;
        let value = entry.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str());
        value.filter(|value| !value.is_empty())
    }

    fn problem(&mut self, key: &str, problem: &str) {
        let at =
            format!("{} of entry {} of {}", quoted(key), self.at + 1, self.reader.gathered.name(self.list));
        self.reader.problems.push(ConfigError::Value { at, problem: problem.to_owned() });
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::native;
    use super::*;

    fn tools(document: &str) -> Tools {
        native(document, &[], &[]).unwrap().config.server.tools
    }

    #[test]
    fn names_are_those_of_the_peer() {
        for (text, name) in [
            ("sales.revenue_by_product", "sales_revenue_by_product"),
            ("Rep-Sales.Top  10%", "rep_sales_top_10"),
            ("__a..b__", "a_b"),
            ("x.имя", "x"),
            ("имя.имя", ""),
            ("a`b\"c'.d\\e", "a_b_c_d_e"),
        ] {
            assert_eq!(tool_name(text), name, "{text}");
        }
        let (one, two) =
            (tool_name(&format!("a.{}", "x".repeat(90))), tool_name(&format!("a.{}", "x".repeat(91))));
        assert_eq!((one.len(), two.len()), (64, 64));
        assert_ne!(one, two);
    }

    #[test]
    fn entries_are_tools_of_housekeys_own_or_rules() {
        assert_eq!(tools(""), Tools { own: None, rules: Vec::new(), ttl: 300 });
        assert_eq!(tools("server: {tools: []}").own, None);
        let found = tools(
            "server:\n  tools_ttl: 5\n  tools:\n    - {type: read, name: execute_query}\n    - {view_regexp: '^sales\\.', prefix: rep_}\n    - {type: write, table_regexp: 'x', mode: insert, name: Note}\n",
        );
        assert_eq!(found.own, Some(vec!["execute_query".to_owned()]));
        assert_eq!(found.ttl, 5);
        let [views, tables] = found.rules.as_slice() else { panic!("two rules: {found:?}") };
        assert_eq!((views.source, tables.source), (RuleSource::View, RuleSource::Table));
        assert_eq!(views.tool_name("sales", "A b"), "rep_sales_a_b");
        assert_eq!(tables.tool_name("sales", "A b"), "note");

        let json = r#"{"server": {"tools": [{"type": "read", "view_regexp": "a"}]}}"#;
        let found = native("", &[("HOUSEKEY_CONFIG", json)], &[]).unwrap();
        assert_eq!(found.config.server.tools.rules.len(), 1);
        assert_eq!(found.config.server.tools.own, Some(Vec::new()));
        assert!(found.warnings.iter().all(|warning| !warning.contains("tools")), "{:?}", found.warnings);
    }

    #[test]
    fn the_older_list_alone_leaves_no_tool_of_housekeys_own_and_says_so() {
        let old =
            "server: {dynamic_tools: [{regexp: a, prefix: p_}, {regexp: b, type: write, mode: insert}]}";
        let loaded = native(old, &[], &[]).unwrap();
        let sources: Vec<_> = loaded.config.server.tools.rules.iter().map(|rule| rule.source).collect();
        assert_eq!(sources, [RuleSource::View, RuleSource::Table]);
        assert_eq!(loaded.config.server.tools.own, Some(Vec::new()));
        assert!(loaded.warnings.iter().any(|warning| warning.contains("`server.tools`, with `view_regexp`")));
        let both = "server: {tools: [{name: list_tables}], dynamic_tools: [{regexp: a}]}";
        let loaded = native(both, &[], &[]).unwrap();
        assert_eq!(loaded.config.server.tools.own, Some(vec!["list_tables".to_owned()]));
        assert!(loaded.warnings.iter().all(|warning| !warning.contains("dynamic_tools")));
    }

    #[test]
    fn what_changes_tools_changes_the_generation() {
        let generation = |document: &str| native(document, &[], &[]).unwrap().config.generation;
        let one = generation("server: {tools: [{view_regexp: a}]}");
        assert_ne!(one, generation("server: {tools: [{view_regexp: b}]}"));
        assert_ne!(one, generation("server: {tools: [{view_regexp: a, prefix: p}]}"));
        assert_ne!(one, generation("server: {tools: [{view_regexp: a}, {name: list_tables}]}"));
        assert_ne!(one, generation("server: {dynamic_tools: [{regexp: a}]}"));
        assert_eq!(one, generation("server: {tools: [{view_regexp: a}]}"));
    }

    #[test]
    fn wrong_entries_are_named() {
        for (entries, wanted) in [
            ("7", "`server.tools` in housekey.yaml takes a list of objects"),
            ("[7]", "`server.tools` in housekey.yaml takes a list of objects, and entry 1 is none"),
            ("[{name: [a]}]", "takes plain values, also for `name` of entry 1"),
            (
                "[{view_regexp: a, regex: b}]",
                "`regex` of entry 1 of `server.tools` in housekey.yaml is not one of its keys",
            ),
            (
                "[{view_regexp: '('}]",
                "`view_regexp` of entry 1 of `server.tools` in housekey.yaml is not a regular expression",
            ),
            (
                "[{type: both, view_regexp: a}]",
                "`type` of entry 1 of `server.tools` in housekey.yaml takes `read` or `write`, not `both`",
            ),
            ("[{view_regexp: a, table_regexp: b}]", "excludes `table_regexp`"),
            (
                "[{type: write, view_regexp: a}]",
                "`type` of entry 1 of `server.tools` in housekey.yaml is `read` for views",
            ),
            ("[{type: read, table_regexp: a, mode: insert}]", "is `write` for tables"),
            (
                "[{type: write, table_regexp: a}]",
                "`mode` of entry 1 of `server.tools` in housekey.yaml is missing",
            ),
            ("[{table_regexp: a, mode: upsert}]", "takes `insert`, not `upsert`"),
            (
                "[{view_regexp: a, mode: insert}]",
                "`mode` of entry 1 of `server.tools` in housekey.yaml is for tables",
            ),
            ("[{type: read}]", "`name` of entry 1 of `server.tools` in housekey.yaml is missing"),
            ("[{name: run_query}]", "names `run_query`, which needs `view_regexp`"),
            (
                "[{name: execute_query, prefix: a}]",
                "`prefix` of entry 1 of `server.tools` in housekey.yaml needs",
            ),
            ("[{name: execute_query, type: write}]", "is `read` for the tool `execute_query`"),
            (
                "[{name: list_tables}, {name: list_tables}]",
                "`name` of entry 2 of `server.tools` in housekey.yaml names `list_tables` again",
            ),
            ("[{name: Execute-Query, view_regexp: a}]", "makes `execute_query` of `Execute-Query`"),
            ("[{name: query, prefix: execute_, view_regexp: a}]", "a tool of Housekey's own"),
            ("[{name: имя, view_regexp: a}]", "has no letter or digit"),
            (
                "[{name: A, view_regexp: a}, {name: a, view_regexp: b}]",
                "`name` of entry 2 of `server.tools` in housekey.yaml names `a` again",
            ),
        ] {
            let text = native(&format!("server: {{tools: {entries}}}"), &[], &[]).unwrap_err().to_string();
            assert!(text.contains(wanted), "{entries}: {text}");
        }
        let text = native("server: {dynamic_tools: [{name: a}, {view_regexp: a}]}", &[], &[])
            .unwrap_err()
            .to_string();
        assert!(
            text.contains("`regexp` of entry 1 of `server.dynamic_tools` in housekey.yaml is missing"),
            "{text}"
        );
        assert!(text.contains("`view_regexp` of entry 2"), "{text}");
    }
}
