//! The keys of `server.oauth`. Only the public URL is live: the rest waits for OAuth itself.

use super::{Key, Kind, key};

const SECONDS: Kind = Kind::Seconds { min: 0, max: 2_147_483_647 };

const OAUTH: &str = "OAuth comes in a later release; use JWE tokens (`server.jwe`)";
const RENAMED: &str = "OAuth comes in a later release; use JWE tokens (`server.jwe`). altinity-mcp 1.5 renamed this key of 1.4 to `server.oauth.signing_secret`";
const OLD: &str =
    "OAuth comes in a later release; use JWE tokens (`server.jwe`). altinity-mcp 1.5 dropped this key of 1.4";
const NEWER: &str =
    "OAuth comes in a later release, without this key of altinity-mcp 1.6; use JWE tokens (`server.jwe`)";

pub(super) static KEYS: &[Key] = &[
    key("server.oauth.mode", Kind::Text, "Whether Housekey is the authorisation server (`gating`) or passes tokens on (`forward`).").named("oauth-mode", "MCP_OAUTH_MODE").not_yet(OAUTH),
    key("server.oauth.enabled", Kind::Bool, "Callers must bring an OAuth token.").named("oauth-enabled", "MCP_OAUTH_ENABLED").or("false").not_yet(OAUTH),
    key("server.oauth.issuer", Kind::Text, "The issuer whose tokens are accepted.").named("oauth-issuer", "MCP_OAUTH_ISSUER").not_yet(OAUTH),
    key("server.oauth.jwks_url", Kind::Text, "Where the issuer's keys are.").named("oauth-jwks-url", "MCP_OAUTH_JWKS_URL").not_yet(OAUTH),
    key("server.oauth.audience", Kind::Text, "The audience that tokens must name.").named("oauth-audience", "MCP_OAUTH_AUDIENCE").not_yet(OAUTH),
    key("server.oauth.public_resource_url", Kind::Text, "The URL at which clients reach Housekey, when a proxy stands before it: http or https, without query and fragment.")
        .named("oauth-public-resource-url", "MCP_OAUTH_PUBLIC_RESOURCE_URL"),
    key("server.oauth.public_auth_server_url", Kind::Text, "The URL of the authorisation server, as clients see it.").named("oauth-public-auth-server-url", "MCP_OAUTH_PUBLIC_AUTH_SERVER_URL").not_yet(OAUTH),
    key("server.oauth.client_id", Kind::Text, "Housekey's client id at the identity provider.").named("oauth-client-id", "MCP_OAUTH_CLIENT_ID").not_yet(OAUTH),
    key("server.oauth.client_secret", Kind::Secret, "Housekey's client secret at the identity provider.").named("oauth-client-secret", "MCP_OAUTH_CLIENT_SECRET").not_yet(OAUTH),
    key("server.oauth.token_url", Kind::Text, "The token endpoint of the identity provider.").named("oauth-token-url", "MCP_OAUTH_TOKEN_URL").not_yet(OAUTH),
    key("server.oauth.auth_url", Kind::Text, "The authorisation endpoint of the identity provider.").named("oauth-auth-url", "MCP_OAUTH_AUTH_URL").not_yet(OAUTH),
    key("server.oauth.userinfo_url", Kind::Text, "The userinfo endpoint of the identity provider.").named("oauth-userinfo-url", "MCP_OAUTH_USERINFO_URL").not_yet(OAUTH),
    key("server.oauth.scopes", Kind::List, "Scopes that are asked for.").named("oauth-scopes", "MCP_OAUTH_SCOPES").not_yet(OAUTH),
    key("server.oauth.upstream_offline_access", Kind::Bool, "Whether a refresh token is asked for at the identity provider.").named("oauth-upstream-offline-access", "MCP_OAUTH_UPSTREAM_OFFLINE_ACCESS").or("false").not_yet(OAUTH),
    key("server.oauth.required_scopes", Kind::List, "Scopes that a token must have.").named("oauth-required-scopes", "MCP_OAUTH_REQUIRED_SCOPES").not_yet(OAUTH),
    key("server.oauth.clickhouse_header_name", Kind::Text, "The header in which the token is forwarded to ClickHouse.").named("oauth-clickhouse-header-name", "MCP_OAUTH_CLICKHOUSE_HEADER_NAME").not_yet(OAUTH),
    key("server.oauth.claims_to_headers", Kind::Map, "Claims that become headers to ClickHouse.").named("oauth-claims-to-headers", "MCP_OAUTH_CLAIMS_TO_HEADERS").not_yet(OAUTH),
    key("server.oauth.allowed_email_domains", Kind::List, "Domains that an e-mail address must be in.").named("oauth-allowed-email-domains", "MCP_OAUTH_ALLOWED_EMAIL_DOMAINS").not_yet(OAUTH),
    key("server.oauth.allowed_hosted_domains", Kind::List, "Google Workspace domains that a person must be in.").named("oauth-allowed-hosted-domains", "MCP_OAUTH_ALLOWED_HOSTED_DOMAINS").not_yet(OAUTH),
    key("server.oauth.require_email_verified", Kind::Bool, "Whether the e-mail address must be verified.").named("oauth-require-email-verified", "MCP_OAUTH_REQUIRE_EMAIL_VERIFIED").or("false").not_yet(OAUTH),
    key("server.oauth.registration_path", Kind::Text, "The path of client registration.").named("oauth-registration-path", "MCP_OAUTH_REGISTRATION_PATH").not_yet(OAUTH),
    key("server.oauth.authorization_path", Kind::Text, "The path of the authorisation endpoint.").named("oauth-authorization-path", "MCP_OAUTH_AUTHORIZATION_PATH").not_yet(OAUTH),
    key("server.oauth.callback_path", Kind::Text, "The path to which the identity provider returns.").named("oauth-callback-path", "MCP_OAUTH_CALLBACK_PATH").not_yet(OAUTH),
    key("server.oauth.token_path", Kind::Text, "The path of the token endpoint.").named("oauth-token-path", "MCP_OAUTH_TOKEN_PATH").not_yet(OAUTH),
    key("server.oauth.upstream_issuer_allowlist", Kind::List, "Issuers that the identity provider may name.").named("oauth-upstream-issuer-allowlist", "MCP_OAUTH_UPSTREAM_ISSUER_ALLOWLIST").not_yet(OAUTH),
    key("server.oauth.access_token_ttl_seconds", SECONDS, "Seconds for which an access token is valid.").named("oauth-access-token-ttl-seconds", "MCP_OAUTH_ACCESS_TOKEN_TTL_SECONDS").or("0").not_yet(OAUTH),
    key("server.oauth.refresh_token_ttl_seconds", SECONDS, "Seconds for which a refresh token is valid.").named("oauth-refresh-token-ttl-seconds", "MCP_OAUTH_REFRESH_TOKEN_TTL_SECONDS").or("0").not_yet(OAUTH),
    key("server.oauth.signing_secret", Kind::Secrets, "The secret that OAuth artefacts are sealed with.").named("oauth-signing-secret", "MCP_OAUTH_SIGNING_SECRET").not_yet(OAUTH),
    key("server.oauth.gating_secret_key", Kind::Secrets, "The name of `signing_secret` in altinity-mcp 1.4.").not_yet(RENAMED),
    key("server.oauth.protected_resource_metadata_path", Kind::Text, "The path of the resource's metadata.").not_yet(OLD),
    key("server.oauth.authorization_server_metadata_path", Kind::Text, "The path of the authorisation server's metadata.").not_yet(OLD),
    key("server.oauth.openid_configuration_path", Kind::Text, "The path of the OpenID configuration.").not_yet(OLD),
    key("server.oauth.auth_code_ttl_seconds", SECONDS, "Seconds for which a code is valid.").or("0").not_yet(OLD),
    key("server.oauth.broker", Kind::Bool, "Whether Housekey stands between clients and the identity provider.").named("oauth-broker", "MCP_OAUTH_BROKER").or("false").not_yet(NEWER),
    key("server.oauth.upstream_force_consent", Kind::Bool, "Whether the identity provider asks for consent each time.").named("oauth-upstream-force-consent", "MCP_OAUTH_UPSTREAM_FORCE_CONSENT").or("false").not_yet(NEWER),
    key("server.oauth.jwks_cache_ttl", Kind::Text, "How long the issuer's keys are remembered.").named("oauth-jwks-cache-ttl", "MCP_OAUTH_JWKS_CACHE_TTL").or("5m").not_yet(NEWER),
    key("server.oauth.strict_jwt_only", Kind::Bool, "Whether opaque tokens are refused.").or("false").not_yet(NEWER),
    key("server.oauth.role_claim", Kind::Text, "The claim that names ClickHouse roles.").named("oauth-role-claim", "MCP_OAUTH_ROLE_CLAIM").not_yet(NEWER),
    key("server.oauth.role_filter", Kind::Text, "A regular expression that role names must match.").named("oauth-role-filter", "MCP_OAUTH_ROLE_FILTER").not_yet(NEWER),
    key("server.oauth.username_claim", Kind::Text, "The claim that names the ClickHouse user.").named("oauth-username-claim", "MCP_OAUTH_USERNAME_CLAIM").not_yet(NEWER),
];
