//! `server.oauth.identity_map`: from the name in a claim to the name of a ClickHouse user.
//!
//! Rules are applied in their order, each to what the one before it made. A rule for one person ends the way: whom an
//! operator named is not changed any more. What comes of it has to pass the law of names all the same.

use crate::config::error::ConfigError;
use crate::config::pattern::Pattern;
use crate::config::reader::Reader;
use crate::config::value::{Object, quoted};

/// The rules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IdentityMap(Vec<MapRule>);

/// A rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MapRule {
    /// Takes `@domain` off a name that ends in it, whatever the case of the domain.
    StripDomain(String),
    /// Writes the name in lower case.
    LowerCase,
    /// Puts a text in place of a whole name that matches; `$1` and `${name}` stand for captures.
    Regexp(Pattern, String),
    /// Gives one person this user.
    User(String, String),
}

/// Rules that a map may have.
const MOST_RULES: usize = 10_000;
/// Bytes that a replacement may have.
const LONGEST: usize = 256;
const PATH: &str = "server.oauth.identity_map";

impl IdentityMap {
    /// A map of these rules.
    pub fn of(rules: Vec<MapRule>) -> Self {
        Self(rules)
    }

    /// The rules, in their order.
    pub fn rules(&self) -> &[MapRule] {
        &self.0
    }

    /// The user that a name stands for. It may be empty or denied: that is for the law of names to judge.
    pub fn user_of(&self, name: &str) -> String {
        let mut name = name.to_owned();
        for rule in &self.0 {
            match rule {
                MapRule::StripDomain(domain) => {
                    if let Some((local, theirs)) = name.rsplit_once('@')
                        && theirs.eq_ignore_ascii_case(domain)
                    {
                        name = local.to_owned();
                    }
                }
                MapRule::LowerCase => name = name.to_lowercase(),
                MapRule::Regexp(pattern, replacement) => {
                    if let Some(replaced) = pattern.replace(&name, replacement) {
                        name = replaced;
                    }
                }
                MapRule::User(person, user) if *person == name => return user.clone(),
                MapRule::User(_, _) => {}
            }
        }
        name
    }
}

impl Reader<'_> {
    pub(super) fn identity_map(&mut self) -> IdentityMap {
        let entries = self.objects(PATH);
        if entries.len() > MOST_RULES {
            self.value_problem(
                PATH,
                &format!("has more than {MOST_RULES} rules: let a `regexp` do for several"),
            );
        }
        let mut rules = Vec::with_capacity(entries.len());
        for (at, entry) in entries.iter().enumerate() {
            match rule(entry) {
                Ok(rule) => rules.push(rule),
                Err(problem) => {
                    let at = format!("entry {} of {}", at + 1, self.gathered.name(PATH));
                    self.problems.push(ConfigError::Value { at, problem });
                }
            }
        }
        IdentityMap(rules)
    }
}

/// The keys of each rule, its name first.
const FORMS: [(&str, &[&str]); 4] = [
    ("strip_domain", &["domain"]),
    ("lower_case", &[]),
    ("regexp", &["pattern", "replacement"]),
    ("user", &["identity", "username"]),
];

fn rule(entry: &Object) -> Result<MapRule, String> {
    let text = |key: &str| {
        let value = entry.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str());
        value.ok_or_else(|| format!("lacks `{key}`"))
    };
    let name = text("rule")?;
    let names = FORMS.map(|(form, _)| form);
    let Some((_, keys)) = FORMS.iter().find(|(form, _)| *form == name) else {
        return Err(format!("has {} as its `rule`, which takes `{}`", quoted(name), names.join("`, `")));
    };
    if let Some((stray, _)) = entry.iter().find(|(key, _)| key != "rule" && !keys.contains(&key.as_str())) {
        return Err(format!("has {}, which is not a key of the rule `{name}`", quoted(stray)));
    }
    match name {
        "strip_domain" => {
            let domain = text("domain")?;
            if domain.is_empty() || domain.contains(['@', ' ', '*']) {
                return Err("has a `domain` that is none: write it as `example.com`".to_owned());
            }
            Ok(MapRule::StripDomain(domain.to_owned()))
        }
        "lower_case" => Ok(MapRule::LowerCase),
        "regexp" => {
            let pattern = Pattern::parse_whole(text("pattern")?)
                .map_err(|problem| format!("has a `pattern` that {problem}"))?;
            let replacement = text("replacement")?;
            if replacement.len() > LONGEST {
                return Err(format!("has a `replacement` of more than {LONGEST} bytes"));
            }
            if let Some(missing) = pattern.missing_capture(replacement) {
                return Err(format!(
                    "has a `replacement` that names the capture {}, and there is none",
                    quoted(&missing)
                ));
            }
            Ok(MapRule::Regexp(pattern, replacement.to_owned()))
        }
        _ => {
            let (identity, username) = (text("identity")?, text("username")?);
            if identity.is_empty() || username.is_empty() {
                return Err("has an empty `identity` or `username`".to_owned());
            }
            Ok(MapRule::User(identity.to_owned(), username.to_owned()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::native;
    use super::*;

    fn map(rules: &str) -> Result<IdentityMap, String> {
        let document = format!(
            "server: {{transport: http, oauth: {{enabled: true, mode: resource, issuer: 'https://idp.example.com', audience: a, identity_map: {rules}}}}}"
        );
        let loaded = native(&document, &[], &[]).map_err(|errors| errors.to_string())?;
        Ok(loaded.config.server.oauth.unwrap().naming.map)
    }

    #[test]
    fn rules_are_applied_in_their_order() {
        let map = map(
            "[{rule: user, identity: Boss@Example.com, username: chief}, {rule: lower_case}, \
             {rule: strip_domain, domain: example.com}, {rule: regexp, pattern: '(.+)@([a-z]+)\\.test', replacement: '${2}_$1'}]",
        )
        .unwrap();
        for (name, user) in [
            ("Boss@Example.com", "chief"),
            ("boss@example.com", "boss"),
            ("Alice@EXAMPLE.COM", "alice"),
            ("alice@partner.test", "partner_alice"),
            ("x alice@partner.test y", "x alice@partner.test y"),
            ("alice@other.org", "alice@other.org"),
            ("@example.com", ""),
            ("a@b@example.com", "a@b"),
        ] {
            assert_eq!(map.user_of(name), user, "{name}");
        }
        assert_eq!(IdentityMap::default().user_of("Any Name"), "Any Name");
    }

    #[test]
    fn wrong_rules_are_named() {
        for (rules, wanted) in [
            ("[{domain: a}]", "lacks `rule`"),
            ("[{rule: upper}]", "`strip_domain`, `lower_case`, `regexp`, `user`"),
            ("[{rule: lower_case, domain: a}]", "is not a key of the rule `lower_case`"),
            ("[{rule: strip_domain, domain: '@a'}]", "write it as `example.com`"),
            ("[{rule: regexp, pattern: '(', replacement: a}]", "`pattern` that is not a regular expression"),
            ("[{rule: regexp, pattern: '(a)', replacement: '$2'}]", "names the capture"),
            ("[{rule: user, identity: a, username: ''}]", "empty `identity` or `username`"),
            ("[{rule: lower_case}, {rule: user, identity: a}]", "entry 2 of"),
        ] {
            let error = map(rules).unwrap_err();
            assert!(error.contains(wanted), "{rules}: {error}");
        }
    }
}
