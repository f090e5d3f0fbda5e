//! The arguments of a call, read name by name. What does not fit is told in words that name the argument.

use serde_json::Value;

use crate::jsonrpc::Params;

/// The arguments of a call, of which every name is one that the tool knows.
#[derive(Clone, Copy)]
pub(super) struct Arguments<'a> {
    given: &'a Params,
}

impl<'a> Arguments<'a> {
    /// Refuses unknown names: a model that invents an argument would otherwise believe that it had an effect.
    pub(super) fn read(given: &'a Params, known: &[&str]) -> Result<Self, String> {
        if let Some(unknown) = given.keys().find(|name| !known.contains(&name.as_str())) {
            let unknown: String = unknown.chars().take(64).collect();
            return Err(match known {
                [] => format!("there is no argument {unknown:?}: this tool takes none"),
                [only] => format!("there is no argument {unknown:?}: `{only}` is the only one"),
                [first @ .., last] => {
                    format!("there is no argument {unknown:?}: `{}` and `{last}` are all", first.join("`, `"))
                }
            });
        }
        Ok(Self { given })
    }

    /// The arguments of a call, of which some are looked at elsewhere.
    pub(super) fn any(given: &'a Params) -> Self {
        Self { given }
    }

    /// The value of an argument; null counts as absent, since some clients send what is not there as null.
    pub(super) fn value(self, name: &str) -> Option<&'a Value> {
        self.given.get(name).filter(|value| !value.is_null())
    }

    /// A text.
    pub(super) fn text(self, name: &str) -> Result<Option<&'a str>, String> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(format!("`{name}` must be a string")),
        }
    }

    /// A text that must be there and not be empty; `what` says what it is for.
    pub(super) fn needed(self, name: &str, what: &str) -> Result<&'a str, String> {
        match self.text(name)? {
            Some(text) if !text.is_empty() => Ok(text),
            Some(_) => Err(format!("`{name}` is empty: {what}")),
            None => Err(format!("`{name}` is missing: {what}")),
        }
    }

    /// A whole number of at least one; `10.0` is one too, since some clients know no integers.
    pub(super) fn whole(self, name: &str) -> Result<Option<u64>, String> {
        let Some(value) = self.value(name) else { return Ok(None) };
        whole(value).map(Some).ok_or_else(|| format!("`{name}` must be a whole number of at least 1"))
    }

    /// True or false.
    pub(super) fn flag(self, name: &str) -> Result<Option<bool>, String> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(_) => Err(format!("`{name}` must be true or false")),
        }
    }

    /// An object.
    pub(super) fn object(self, name: &str) -> Result<Option<&'a Params>, String> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::Object(object)) => Ok(Some(object)),
            Some(_) => Err(format!("`{name}` must be an object")),
        }
    }
}

fn whole(value: &Value) -> Option<u64> {
    let number = value.as_u64().or_else(|| {
        let number = value.as_f64()?;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range is checked")]
        (number.fract() == 0.0 && (1.0..9e15).contains(&number)).then_some(number as u64)
    })?;
    (number >= 1).then_some(number)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_does_not_fit_is_named() {
        let Value::Object(given) = json!({
            "n": 1.5, "t": 7, "f": "yes", "o": [], "e": "", "null": null, "ten": 10.0, "zero": 0
        }) else {
            panic!("an object")
        };
        let known = ["n", "t", "f", "o", "e", "null", "ten", "zero"];
        let arguments = Arguments::read(&given, &known).unwrap();
        for (told, wanted) in [
            (arguments.whole("n").map(drop), Err("`n` must be a whole number of at least 1")),
            (arguments.whole("zero").map(drop), Err("`zero` must be a whole number of at least 1")),
            (arguments.text("t").map(drop), Err("`t` must be a string")),
            (arguments.flag("f").map(drop), Err("`f` must be true or false")),
            (arguments.object("o").map(drop), Err("`o` must be an object")),
            (arguments.needed("e", "a name").map(drop), Err("`e` is empty: a name")),
            (arguments.needed("null", "a name").map(drop), Err("`null` is missing: a name")),
        ] {
            assert_eq!(told, wanted.map_err(str::to_owned));
        }
        assert_eq!(arguments.whole("ten"), Ok(Some(10)));
        assert_eq!(arguments.whole("null"), Ok(None));
    }

    #[test]
    fn unknown_arguments_are_refused_with_those_that_are_known() {
        let Value::Object(given) = json!({ "sql": "x" }) else { panic!("an object") };
        for (known, wanted) in [
            (&[][..], "there is no argument \"sql\": this tool takes none"),
            (&["query"], "there is no argument \"sql\": `query` is the only one"),
            (&["a", "b", "c"], "there is no argument \"sql\": `a`, `b` and `c` are all"),
        ] {
            assert_eq!(Arguments::read(&given, known).map(drop), Err(wanted.to_owned()));
        }
    }
}
