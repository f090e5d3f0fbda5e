//! Tests of [`super`], apart because of their length.

use super::super::jwt::{self, Algorithm};
use super::super::test_provider::{keys, sign_as};
use super::*;

const NOW: UnixTime = UnixTime::from_millis(1_700_000_000_500);
const RULES: Rules<'_> = Rules {
    issuers: &["https://idp.example", "https://other.example/"],
    audiences: &["https://mcp.example/", "second"],
    ignore_trailing_slash: false,
    authorized_party: None,
    nonce: None,
    leeway_seconds: 60,
};

fn verified(typ: &str, claims: &str) -> Verified {
    let header = format!(r#"{{"alg":"EdDSA"{typ}}}"#);
    jwt::parse(&sign_as(Algorithm::Ed25519, &header, claims)).unwrap().verify(&keys()).unwrap()
}

fn judged(rules: &Rules<'_>, claims: &str) -> Result<Accepted, RuleError> {
    accept(verified("", claims), rules, NOW)
}

/// The error for claims that are good but for these.
fn error(rules: &Rules<'_>, claims: &str) -> Option<RuleError> {
    judged(rules, claims).err()
}

/// Good claims but for one, which is `raw` or, if that is empty, missing.
fn but_for(claim: &str, raw: &str) -> String {
    let good = [
        ("iss", "\"https://idp.example\""),
        ("aud", "\"https://mcp.example/\""),
        ("exp", "1700000600"),
        (claim, raw),
    ];
    let members: Vec<String> = good
        .iter()
        .enumerate()
        .filter(|(index, (name, raw))| (*index == 3 || *name != claim) && !raw.is_empty())
        .map(|(_, (name, raw))| format!("\"{name}\":{raw}"))
        .collect();
    format!("{{{}}}", members.join(","))
}

fn seconds(seconds: u64) -> UnixTime {
    UnixTime::from_seconds(seconds)
}

#[test]
fn a_good_token_is_accepted() {
    let accepted = judged(&RULES, &but_for("sub", "\"alice\"")).unwrap();
    assert_eq!(accepted.issuer(), "https://idp.example");
    assert_eq!(accepted.expires(), seconds(1_700_000_600));
    assert_eq!(accepted.claims()["sub"], "alice");
    assert_eq!(accepted.kind(), Kind::Unsaid);
}

#[test]
fn issuers_are_compared_character_by_character() {
    let refused = |found: &str| Some(RuleError::Issuer { found: found.to_owned() });
    for (raw, error_expected) in [
        (r#""https://other.example/""#, None),
        (r#""https://idp.example/""#, refused("https://idp.example/")),
        (r#""https://other.example""#, refused("https://other.example")),
        (r#""HTTPS://idp.example""#, refused("HTTPS://idp.example")),
        (r#""https://idp.example.evil""#, refused("https://idp.example.evil")),
        (r#""""#, refused("")),
        ("", Some(RuleError::Missing { claim: "iss" })),
        ("null", Some(RuleError::WrongType { claim: "iss", wanted: "a text" })),
        (r#"["https://idp.example"]"#, Some(RuleError::WrongType { claim: "iss", wanted: "a text" })),
    ] {
        assert_eq!(error(&RULES, &but_for("iss", raw)), error_expected, "{raw}");
        let slashes = Rules { ignore_trailing_slash: true, ..RULES };
        assert_eq!(error(&slashes, &but_for("iss", raw)), error_expected, "{raw}");
    }
    let nobody = Rules { issuers: &[], ..RULES };
    assert_eq!(error(&nobody, &but_for("", "")), refused("https://idp.example"));
}

#[test]
fn one_audience_must_be_ours() {
    let slashes = Rules { ignore_trailing_slash: true, ..RULES };
    let wrong_type = || Err(RuleError::WrongType { claim: "aud", wanted: "a text or a list of texts" });
    let no = |found: &[&str]| {
        Err(RuleError::Audience { found: found.iter().map(|one| (*one).to_owned()).collect() })
    };
    let without = ["https://mcp.example"];
    for (raw, strict, tolerant) in [
        (r#""second""#, Ok(()), Ok(())),
        (r#"["x","second"]"#, Ok(()), Ok(())),
        (r#""second/""#, no(&["second/"]), Ok(())),
        (r#""https://mcp.example""#, no(&without), Ok(())),
        (r#"["https://mcp.example"]"#, no(&without), Ok(())),
        (r#""https://mcp.example//""#, no(&["https://mcp.example//"]), no(&["https://mcp.example//"])),
        (r#""https://mcp.example/x""#, no(&["https://mcp.example/x"]), no(&["https://mcp.example/x"])),
        (r#""Second""#, no(&["Second"]), no(&["Second"])),
        (r#"[]"#, no(&[]), no(&[])),
        (r#""""#, no(&[""]), no(&[""])),
        ("", Err(RuleError::Missing { claim: "aud" }), Err(RuleError::Missing { claim: "aud" })),
        ("null", wrong_type(), wrong_type()),
        (r#"["second",1]"#, wrong_type(), wrong_type()),
        (r#"{"second":1}"#, wrong_type(), wrong_type()),
    ] {
        let claims = but_for("aud", raw);
        assert_eq!(judged(&RULES, &claims).map(|_| ()), strict, "{raw}");
        assert_eq!(judged(&slashes, &claims).map(|_| ()), tolerant, "{raw}");
    }
    let empty = Rules { audiences: &[""], ..slashes };
    for raw in [r#""""#, r#""/""#] {
        assert!(judged(&empty, &but_for("aud", raw)).is_err(), "{raw}");
    }
    let many = format!("[{}]", vec!["\"x\""; 100].join(","));
    assert_eq!(
        error(&RULES, &but_for("aud", &many)),
        Some(RuleError::Audience { found: vec!["x".into(); 8] })
    );
}

#[test]
fn an_id_token_is_made_for_the_client() {
    let rules = Rules { authorized_party: Some("client"), audiences: &["client"], ..RULES };
    let claims = |aud: &str, azp: &str| {
        format!(r#"{{"iss":"https://idp.example","exp":1700000600,"aud":{aud}{azp}}}"#)
    };
    let wrong_type = RuleError::WrongType { claim: "azp", wanted: "a text" };
    for (aud, azp, expected) in [
        (r#""client""#, "", None),
        (r#"["client"]"#, "", None),
        (r#"["client"]"#, r#","azp":"client""#, None),
        (r#"["client","x"]"#, r#","azp":"client""#, None),
        (r#"["client","x"]"#, "", Some(RuleError::Missing { claim: "azp" })),
        (r#"["client"]"#, r#","azp":"x""#, Some(RuleError::AuthorizedParty { found: "x".into() })),
        (r#"["client","x"]"#, r#","azp":"x""#, Some(RuleError::AuthorizedParty { found: "x".into() })),
        (r#""client""#, r#","azp":["client"]"#, Some(wrong_type)),
        (r#""x""#, r#","azp":"client""#, Some(RuleError::Audience { found: vec!["x".into()] })),
    ] {
        assert_eq!(error(&rules, &claims(aud, azp)), expected, "{aud} {azp}");
    }
    // Of an access token it is not asked.
    let access = Rules { authorized_party: None, ..rules };
    assert_eq!(error(&access, &claims(r#"["client","x"]"#, r#","azp":"x""#)), None);
}

#[test]
fn dates_count_to_the_millisecond() {
    // It is 1_700_000_000.5, give or take 60.
    let expired = |millis| Some(RuleError::Expired { exp: UnixTime::from_millis(millis) });
    let not_yet = |millis| Some(RuleError::NotYet { nbf: UnixTime::from_millis(millis) });
    let future = |millis| Some(RuleError::IssuedInFuture { iat: UnixTime::from_millis(millis) });
    for (claim, raw, expected) in [
        ("exp", "1699999941", None),
        ("exp", "1699999940", expired(1_699_999_940_000)),
        ("exp", "1699999940.501", None),
        ("exp", "1699999940.5", expired(1_699_999_940_500)),
        ("exp", "1.7e9", None),
        ("exp", "0", expired(0)),
        ("exp", "", Some(RuleError::Missing { claim: "exp" })),
        ("nbf", "1700000060", None),
        ("nbf", "1700000060.5", None),
        ("nbf", "1700000061", not_yet(1_700_000_061_000)),
        ("nbf", "0", None),
        ("iat", "1700000060", None),
        ("iat", "1700000061", future(1_700_000_061_000)),
        ("iat", "1", None),
        ("exp", "9007199254740992", None),
    ] {
        assert_eq!(error(&RULES, &but_for(claim, raw)), expected, "{claim} {raw}");
    }
    for claim in ["exp", "nbf", "iat"] {
        for raw in ["-1", "-0.5", "9007199254740993", "18446744073709551615", "1e300", "18446744073709551616"]
        {
            let out = Some(RuleError::OutOfRange { claim });
            assert_eq!(error(&RULES, &but_for(claim, raw)), out, "{claim} {raw}");
        }
        for raw in ["\"1700000600\"", "null", "true", "[1700000600]", "{}"] {
            let wrong = error(&RULES, &but_for(claim, raw)).unwrap();
            assert!(matches!(wrong, RuleError::WrongType { claim: found, .. } if found == claim), "{raw}");
        }
    }
    // No leeway overflows.
    let endless = Rules { leeway_seconds: u64::MAX, ..RULES };
    assert_eq!(error(&endless, &but_for("exp", "0")), None);
}

#[test]
fn the_nonce_is_the_one_that_was_sent() {
    let sent = Secret::from("n-0S6_WzA2Mj");
    let rules = Rules { nonce: Some(&sent), ..RULES };
    for (raw, expected) in [
        (r#""n-0S6_WzA2Mj""#, None),
        (r#""n-0S6_WzA2Mk""#, Some(RuleError::Nonce)),
        (r#""n-0S6_WzA2M""#, Some(RuleError::Nonce)),
        (r#""""#, Some(RuleError::Nonce)),
        ("", Some(RuleError::Missing { claim: "nonce" })),
        ("1", Some(RuleError::WrongType { claim: "nonce", wanted: "a text" })),
    ] {
        assert_eq!(error(&rules, &but_for("nonce", raw)), expected, "{raw}");
    }
    assert_eq!(error(&RULES, &but_for("nonce", "\"any\"")), None);
}

#[test]
fn whose_token_it_is_comes_before_how_old_it_is() {
    let claims = but_for("exp", "0").replace("https://mcp.example/", "x");
    assert_eq!(error(&RULES, &claims), Some(RuleError::Audience { found: vec!["x".into()] }));
}

#[test]
fn tokens_say_what_they_are() {
    for (typ, claims, kind) in [
        ("", "{}", Kind::Unsaid),
        (r#","typ":"JWT""#, "{}", Kind::Unsaid),
        (r#","typ":"jwt""#, "{}", Kind::Unsaid),
        (r#","typ":"application/jwt""#, "{}", Kind::Unsaid),
        (r#","typ":"at+jwt""#, "{}", Kind::Access),
        (r#","typ":"application/at+jwt""#, "{}", Kind::Access),
        (r#","typ":"Application/AT+JWT""#, "{}", Kind::Access),
        (r#","typ":"at+jwt""#, r#"{"nonce":"x"}"#, Kind::Access),
        ("", r#"{"nonce":"x"}"#, Kind::Id),
        ("", r#"{"at_hash":"x"}"#, Kind::Id),
        (r#","typ":"JWT""#, r#"{"c_hash":"x"}"#, Kind::Id),
        (r#","typ":"JWT""#, r#"{"s_hash":null}"#, Kind::Id),
        (r#","typ":"logout+jwt""#, "{}", Kind::Other),
        (
            r#","typ":"JWT""#,
            r#"{"events":{"http://schemas.openid.net/event/backchannel-logout":{}}}"#,
            Kind::Other,
        ),
        (r#","typ":"oauth-authz-req+jwt""#, "{}", Kind::Other),
        (r#","typ":"""#, "{}", Kind::Other),
    ] {
        assert_eq!(Kind::of(&verified(typ, claims)), kind, "{typ} {claims}");
    }
}
