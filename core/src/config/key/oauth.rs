//! The keys of `server.oauth`: altinity-mcp's of 1.4 and 1.5, some of its later ones, and ours.

use super::{Alias, Choice, Key, Kind, choice, key};

const SECONDS: Kind = Kind::Seconds { min: 0, max: 2_147_483_647 };

static MODES: &[Choice] = &[choice("gating"), choice("forward"), choice("resource"), choice("")];

/// altinity-mcp 1.4 called it so.
const GATING_SECRET_KEY: Alias = Alias {
    path: "server.oauth.gating_secret_key",
    flag: "oauth-gating-secret-key",
    variable: "MCP_OAUTH_GATING_SECRET_KEY",
};

pub(super) static KEYS: &[Key] = &[
    key("server.oauth.enabled", Kind::Bool, "Whether callers must bring an OAuth token. See [OAuth](oauth.md).").named("oauth-enabled", "MCP_OAUTH_ENABLED").or("false"),
    key("server.oauth.mode", Kind::Choice(MODES), "`gating`: Housekey signs people in at the identity provider and issues tokens of its own. `forward`: the identity provider's token goes on to ClickHouse, which judges it. `resource`: clients bring tokens straight from the identity provider, which Housekey judges. Empty means `gating`, as in altinity-mcp.").named("oauth-mode", "MCP_OAUTH_MODE"),
    key("server.oauth.issuer", Kind::Text, "The identity provider's issuer, exactly as its tokens name it. What is not configured of its endpoints is read from its discovery document.").named("oauth-issuer", "MCP_OAUTH_ISSUER"),
    key("server.oauth.jwks_url", Kind::Text, "Where the identity provider's keys are; else its discovery document says so.").named("oauth-jwks-url", "MCP_OAUTH_JWKS_URL"),
    key("server.oauth.jwks", Kind::Text, "The identity provider's keys themselves, a JSON Web Key Set, for hosts that should not fetch it with each request. Keys that rotate have to be replaced here, too.").named("oauth-jwks", "MCP_OAUTH_JWKS"),
    key("server.oauth.jwks_cache_ttl", Kind::Text, "How long discovery documents and keys are remembered: seconds, or a span such as `5m`.").named("oauth-jwks-cache-ttl", "MCP_OAUTH_JWKS_CACHE_TTL").or("5m"),
    key("server.oauth.audience", Kind::Text, "What tokens of the identity provider must name in `aud` besides, or instead of, this server's URL. In mode `gating` it is a further name under which clients may ask for tokens of this server (`resource`), besides its URL.").named("oauth-audience", "MCP_OAUTH_AUDIENCE"),
    key("server.oauth.public_resource_url", Kind::Text, "The URL at which clients reach Housekey, when a proxy stands before it: http or https, without query and fragment.")
        .named("oauth-public-resource-url", "MCP_OAUTH_PUBLIC_RESOURCE_URL"),
    key("server.oauth.public_auth_server_url", Kind::Text, "The URL below which clients and browsers reach the OAuth endpoints, and Housekey's name as an issuer: http or https, without query and fragment.").named("oauth-public-auth-server-url", "MCP_OAUTH_PUBLIC_AUTH_SERVER_URL"),
    key("server.oauth.client_id", Kind::Text, "Housekey's client id at the identity provider.").named("oauth-client-id", "MCP_OAUTH_CLIENT_ID"),
    key("server.oauth.client_secret", Kind::Secret, "Housekey's client secret at the identity provider; without one it is a public client there.").named("oauth-client-secret", "MCP_OAUTH_CLIENT_SECRET"),
    key("server.oauth.auth_url", Kind::Text, "The authorization endpoint of the identity provider.").named("oauth-auth-url", "MCP_OAUTH_AUTH_URL"),
    key("server.oauth.token_url", Kind::Text, "The token endpoint of the identity provider.").named("oauth-token-url", "MCP_OAUTH_TOKEN_URL"),
    key("server.oauth.userinfo_url", Kind::Text, "The userinfo endpoint of the identity provider, asked when it gives no `id_token`.").named("oauth-userinfo-url", "MCP_OAUTH_USERINFO_URL"),
    key("server.oauth.introspection_url", Kind::Text, "The introspection endpoint of the identity provider (RFC 7662). With it, mode `resource` takes opaque tokens, too.").named("oauth-introspection-url", "MCP_OAUTH_INTROSPECTION_URL"),
    key("server.oauth.upstream_issuer_allowlist", Kind::List, "Issuers that tokens of the identity provider may name beside `server.oauth.issuer`.").named("oauth-upstream-issuer-allowlist", "MCP_OAUTH_UPSTREAM_ISSUER_ALLOWLIST"),
    key("server.oauth.scopes", Kind::List, "Scopes that are asked for at the identity provider and named to clients.").named("oauth-scopes", "MCP_OAUTH_SCOPES").or("openid,email"),
    key("server.oauth.required_scopes", Kind::List, "Scopes that a token must have, whoever issued it. In mode `forward` they need `server.oauth.validate`.").named("oauth-required-scopes", "MCP_OAUTH_REQUIRED_SCOPES"),
    key("server.oauth.upstream_offline_access", Kind::Bool, "Whether a refresh token is asked for at the identity provider, so that clients can refresh in mode `forward` without another login. In mode `gating` it has a refresh ask the identity provider again whether the person still is one.").named("oauth-upstream-offline-access", "MCP_OAUTH_UPSTREAM_OFFLINE_ACCESS").or("false"),
    key("server.oauth.upstream_force_consent", Kind::Bool, "Whether the identity provider is to ask for consent each time (`prompt=consent`), without which Google gives no second refresh token.").named("oauth-upstream-force-consent", "MCP_OAUTH_UPSTREAM_FORCE_CONSENT").or("false"),
    key("server.oauth.validate", Kind::Bool, "Whether mode `forward` judges signature, issuer, audience and expiry of a token before ClickHouse sees it.").named("oauth-validate", "MCP_OAUTH_VALIDATE").or("false"),
    key("server.oauth.clickhouse_header_name", Kind::Text, "The header in which mode `forward` hands the token to ClickHouse, as it is; `Authorization`, the default, has it as a bearer token.").named("oauth-clickhouse-header-name", "MCP_OAUTH_CLICKHOUSE_HEADER_NAME"),
    key("server.oauth.claims_to_headers", Kind::Map, "Claims of the verified token that become HTTP headers to ClickHouse. A claim that becomes `X-ClickHouse-User` names the user that logs in, under the rules for impersonation.").named("oauth-claims-to-headers", "MCP_OAUTH_CLAIMS_TO_HEADERS"),
    key("server.oauth.allowed_email_domains", Kind::List, "Domains in which the verified e-mail address must be.").named("oauth-allowed-email-domains", "MCP_OAUTH_ALLOWED_EMAIL_DOMAINS"),
    key("server.oauth.allowed_hosted_domains", Kind::List, "Google Workspace domains (`hd`) that a person must be in.").named("oauth-allowed-hosted-domains", "MCP_OAUTH_ALLOWED_HOSTED_DOMAINS"),
    key("server.oauth.allowed_groups", Kind::List, "Groups of which a person must be in one.").named("oauth-allowed-groups", "MCP_OAUTH_ALLOWED_GROUPS"),
    key("server.oauth.groups_claim", Kind::Text, "The claim that lists a person's groups.").named("oauth-groups-claim", "MCP_OAUTH_GROUPS_CLAIM").or("groups"),
    key("server.oauth.require_email_verified", Kind::Bool, "Whether the e-mail address must be verified. While queries run as the person, it must be unless this is set to false.").named("oauth-require-email-verified", "MCP_OAUTH_REQUIRE_EMAIL_VERIFIED"),
    key("server.oauth.username_claim", Kind::List, "The claims of which the first that is there names the person for ClickHouse.").named("oauth-username-claim", "MCP_OAUTH_USERNAME_CLAIM").or("email,sub"),
    key("server.oauth.identity_map", Kind::Objects, "How the name in a claim becomes the name of a ClickHouse user: rules that are applied in their order. See [OAuth](oauth.md#from-a-claim-to-a-clickhouse-user). In a document only."),
    key("server.oauth.role_claim", Kind::Text, "The claim that names the ClickHouse roles of a person. With it a query runs with these alone; a person without one is refused.").named("oauth-role-claim", "MCP_OAUTH_ROLE_CLAIM"),
    key("server.oauth.role_filter", Kind::Text, "A regular expression for the whole name of a role; roles that do not match are left out.").named("oauth-role-filter", "MCP_OAUTH_ROLE_FILTER"),
    Key { alias: Some(GATING_SECRET_KEY), ..key("server.oauth.signing_secret", Kind::Secrets, "The secret from which the keys of all OAuth artefacts are derived; one or several, of which the first makes and all open. At least 16 bytes; replicas share it.").named("oauth-signing-secret", "MCP_OAUTH_SIGNING_SECRET") },
    key("server.oauth.auth_code_ttl_seconds", SECONDS, "Seconds for which an authorization code can be redeemed; 0 means 60. The identity provider's own code may expire sooner.").named("oauth-auth-code-ttl-seconds", "MCP_OAUTH_AUTH_CODE_TTL_SECONDS").or("0"),
    key("server.oauth.access_token_ttl_seconds", SECONDS, "Seconds for which an access token of Housekey's is valid; 0 means 3600.").named("oauth-access-token-ttl-seconds", "MCP_OAUTH_ACCESS_TOKEN_TTL_SECONDS").or("0"),
    key("server.oauth.refresh_token_ttl_seconds", SECONDS, "Seconds after a login for which refresh tokens work, however often they are renewed; 0 means 2592000, which are 30 days.").named("oauth-refresh-token-ttl-seconds", "MCP_OAUTH_REFRESH_TOKEN_TTL_SECONDS").or("0"),
    key("server.oauth.redirect_schemes", Kind::List, "Private-use URI schemes to which clients may redirect, such as `cursor`, beside https and loopback http.").named("oauth-redirect-schemes", "MCP_OAUTH_REDIRECT_SCHEMES").or("cursor,vscode,vscode-insiders"),
    key("server.oauth.client_document_hosts", Kind::List, "Hosts from which client ID metadata documents are fetched, such as `claude.ai` or `*.example.com`. Without a list the native host takes any at addresses of the public internet, and a component none.").named("oauth-client-document-hosts", "MCP_OAUTH_CLIENT_DOCUMENT_HOSTS"),
    key("server.oauth.registration_path", Kind::Text, "The path of client registration.").named("oauth-registration-path", "MCP_OAUTH_REGISTRATION_PATH").or("/oauth/register"),
    key("server.oauth.authorization_path", Kind::Text, "The path of the authorization endpoint.").named("oauth-authorization-path", "MCP_OAUTH_AUTHORIZATION_PATH").or("/oauth/authorize"),
    key("server.oauth.callback_path", Kind::Text, "The path to which the identity provider returns.").named("oauth-callback-path", "MCP_OAUTH_CALLBACK_PATH").or("/oauth/callback"),
    key("server.oauth.token_path", Kind::Text, "The path of the token endpoint.").named("oauth-token-path", "MCP_OAUTH_TOKEN_PATH").or("/oauth/token"),
    key("server.oauth.protected_resource_metadata_path", Kind::Text, "A further path of the resource's metadata.").named("oauth-protected-resource-metadata-path", "MCP_OAUTH_PROTECTED_RESOURCE_METADATA_PATH").or("/.well-known/oauth-protected-resource"),
    key("server.oauth.authorization_server_metadata_path", Kind::Text, "A further path of the authorization server's metadata.").named("oauth-authorization-server-metadata-path", "MCP_OAUTH_AUTHORIZATION_SERVER_METADATA_PATH").or("/.well-known/oauth-authorization-server"),
    key("server.oauth.openid_configuration_path", Kind::Text, "A further path of the OpenID configuration.").named("oauth-openid-configuration-path", "MCP_OAUTH_OPENID_CONFIGURATION_PATH").or("/.well-known/openid-configuration"),
    key("server.oauth.broker", Kind::Bool, "Whether altinity-mcp 1.6 stood between clients and the identity provider.").named("oauth-broker", "MCP_OAUTH_BROKER").or("false").not_yet("say `server.oauth.mode: forward` with `server.oauth.client_id` instead"),
    key("server.oauth.strict_jwt_only", Kind::Bool, "Whether altinity-mcp 1.6 refused opaque tokens.").or("false").not_yet("opaque tokens are refused unless `server.oauth.introspection_url` is set; remove it"),
];
