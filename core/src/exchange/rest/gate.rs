//! What the head of a request proves before anything of its body is read.

use http::header::HOST;
use http::request::Parts;
use http::uri::Authority;
use http::{HeaderMap, Method};

use super::query;
use super::{BY_GET, RestCall, RestError};
use crate::config::Config;
use crate::env::Env;
use crate::exchange::admit::{Purpose, Unsettled, authenticate};
use crate::exchange::failure::Failure;
use crate::exchange::oauth::OAuthTrouble;
use crate::exchange::route::{RestPath, Route};
use crate::exchange::service::Service;
use crate::identity::{BearerError, Caller, Order};
use crate::secret::Secret;
use crate::transport::headers::{check_json_head, check_json_is_taken};

/// Where a schema says that its paths are.
pub(in crate::exchange) struct Site {
    /// The URL before the paths.
    pub(in crate::exchange) base: String,
    /// Whether the paths begin with a token.
    pub(in crate::exchange) below_token: bool,
}

/// Whether a route belongs to a REST interface that is there, and so is answered in its manner.
pub(in crate::exchange) fn is_switched_on(config: &Config, route: &Route) -> bool {
    config.server.openapi.enabled && matches!(route, Route::OpenApi { .. })
}

/// Judges a request for the REST interface: method, authentication, the page that asks, types and length, the query.
pub(in crate::exchange) fn judge(
    env: &mut Env<'_>,
    service: &Service,
    head: &Parts,
    token: Option<&Secret<String>>,
    path: &RestPath,
) -> Result<Purpose, Unsettled> {
    if !service.config.server.openapi.enabled {
        // What is not there is told to those alone who might use it.
        let Some(token) = token else { return Err(Failure::NoSuchPath.into()) };
        authenticate(env, service, head, Some(token), Order::OpenApi)?;
        return Err(Failure::NoRest.into());
    }
    let is_get = head.method == Method::GET;
    match path {
        RestPath::Schema if !is_get => Err(Failure::Method { allow: "GET" }.into()),
        RestPath::Schema => {
            let caller = anybody(env, service, head, token)?;
            check_json_is_taken(&head.headers).map_err(Failure::Head)?;
            query::none(head.uri.query())?;
            let site = Site { base: base(&service.config, head), below_token: token.is_some() };
            Ok(Purpose::Schema(caller, site))
        }
        RestPath::Tool(tool) => {
            let by_get = tool == BY_GET;
            match (is_get, by_get) {
                (true, false) => return Err(Failure::Method { allow: "POST" }.into()),
                (false, true) if head.method != Method::POST => {
                    return Err(Failure::Method { allow: "GET, POST" }.into());
                }
                (false, false) if head.method != Method::POST => {
                    return Err(Failure::Method { allow: "POST" }.into());
                }
                _ => {}
            }
            let caller = authenticate(env, service, head, token, Order::OpenApi)?;
            let in_url = if is_get {
                check_page(&head.headers)?;
                check_json_is_taken(&head.headers).map_err(Failure::Head)?;
                let query = head.uri.query().unwrap_or_default();
                Some((arguments(service, &caller, tool, query)?, query.to_owned()))
            } else {
                let most = service.config.server.max_body_bytes;
                check_json_head(&head.headers, most).map_err(Failure::Head)?;
                query::none(head.uri.query())?;
                None
            };
            Ok(Purpose::Rest(caller, Box::new(RestCall { tool: tool.clone(), in_url })))
        }
    }
}

fn arguments(
    service: &Service,
    caller: &Caller,
    tool: &str,
    query: &str,
) -> Result<crate::jsonrpc::Params, Failure> {
    let Some(found) = service.tools.find(tool, &caller.access) else {
        return Err(RestError::NoSuchTool(tool.to_owned()).into());
    };
    let settings = &service.config.server.tool_input_settings;
    let arguments = query::arguments(query, &found.definition().input_schema, settings);
    arguments.map_err(|error| RestError::Query(error).into())
}

/// Who asks for the schema. Those who build a client have no token yet, so none is needed; one that is given counts,
/// and must be good.
fn anybody(
    env: &mut Env<'_>,
    service: &Service,
    head: &Parts,
    token: Option<&Secret<String>>,
) -> Result<Option<Caller>, Unsettled> {
    match authenticate(env, service, head, token, Order::OpenApi) {
        Ok(caller) => Ok(Some(caller)),
        Err(Unsettled::Failure(
            Failure::Bearer(BearerError::Missing) | Failure::OAuth(OAuthTrouble::Missing, _),
        )) => Ok(None),
        Err(unsettled) => Err(unsettled),
    }
}

/// A browser fetches an image or a script for a page of any site without a preflight and without `Origin`, but says so
/// (Fetch Metadata, section 2.1). An answer could not be read that way, but the query would run.
fn check_page(headers: &HeaderMap) -> Result<(), Failure> {
    let is_of_another = |value: &http::HeaderValue| !matches!(value.as_bytes(), b"none" | b"same-origin");
    let let_in = headers.contains_key(http::header::ORIGIN);
    if !let_in && headers.get_all("sec-fetch-site").iter().any(is_of_another) {
        return Err(RestError::OtherSite.into());
    }
    Ok(())
}

/// The URL before the paths: the operator's, else the name by which the server was reached. What a proxy says of
/// itself in headers is not believed, since anybody can say it.
fn base(config: &Config, head: &Parts) -> String {
    if let Some(url) = &config.server.public_resource_url {
        let url = url.trim_end_matches('/');
        let endpoint = ["/mcp", "/http", "/sse"].into_iter().find_map(|end| url.strip_suffix(end));
        return endpoint.unwrap_or(url).to_owned();
    }
    let scheme = if config.server.openapi.tls { "https" } else { "http" };
    let named = head.headers.get(HOST).and_then(|host| host.to_str().ok()?.parse().ok());
    let name: Option<Authority> = head.uri.authority().cloned().or(named);
    // Relative to the schema's own address (OpenAPI 3.1, server object) where the name is none.
    match name.filter(|name| !name.as_str().contains('@')) {
        Some(name) => format!("{scheme}://{name}"),
        None => "/".to_owned(),
    }
}
