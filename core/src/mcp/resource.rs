//! How resources are listed and read.

use serde_json::{Map, Value, json};

use super::Revision;

/// A resource, or a family of them, as clients find it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceDefinition {
    /// Where it is.
    pub address: Address,
    /// For programs and, before there were titles, for people.
    pub name: String,
    /// For people.
    pub title: String,
    /// For models.
    pub description: String,
    /// What its text is.
    pub mime_type: String,
}

/// Where a resource is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// One resource: a URI.
    Uri(String),
    /// A resource for every value of its variables: a template of RFC 6570, level 1.
    Template(String),
}

/// The result of `resources/list`, without what every stateless result carries.
pub fn resources_result<'a>(
    definitions: impl Iterator<Item = &'a ResourceDefinition>,
    revision: Revision,
) -> Value {
    let only = |definition: &&ResourceDefinition| matches!(definition.address, Address::Uri(_));
    json!({ "resources": listed(definitions.filter(only), revision) })
}

/// The result of `resources/templates/list`, without what every stateless result carries.
pub fn templates_result<'a>(
    definitions: impl Iterator<Item = &'a ResourceDefinition>,
    revision: Revision,
) -> Value {
    let only = |definition: &&ResourceDefinition| matches!(definition.address, Address::Template(_));
    json!({ "resourceTemplates": listed(definitions.filter(only), revision) })
}

/// The result of `resources/read` for one text, without what every stateless result carries.
pub fn read_result(uri: &str, mime_type: &str, text: &str) -> String {
    json!({ "contents": [{ "uri": uri, "mimeType": mime_type, "text": text }] }).to_string()
}

fn listed<'a>(definitions: impl Iterator<Item = &'a ResourceDefinition>, revision: Revision) -> Vec<Value> {
    definitions.map(|definition| definition.to_json(revision)).collect()
}

impl ResourceDefinition {
    fn to_json(&self, revision: Revision) -> Value {
        let mut resource = Map::new();
        let (member, address) = match &self.address {
            Address::Uri(uri) => ("uri", uri),
            Address::Template(template) => ("uriTemplate", template),
        };
        resource.insert(member.into(), json!(address));
        resource.insert("name".into(), json!(self.name));
        if revision.has_titles() {
            resource.insert("title".into(), json!(self.title));
        }
        resource.insert("description".into(), json!(self.description));
        resource.insert("mimeType".into(), json!(self.mime_type));
        Value::Object(resource)
    }
}
