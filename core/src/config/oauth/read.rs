//! From the keys of `server.oauth` to what they mean together.

use std::time::Duration;

use super::{AdmissionRules, Facade, Forward, Mode, Naming, OAuth, Paths, Upstream, UpstreamClient};
use crate::clickhouse::Protocol;
use crate::config::Host;
use crate::config::host_pattern::HostPattern;
use crate::config::name_rules;
use crate::config::pattern::Pattern;
use crate::config::reader::Reader;
use crate::config::settings::{ClickHouse, Impersonation};
use crate::secret::Secret;

const SECRET: &str = "server.oauth.signing_secret";
/// Bytes below which a secret could be found by trying, since anybody can have a client id sealed with it.
const SHORTEST: usize = 16;
/// Bytes that a key of this strength has.
const FULL: usize = 32;
/// The secret of altinity-mcp's examples.
const PUBLISHED: &str = "CHANGE_ME_TO_A_RANDOM_SECRET";

const CODE_TTL: u64 = 60;
const ACCESS_TOKEN_TTL: u64 = 3600;
const REFRESH_TOKEN_TTL: u64 = 30 * 24 * 3600;

/// Bytes that an inline key set may have.
const LONGEST_JWKS: usize = 64 << 10;

impl Reader<'_> {
    /// What is asked of callers by OAuth; `None` where it is switched off.
    pub(in crate::config) fn oauth(&mut self, clickhouse: &ClickHouse) -> Option<OAuth> {
        if !self.flag("server.oauth.enabled") {
            return None;
        }
        let mode = self.mode();
        let upstream = self.upstream();
        let facade = self.facade(mode, &upstream);
        let forward = Forward { header: self.forward_header(), validate: self.flag("server.oauth.validate") };
        let oauth = OAuth {
            mode,
            facade,
            audience: self.optional("server.oauth.audience"),
            scopes: self.scopes("server.oauth.scopes"),
            required_scopes: self.scopes("server.oauth.required_scopes"),
            admission: self.admission_rules(clickhouse),
            naming: self.naming(),
            claims_to_headers: self.claims_to_headers(),
            resource_metadata_path: self.path("server.oauth.protected_resource_metadata_path"),
            upstream,
            forward,
        };
        self.bind_forward(&oauth, clickhouse);
        self.bind_upstream(&oauth);
        self.bind_people(&oauth, clickhouse);
        Some(oauth)
    }

    fn mode(&mut self) -> Mode {
        match self.choice("server.oauth.mode") {
            "forward" => Mode::Forward,
            "resource" => Mode::Resource,
            "gating" => Mode::Gating,
            _ => {
                self.warn("`server.oauth.mode` is empty, which means `gating` as in altinity-mcp: say so, or say `forward` or `resource`.");
                Mode::Gating
            }
        }
    }

    fn upstream(&mut self) -> Upstream {
        let id = self.optional("server.oauth.client_id");
        let secret = self.secrets("server.oauth.client_secret").into_iter().next();
        let secret = secret.filter(|secret| !secret.expose().is_empty());
        if id.is_none() && secret.is_some() {
            self.rule("`server.oauth.client_secret` is set, but there is no `server.oauth.client_id`");
        }
        let jwks = self.optional("server.oauth.jwks");
        if jwks.as_ref().is_some_and(|text| text.len() > LONGEST_JWKS) {
            self.value_problem("server.oauth.jwks", "has more than 65536 bytes");
        }
        Upstream {
            issuer: self.provider_url("server.oauth.issuer"),
            other_issuers: self.list("server.oauth.upstream_issuer_allowlist"),
            jwks_url: self.provider_url("server.oauth.jwks_url"),
            jwks,
            introspection_url: self.provider_url("server.oauth.introspection_url"),
            remembered: self.span("server.oauth.jwks_cache_ttl"),
            client: id.map(|id| UpstreamClient { id, secret }),
        }
    }

    /// An address of the identity provider: https, or http on this computer.
    fn provider_url(&mut self, path: &str) -> Option<String> {
        let url = self.optional(path)?;
        if !name_rules::is_provider_url(&url) {
            self.value_problem(
                path,
                "takes an https URL without user and fragment; http only for this computer, or for a host without a dot in its name",
            );
        }
        Some(url)
    }

    /// Seconds, or a span as Go writes it: `90s`, `5m`, `1h`.
    fn span(&mut self, path: &str) -> Duration {
        let text = self.text(path);
        let (digits, unit) = match text.find(|letter: char| !letter.is_ascii_digit()) {
            Some(at) => text.split_at(at),
            None => (text.as_str(), "s"),
        };
        let seconds = match unit {
            "s" => Some(1),
            "m" => Some(60),
            "h" => Some(3600),
            _ => None,
        };
        let seconds =
            digits.parse::<u64>().ok().zip(seconds).and_then(|(number, unit)| number.checked_mul(unit));
        match seconds.filter(|seconds| (1..=86_400).contains(seconds)) {
            Some(seconds) => Duration::from_secs(seconds),
            None => {
                self.value_problem(
                    path,
                    "takes seconds or a span such as `5m`, at least a second and at most a day",
                );
                Duration::ZERO
            }
        }
    }

    fn facade(&mut self, mode: Mode, upstream: &Upstream) -> Option<Facade> {
        let secrets = self.secret_keys(SECRET);
        let wanted = match mode {
            Mode::Resource => false,
            // As an authorization server for tokens that it forwards, it needs a registration of its own.
            Mode::Forward => upstream.client.is_some(),
            Mode::Gating => {
                if upstream.client.is_none() {
                    self.rule("`server.oauth.mode` is `gating`, but there is no `server.oauth.client_id` with which people could be signed in");
                }
                true
            }
        };
        if !wanted {
            if !secrets.is_empty() && mode == Mode::Resource {
                let name = self.gathered.name(SECRET);
                self.warn(&format!("{name} has no effect: in mode `resource` Housekey issues nothing."));
            }
            return None;
        }
        self.judge_secrets(&secrets);
        let ttl = |seconds: u64, default: u64| if seconds == 0 { default } else { seconds };
        Some(Facade {
            public_url: self.public_auth_server_url(),
            secrets,
            auth_url: self.provider_url("server.oauth.auth_url"),
            token_url: self.provider_url("server.oauth.token_url"),
            userinfo_url: self.provider_url("server.oauth.userinfo_url"),
            offline_access: self.flag("server.oauth.upstream_offline_access"),
            force_consent: self.flag("server.oauth.upstream_force_consent"),
            redirect_schemes: self.each(
                "server.oauth.redirect_schemes",
                "is not a private-use URI scheme such as `cursor`",
                name_rules::private_scheme,
            ),
            client_document_hosts: self.each(
                "server.oauth.client_document_hosts",
                "is not a host such as `claude.ai` or `*.example.com`",
                HostPattern::parse,
            ),
            code_ttl: ttl(self.number("server.oauth.auth_code_ttl_seconds"), CODE_TTL),
            access_token_ttl: ttl(self.number("server.oauth.access_token_ttl_seconds"), ACCESS_TOKEN_TTL),
            refresh_token_ttl: ttl(self.number("server.oauth.refresh_token_ttl_seconds"), REFRESH_TOKEN_TTL),
            paths: Paths {
                registration: self.path("server.oauth.registration_path"),
                authorization: self.path("server.oauth.authorization_path"),
                callback: self.path("server.oauth.callback_path"),
                token: self.path("server.oauth.token_path"),
                metadata: self.path("server.oauth.authorization_server_metadata_path"),
                openid_configuration: self.path("server.oauth.openid_configuration_path"),
            },
        })
    }

    fn judge_secrets(&mut self, secrets: &[Secret<String>]) {
        let any = |test: fn(&str) -> bool| secrets.iter().any(|secret| test(secret.expose()));
        let name = self.gathered.name(SECRET);
        if secrets.is_empty() {
            self.rule("`server.oauth.enabled` is true, but there is no `server.oauth.signing_secret`");
        } else if any(|secret| secret.trim().len() < SHORTEST) {
            self.value_problem(SECRET, "takes at least 16 bytes: a shorter one can be found by trying");
        } else if any(|secret| secret.trim() == PUBLISHED) {
            self.value_problem(
                SECRET,
                "is the example that altinity-mcp publishes: anybody could make tokens with it. Take a random one of 32 bytes",
            );
        } else if any(|secret| secret.len() < FULL) {
            self.warn(&format!(
                "{name} is shorter than 32 bytes: a random one of 32 cannot be found by trying."
            ));
        }
    }

    fn public_auth_server_url(&mut self) -> Option<String> {
        let path = "server.oauth.public_auth_server_url";
        let Some(url) = self.optional(path) else {
            if self.host == Host::Native && self.given("server.oauth.public_resource_url") {
                self.warn("`server.oauth.public_resource_url` is set, but `server.oauth.public_auth_server_url` is not: the OAuth endpoints are named by the origin of the former.");
            }
            return None;
        };
        if !name_rules::is_public_url(&url) {
            self.value_problem(path, "takes an http or https URL without user, query and fragment");
        }
        Some(url.trim_end_matches('/').to_owned())
    }

    fn path(&mut self, key: &str) -> String {
        let path = self.text(key);
        if !name_rules::is_path(&path) {
            self.value_problem(key, "takes a path such as `/oauth/token`, without query and fragment");
        }
        path
    }

    fn scopes(&mut self, path: &str) -> Vec<String> {
        // Flags separate by commas, and people who know OAuth by blanks.
        let scopes: Vec<String> =
            self.list(path).iter().flat_map(|item| item.split_whitespace()).map(str::to_owned).collect();
        for scope in &scopes {
            if !scope.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\') {
                self.entry_problem(path, scope, "is not a scope (RFC 6749 section 3.3)");
            }
        }
        scopes
    }

    fn admission_rules(&mut self, clickhouse: &ClickHouse) -> AdmissionRules {
        let impersonates = clickhouse.impersonation != Impersonation::None
            || self.map("server.oauth.claims_to_headers").iter().any(|(_, header)| names_user(header));
        AdmissionRules {
            email_domains: self.domains("server.oauth.allowed_email_domains"),
            hosted_domains: self.domains("server.oauth.allowed_hosted_domains"),
            groups: self.list("server.oauth.allowed_groups"),
            groups_claim: self.text("server.oauth.groups_claim"),
            email_verified: match self.given("server.oauth.require_email_verified") {
                true => self.flag("server.oauth.require_email_verified"),
                false => impersonates,
            },
        }
    }

    fn domains(&mut self, path: &str) -> Vec<String> {
        self.each(path, "is not a domain such as `example.com`", |item| {
            let domain = item.strip_prefix('@').unwrap_or(item).to_ascii_lowercase();
            (!domain.is_empty() && !domain.contains(['@', ' ', '*'])).then_some(domain)
        })
    }

    fn naming(&mut self) -> Naming {
        let claims = self.list("server.oauth.username_claim");
        let role_filter = self.optional("server.oauth.role_filter").and_then(|text| {
            let pattern = Pattern::parse_whole(&text);
            pattern.map_err(|problem| self.value_problem("server.oauth.role_filter", &problem)).ok()
        });
        let role_claim = self.optional("server.oauth.role_claim");
        if claims.is_empty() || claims.iter().any(String::is_empty) {
            self.value_problem("server.oauth.username_claim", "takes the names of one or more claims");
        }
        if role_filter.is_some() && role_claim.is_none() {
            self.rule("`server.oauth.role_filter` is set, but there is no `server.oauth.role_claim`");
        }
        Naming { claims, map: self.identity_map(), role_claim, role_filter }
    }

    fn forward_header(&mut self) -> Option<String> {
        let path = "server.oauth.clickhouse_header_name";
        let header = self.optional(path).filter(|header| !header.eq_ignore_ascii_case("authorization"))?;
        if let Some(reason) = name_rules::refuse_header(&header, "") {
            self.value_problem(path, reason);
        }
        Some(header)
    }

    fn claims_to_headers(&mut self) -> Vec<(String, String)> {
        let path = "server.oauth.claims_to_headers";
        let entries = self.map(path);
        let of_token = self.optional("server.oauth.clickhouse_header_name");
        for (index, (claim, header)) in entries.iter().enumerate() {
            if claim.is_empty() {
                self.entry_problem(path, claim, "is no claim");
            }
            if !names_user(header)
                && let Some(reason) = name_rules::refuse_header(header, "")
            {
                self.entry_problem(path, header, reason);
            }
            // ClickHouse, or a proxy before it, would take one of two, and nobody says which.
            let is_it = |other: &str| other.eq_ignore_ascii_case(header);
            if entries.iter().take(index).any(|(_, before)| is_it(before)) {
                self.entry_problem(path, header, "is the header of another claim, too");
            }
            if of_token.as_deref().is_some_and(is_it) {
                self.entry_problem(path, header, "is `server.oauth.clickhouse_header_name`, too");
            }
        }
        entries
    }

    fn bind_forward(&mut self, oauth: &OAuth, clickhouse: &ClickHouse) {
        if oauth.mode != Mode::Forward {
            if oauth.forward != (Forward { header: None, validate: false }) {
                self.warn("`server.oauth.clickhouse_header_name` and `server.oauth.validate` have no effect: they are for mode `forward`.");
            }
            return;
        }
        if clickhouse.protocol == Protocol::Tcp {
            self.rule("`server.oauth.mode` is `forward`, which needs `clickhouse.protocol: http`: the token travels in a header");
        }
        if clickhouse.impersonation != Impersonation::None {
            let name = self.gathered.name("clickhouse.impersonation");
            self.rule(&format!("`server.oauth.mode` is `forward`, in which ClickHouse finds out who asks: remove {name} and `clickhouse.cluster_secret`"));
        }
        let uses_claims = !oauth.required_scopes.is_empty()
            || !oauth.claims_to_headers.is_empty()
            || oauth.naming.role_claim.is_some()
            || oauth.admission.asks_for_something();
        if uses_claims && !oauth.forward.validate {
            self.rule("`server.oauth.mode` is `forward`, and `required_scopes`, `claims_to_headers`, `role_claim`, `require_email_verified` or an `allowed_…` list is set, which only a token that was judged can answer: set `server.oauth.validate`");
        }
        if oauth.claims_to_headers.iter().any(|(_, header)| names_user(header)) {
            self.rule("`server.oauth.claims_to_headers` names `X-ClickHouse-User`, and in mode `forward` the token says who asks");
        }
        if self.given("clickhouse.password") {
            self.warn("`clickhouse.username` and `clickhouse.password` are not used for callers: `server.oauth.mode` is `forward`.");
        }
    }

    fn bind_upstream(&mut self, oauth: &OAuth) {
        let Upstream { issuer, jwks_url, jwks, introspection_url, client, .. } = &oauth.upstream;
        if let Some(facade) = &oauth.facade
            && issuer.is_none()
            && (facade.auth_url.is_none() || facade.token_url.is_none())
        {
            self.rule("`server.oauth.enabled` is true, but there is neither `server.oauth.issuer` nor both of `auth_url` and `token_url`: nobody can be signed in");
        }
        let keys = issuer.is_some() || jwks_url.is_some() || jwks.is_some();
        match oauth.mode {
            Mode::Resource if issuer.is_none() => {
                self.rule("`server.oauth.mode` is `resource`, but there is no `server.oauth.issuer` whose tokens are accepted");
            }
            Mode::Forward if oauth.forward.validate && issuer.is_none() => {
                self.rule("`server.oauth.validate` is true, but there is no `server.oauth.issuer` whose tokens are accepted");
            }
            Mode::Gating
                if !keys && oauth.facade.as_ref().is_some_and(|facade| facade.userinfo_url.is_none()) =>
            {
                self.rule("`server.oauth.mode` is `gating`, but without `issuer`, `jwks_url`, `jwks` and `userinfo_url` nothing tells who a person is");
            }
            Mode::Forward if oauth.facade.is_none() && issuer.is_none() => {
                self.rule("`server.oauth.mode` is `forward` without `server.oauth.client_id`, so clients have to be told `server.oauth.issuer`");
            }
            Mode::Gating | Mode::Forward | Mode::Resource => {}
        }
        let judges = oauth.mode == Mode::Resource || (oauth.mode == Mode::Forward && oauth.forward.validate);
        let own_client = oauth.mode == Mode::Forward && oauth.facade.is_some();
        if judges
            && oauth.audience.is_none()
            && !own_client
            && !self.given("server.oauth.public_resource_url")
        {
            self.rule("tokens of the identity provider are judged, but nothing says for whom they must be: set `server.oauth.public_resource_url`, or `server.oauth.audience` if the provider puts something else into `aud`");
        }
        if introspection_url.is_some() {
            if oauth.mode == Mode::Gating {
                self.warn("`server.oauth.introspection_url` has no effect: in mode `gating` tokens are Housekey's own.");
            } else if client.is_none() {
                self.rule("`server.oauth.introspection_url` is set, but there is no `server.oauth.client_id` to ask as");
            }
        }
    }

    fn bind_people(&mut self, oauth: &OAuth, clickhouse: &ClickHouse) {
        if oauth.naming.role_claim.is_some() && clickhouse.impersonation == Impersonation::ExecuteAs {
            let name = self.gathered.name("clickhouse.impersonation");
            self.rule(&format!("{name} is `execute_as`, under which nobody can choose roles: remove `server.oauth.role_claim`, or use `interserver`"));
        }
        if oauth.naming.role_claim.is_some()
            && oauth.naming.role_filter.is_none()
            && clickhouse.impersonation == Impersonation::Interserver
        {
            self.rule("`server.oauth.role_claim` under the interserver secret needs `server.oauth.role_filter`: ClickHouse does not check whether a person was granted these roles");
        }
        if oauth.naming.role_claim.is_some()
            && clickhouse.impersonation == Impersonation::None
            && clickhouse.protocol == Protocol::Tcp
        {
            self.rule("`server.oauth.role_claim` works over HTTP, or under the interserver secret: set `clickhouse.protocol: http`");
        }
        if !oauth.claims_to_headers.is_empty() {
            if clickhouse.protocol == Protocol::Tcp {
                self.rule("`server.oauth.claims_to_headers` needs `clickhouse.protocol: http`");
            } else if clickhouse.impersonation != Impersonation::None
                && oauth.claims_to_headers.iter().any(|(_, header)| names_user(header))
            {
                self.rule("`server.oauth.claims_to_headers` names `X-ClickHouse-User`, and `clickhouse.impersonation` says otherwise who asks: remove one of them");
            }
        }
    }
}

impl AdmissionRules {
    /// Whether a person has to be known to be let in.
    pub fn asks_for_something(&self) -> bool {
        self.email_verified
            || !self.email_domains.is_empty()
            || !self.hosted_domains.is_empty()
            || !self.groups.is_empty()
    }
}

fn names_user(header: &str) -> bool {
    header.eq_ignore_ascii_case("x-clickhouse-user")
}
