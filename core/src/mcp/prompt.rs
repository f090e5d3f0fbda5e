//! How prompts are listed and given.

use serde_json::{Map, Value, json};

use super::Revision;

/// A prompt as `prompts/list` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PromptDefinition {
    /// For programs.
    pub name: String,
    /// For people.
    pub title: String,
    /// What it is good for.
    pub description: String,
    /// What it wants to know, in the order in which people are asked.
    pub arguments: Vec<PromptArgument>,
}

/// Something that a prompt wants to know. Its value is a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PromptArgument {
    /// For programs.
    pub name: String,
    /// For people.
    pub title: String,
    /// What to say.
    pub description: String,
    /// Whether the prompt cannot do without it.
    pub required: bool,
}

/// The result of `prompts/list`, without what every stateless result carries.
pub fn prompts_result<'a>(
    definitions: impl Iterator<Item = &'a PromptDefinition>,
    revision: Revision,
) -> Value {
    let prompts: Vec<Value> = definitions.map(|definition| definition.to_json(revision)).collect();
    json!({ "prompts": prompts })
}

/// The result of `prompts/get` for one message of the user's, without what every stateless result carries.
pub fn prompt_result(description: &str, text: &str) -> String {
    let message = json!({ "role": "user", "content": { "type": "text", "text": text } });
    json!({ "description": description, "messages": [message] }).to_string()
}

impl PromptDefinition {
    fn to_json(&self, revision: Revision) -> Value {
        let mut prompt = Map::new();
        prompt.insert("name".into(), json!(self.name));
        if revision.has_titles() {
            prompt.insert("title".into(), json!(self.title));
        }
        prompt.insert("description".into(), json!(self.description));
        let arguments: Vec<Value> =
            self.arguments.iter().map(|argument| argument.to_json(revision)).collect();
        prompt.insert("arguments".into(), Value::Array(arguments));
        Value::Object(prompt)
    }
}

impl PromptArgument {
    fn to_json(&self, revision: Revision) -> Value {
        let mut argument = Map::new();
        argument.insert("name".into(), json!(self.name));
        if revision.has_titles() {
            argument.insert("title".into(), json!(self.title));
        }
        argument.insert("description".into(), json!(self.description));
        argument.insert("required".into(), json!(self.required));
        Value::Object(argument)
    }
}
