//! What a person decided on the consent page.
//!
//! The form is believed only from the browser that was shown the page: its cookie must be the one that the sealed request
//! names, and what the browser says of the form's origin must be this site. Another page can have a browser send a form,
//! but neither read the sealed request of that browser nor set its cookie.

use http::StatusCode;

use super::artifact::has_passed;
use super::consent::Proposal;
use super::error::{OAuthCode, OAuthError};
use super::form::Form;
use super::keys::Keys;
use super::response::Response;
use super::server::Server;
use super::visit::{Look, Request};
use super::{browser, error_page, login, remembered};
use crate::config::oauth::Facade;
use crate::env::Env;

pub(super) fn answer(
    env: &mut Env<'_>,
    server: &Server,
    facade: &Facade,
    keys: &Keys,
    request: &Request,
) -> Look {
    let (form, proposal) = match read(keys, request) {
        Ok(read) => read,
        Err(error) => return error_page::refuse(&error),
    };
    let Proposal { asked, wishes } = proposal;
    let is_own = browser::is_own_form(&request.headers, &request.site)
        && browser::known(&request.headers, &request.site).as_ref() == Some(&asked.browser)
        && asked.issuer == request.site.issuer();
    if !is_own {
        return error_page::answer(
            StatusCode::FORBIDDEN,
            "This answer did not come from this page",
            "The sign-in was begun in another browser, or by another page, or this browser keeps no cookies. Begin again in the program that sent you here.",
            "a consent form came from another browser or another origin",
        );
    }
    if has_passed(asked.expires, env.now) {
        return error_page::answer(
            StatusCode::BAD_REQUEST,
            "This page is too old",
            "Too much time has passed since it was shown. Begin again in the program that sent you here.",
            "a consent form came too late",
        );
    }
    match form.get("decision") {
        Some("allow") => {
            let wants = form.get("remember").is_some() && remembered::may_be(&asked);
            let cookie = match wants {
                true => remembered::add(env, keys, &request.headers, &request.site, &asked),
                false => None,
            };
            let cookies: Vec<String> = cookie.into_iter().collect();
            let status = StatusCode::SEE_OTHER;
            login::begin(env, server, facade, keys, request, asked, &wishes, status, &cookies)
        }
        Some("deny") => Response::to(&asked).error_after_form("access_denied", "the person refused"),
        _ => error_page::refuse(&OAuthError::new(OAuthCode::InvalidRequest, "decision is missing")),
    }
}

fn read(keys: &Keys, request: &Request) -> Result<(Form, Proposal), OAuthError> {
    let form = Form::in_body(&request.headers, &request.body)?;
    let proposal = keys.consent.open(form.need("request")?);
    let proposal =
        proposal.ok_or_else(|| OAuthError::new(OAuthCode::InvalidRequest, "request was not made here"))?;
    Ok((form, proposal))
}
