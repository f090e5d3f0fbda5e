//! JWE tokens beside OAuth: which one counts.

use anyhow::{Result, ensure};
use libtest_mimic::Trial;
use serde_json::json;
use system_tests::host::Host;

use super::house::{House, ask_with};
use super::journey::Journey;
use super::{Need, trial};

pub(crate) fn trials() -> Vec<Trial> {
    vec![trial("beside::the_documented_order_of_tokens", &[Need::Node], order)]
}

async fn order() -> Result<()> {
    let world = system_tests::world::world().await?;
    let mint = &world.mint;
    let signing = mint.jwt_secret.clone().unwrap_or_default();
    let more = [
        ("MCP_ALLOW_JWE_AUTH", "true"),
        ("MCP_JWE_SECRET_KEY", mint.jwe_secret.as_str()),
        ("MCP_JWT_SECRET_KEY", signing.as_str()),
    ];
    let house = House::gating(Host::NativeHttp, &more).await?;
    let granted = Journey::begin(house.server.url()).await?.granted("alice").await?;
    let oauth = format!("Bearer {}", granted.access_token()?);
    let (bob, narrow) = (mint.token(json!({ "email": "bob" }))?, mint.token(json!({ "read_only": true }))?);
    for (what, headers, wanted) in [
        ("OAuth alone", vec![("authorization", oauth.as_str())], Some("alice")),
        ("JWE alone", vec![("x-housekey-key", bob.as_str())], Some("bob")),
        (
            "a JWE token that names somebody wins",
            vec![("authorization", oauth.as_str()), ("x-altinity-mcp-key", bob.as_str())],
            Some("bob"),
        ),
        (
            "one that names nobody narrows",
            vec![("authorization", oauth.as_str()), ("x-housekey-key", narrow.as_str())],
            Some("alice"),
        ),
        ("one that names nobody is not enough", vec![("x-housekey-key", narrow.as_str())], None),
        (
            "a bad one is refused, whatever stands beside it",
            vec![("authorization", oauth.as_str()), ("x-housekey-key", "rubbish")],
            None,
        ),
        ("a JWE token is none of OAuth's", vec![("authorization", "Bearer rubbish")], None),
        ("nothing", vec![], None),
    ] {
        let asked = ask_with(&house.server, None, &headers).await?;
        match wanted {
            Some(user) => ensure!(asked.user()? == user, "{what}: {asked:?}"),
            None => ensure!(asked.status == 401, "{what}: {asked:?}"),
        }
    }
    let as_bearer = format!("Bearer {bob}");
    let asked = ask_with(&house.server, None, &[("authorization", &as_bearer)]).await?;
    ensure!(asked.status == 401, "`Authorization` is OAuth's: {asked:?}");
    Ok(())
}
