//! From what was found to tools: which rule an object falls under, what its tool is called, and what gives way when two
//! want the same name.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::comment::Comment;
use super::found::FoundObject;
use super::made::MadeTool;
use crate::config::{OWN_TOOLS, RuleSource, ToolRule};

/// Tools that the rules may make for one person.
pub(super) const MOST_TOOLS: usize = 500;

/// The tools of these objects, and what the operator should hear. Objects come in the order of their names, so that the
/// outcome is the same each time.
pub(super) fn build(
    rules: &[ToolRule],
    views: &[FoundObject],
    tables: &[FoundObject],
) -> (Vec<Arc<MadeTool>>, Vec<String>) {
    let mut building = Building::default();
    for (source, objects) in [(RuleSource::View, views), (RuleSource::Table, tables)] {
        for object in objects {
            building.add(rules, source, object);
        }
    }
    for (at, rule) in rules.iter().enumerate() {
        if let (Some(name), false) = (&rule.name, building.used.contains(&at)) {
            building.warnings.push(format!(
                "The rule of `server.tools` named {name:?} matches no {} that the caller sees.",
                kind(rule.source)
            ));
        }
    }
    (building.tools, building.warnings)
}

/// The rules that an object falls under.
pub(super) fn matching<'r>(
    rules: &'r [ToolRule],
    source: RuleSource,
    full_name: &str,
) -> impl Iterator<Item = (usize, &'r ToolRule)> {
    rules
        .iter()
        .enumerate()
        .filter(move |(_, rule)| rule.source == source)
        .filter(move |(_, rule)| rule.pattern.is_match(full_name))
}

#[derive(Default)]
struct Building {
    tools: Vec<Arc<MadeTool>>,
    /// Which object each name went to.
    names: BTreeMap<String, String>,
    /// Rules that matched.
    used: BTreeSet<usize>,
    warnings: Vec<String>,
    cut: bool,
}

impl Building {
    fn add(&mut self, rules: &[ToolRule], source: RuleSource, object: &FoundObject) {
        let full_name = object.full_name();
        let mut found: Vec<(usize, &ToolRule)> = Vec::new();
        for rule in matching(rules, source, &full_name) {
            self.used.insert(rule.0);
            found.push(rule);
        }
        let rule = match found.as_slice() {
            [] => return,
            [(_, rule)] => *rule,
            [..] => {
                let patterns: Vec<&str> = found.iter().map(|(_, rule)| rule.pattern.as_str()).collect();
                return self.warn(source, object, &format!("several rules match it: {patterns:?}"));
            }
        };
        let name = rule.tool_name(&object.database, &object.name);
        if name.is_empty() {
            return self.warn(source, object, "its name has no letter or digit of ASCII");
        }
        if OWN_TOOLS.iter().any(|(own, _)| *own == name) {
            return self.warn(source, object, &format!("`{name}` is a tool of Housekey's own"));
        }
        if let Some(other) = self.names.get(&name) {
            let reason = format!("{other:?} has the name `{name}` already");
            return self.warn(source, object, &reason);
        }
        if self.tools.len() >= MOST_TOOLS {
            if !self.cut {
                self.cut = true;
                self.warnings.push(cut());
            }
            return;
        }
        if let Some(trouble) = Comment::read(&object.comment).trouble {
            self.warnings.push(format!("The comment of the {} {full_name:?} {trouble}.", kind(source)));
        }
        match MadeTool::of(name.clone(), source, object) {
            Ok(tool) => {
                self.names.insert(name, full_name);
                self.tools.push(Arc::new(tool));
            }
            Err(reason) => self.warn(source, object, &reason),
        }
    }

    fn warn(&mut self, source: RuleSource, object: &FoundObject, reason: &str) {
        let (kind, name) = (kind(source), object.full_name());
        self.warnings.push(format!("There is no tool of the {kind} {name:?}: {reason}."));
    }
}

/// What is said when there is more than is listed.
pub(super) fn cut() -> String {
    format!(
        "The rules of `server.tools` match more than is made into tools ({MOST_TOOLS} at most, and only what can be \
         looked at within the caps on rows and bytes): let them match less."
    )
}

fn kind(source: RuleSource) -> &'static str {
    match source {
        RuleSource::View => "view",
        RuleSource::Table => "table",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Pattern;
    use crate::tool::Tool;

    fn rule(pattern: &str, prefix: &str, name: Option<&str>) -> ToolRule {
        ToolRule {
            source: RuleSource::View,
            name: name.map(str::to_owned),
            prefix: prefix.to_owned(),
            pattern: Pattern::parse(pattern).unwrap(),
        }
    }

    fn views(names: &[&str]) -> Vec<FoundObject> {
        let object = |name: &&str| {
            let (database, name) = name.split_once('.').unwrap();
            FoundObject { database: database.into(), name: name.into(), ..FoundObject::default() }
        };
        names.iter().map(object).collect()
    }

    fn built(rules: &[ToolRule], names: &[&str]) -> (Vec<String>, Vec<String>) {
        let (tools, warnings) = build(rules, &views(names), &[]);
        (tools.iter().map(|tool| tool.definition().name.clone()).collect(), warnings)
    }

    #[test]
    fn names_come_from_the_rule_or_the_object() {
        let rules = [rule(r"^sales\.", "s_", None), rule(r"^hr\.pay$", "", Some("Pay roll"))];
        let (names, warnings) = built(&rules, &["hr.pay", "other.x", "sales.Top 10"]);
        assert_eq!(names, ["pay_roll", "s_sales_top_10"]);
        assert!(warnings.is_empty(), "{warnings:?}");
    }

    #[test]
    fn what_is_not_clear_is_reported_and_decided_the_same_way_each_time() {
        for (rules, objects, names, part) in [
            (
                vec![rule("a", "", None), rule("b", "", None)],
                &["x.ab", "x.b"][..],
                &["x_b"][..],
                "several rules match it",
            ),
            (
                vec![rule("a", "", None)],
                &["x.a b", "x.a-b"],
                &["x_a_b"],
                "\"x.a b\" has the name `x_a_b` already",
            ),
            (
                vec![rule("x", "", Some("one"))],
                &["a.x", "b.x"],
                &["one"],
                "\"a.x\" has the name `one` already",
            ),
            (vec![rule("x", "", Some("one"))], &["a.y"], &[], "matches no view that the caller sees"),
            (
                vec![rule("q", "", None)],
                &["execute.query"],
                &[],
                "`execute_query` is a tool of Housekey's own",
            ),
            (vec![rule("имя", "", None)], &["имя.имя"], &[], "has no letter or digit"),
        ] {
            let (found, warnings) = built(&rules, objects);
            assert_eq!(found, names, "{objects:?}");
            let [warning] = warnings.as_slice() else { panic!("{warnings:?}") };
            assert!(warning.contains(part), "{warning}");
        }
    }

    #[test]
    fn there_is_an_end_to_the_number_of_tools() {
        let names: Vec<String> = (0..600).map(|number| format!("a.v{number:03}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let (found, warnings) = built(&[rule("", "", None)], &names);
        assert_eq!(found.len(), MOST_TOOLS);
        assert_eq!(warnings, [cut()]);
    }
}
