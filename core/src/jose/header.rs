//! What the headers of an encrypted token say, wherever they stand.
//!
//! A header can agree with the one profile or be refused; nothing is chosen by it. `kid` (RFC 7516 section 4.1.6)
//! in particular names no key: all are tried.

use super::jwe_error::JweError;
use super::members::{Members, MembersError, excerpt};

/// What remains to be known of headers that agree with the profile.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// `cty`, if there is one.
    pub(super) content_type: Option<String>,
    /// Whether the plaintext is compressed.
    pub(super) compressed: bool,
}

/// Reads the protected header and the two unprotected ones (RFC 7516 section 5.2 steps 3 to 5).
///
/// Names that are not known here are ignored (section 4), but none may occur twice, whether in one header or in two
/// of them.
pub(super) fn read(protected: Option<&[u8]>, unprotected: [Option<&str>; 2]) -> Result<Header, JweError> {
    let [shared, own] = unprotected;
    let headers =
        [members(protected)?, members(shared.map(str::as_bytes))?, members(own.map(str::as_bytes))?];
    let [protected, shared, own] = &headers;
    for (one, other) in [(protected, shared), (protected, own), (shared, own)] {
        if let Some((name, _)) = one.iter().find(|(name, _)| other.value(name).is_some()) {
            return Err(JweError::HeaderInTwoPlaces { name: excerpt(name) });
        }
    }
    let value = |name| headers.iter().find_map(|header| header.value(name));
    if value("crit").is_some() {
        return Err(JweError::Critical);
    }
    let algorithm = text(value("alg"))?.ok_or(JweError::Header)?;
    if algorithm != "A256KW" {
        return Err(JweError::Algorithm { found: excerpt(&algorithm) });
    }
    let encryption = text(value("enc"))?.ok_or(JweError::Header)?;
    if encryption != "A256GCM" {
        return Err(JweError::Encryption { found: excerpt(&encryption) });
    }
    if shared.value("zip").or(own.value("zip")).is_some() {
        return Err(JweError::UnprotectedZip);
    }
    let compressed = match text(protected.value("zip"))?.as_deref() {
        None => false,
        Some("DEF") => true,
        Some(found) => return Err(JweError::Compression { found: excerpt(found) }),
    };
    Ok(Header { content_type: text(value("cty"))?, compressed })
}

/// A header that is not there has no members.
fn members(header: Option<&[u8]>) -> Result<Members<'_>, JweError> {
    let Some(header) = header else { return Ok(Members::default()) };
    Members::parse(header).map_err(|error| match error {
        MembersError::NotObject => JweError::Header,
        MembersError::Duplicate(name) => JweError::DuplicateHeader { name },
    })
}

fn text(raw: Option<&str>) -> Result<Option<String>, JweError> {
    raw.map(serde_json::from_str).transpose().map_err(|_| JweError::Header)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROFILE: &str = r#""alg":"A256KW","enc":"A256GCM""#;

    fn protected(header: &str) -> Result<Header, JweError> {
        read(Some(header.as_bytes()), [None, None])
    }

    #[test]
    fn any_order_of_members_and_unknown_ones_are_accepted() {
        for (header, content_type, compressed) in [
            (r#"{"alg":"A256KW","enc":"A256GCM"}"#, None, false),
            (
                r#"{ "enc" : "A256GCM", "x":{"crit":[1]}, "typ":7, "kid":null, "alg":"\u0041256KW" }"#,
                None,
                false,
            ),
            (r#"{"cty":"json","enc":"A256GCM","alg":"A256KW"}"#, Some("json"), false),
            (r#"{"alg":"A256KW","enc":"A256GCM","zip":"DEF"}"#, None, true),
        ] {
            let content_type = content_type.map(str::to_owned);
            assert_eq!(protected(header), Ok(Header { content_type, compressed }), "{header}");
        }
    }

    #[test]
    fn headers_outside_the_profile_are_refused() {
        let algorithm = |found: &str| JweError::Algorithm { found: found.to_owned() };
        let encryption = |found: &str| JweError::Encryption { found: found.to_owned() };
        let compression = |found: &str| JweError::Compression { found: found.to_owned() };
        for (header, error) in [
            (r#"{"alg":"dir","enc":"A256GCM"}"#, algorithm("dir")),
            (r#"{"alg":"none","enc":"A256GCM"}"#, algorithm("none")),
            (r#"{"alg":"a256kw","enc":"A256GCM"}"#, algorithm("a256kw")),
            (r#"{"alg":"A256KW ","enc":"A256GCM"}"#, algorithm("A256KW ")),
            (r#"{"alg":"A256GCMKW","enc":"A256GCM"}"#, algorithm("A256GCMKW")),
            (r#"{"alg":"RSA1_5","enc":"A256GCM"}"#, algorithm("RSA1_5")),
            (r#"{"alg":"A256KW","enc":"A128GCM"}"#, encryption("A128GCM")),
            (r#"{"alg":"A256KW","enc":"A256CBC-HS512"}"#, encryption("A256CBC-HS512")),
            (r#"{"alg":"A256KW"}"#, JweError::Header),
            (r#"{"enc":"A256GCM"}"#, JweError::Header),
            (r#"{"alg":["A256KW"],"enc":"A256GCM"}"#, JweError::Header),
            (r#"{"alg":"A256KW","enc":"A256GCM","cty":1}"#, JweError::Header),
            (r#"{"alg":"A256KW","enc":"A256GCM"} x"#, JweError::Header),
            ("", JweError::Header),
            ("null", JweError::Header),
            (r#"{"alg":"A256KW","enc":"A256GCM","crit":["exp"],"exp":1}"#, JweError::Critical),
            (r#"{"alg":"A256KW","enc":"A256GCM","crit":null}"#, JweError::Critical),
            (r#"{"alg":"A256KW","enc":"A256GCM","zip":"def"}"#, compression("def")),
            (r#"{"alg":"A256KW","enc":"A256GCM","zip":"GZ"}"#, compression("GZ")),
            (r#"{"alg":"A256KW","enc":"A256GCM","zip":""}"#, compression("")),
            (r#"{"alg":"A256KW","enc":"A256GCM","zip":null}"#, JweError::Header),
            (
                r#"{"alg":"A256KW","enc":"A256GCM","enc":"A256GCM"}"#,
                JweError::DuplicateHeader { name: "enc".to_owned() },
            ),
        ] {
            assert_eq!(protected(header), Err(error), "{header}");
        }
    }

    #[test]
    fn every_place_counts() {
        let twice = |name: &str| Err(JweError::HeaderInTwoPlaces { name: name.to_owned() });
        let plain = || Ok(Header { content_type: None, compressed: false });
        let whole = format!("{{{PROFILE}}}");
        let whole = whole.as_str();
        type Row<'a> = ([Option<&'a str>; 3], Result<Header, JweError>);
        let rows: [Row<'_>; 16] = [
            ([None, Some(whole), None], plain()),
            ([None, None, Some(whole)], plain()),
            ([Some(r#"{"enc":"A256GCM"}"#), None, Some(r#"{"alg":"A256KW"}"#)], plain()),
            (
                [Some(whole), Some(r#"{"kid":"a","cty":"JSON"}"#), Some("{}")],
                Ok(Header { content_type: Some("JSON".to_owned()), compressed: false }),
            ),
            ([Some(whole), Some(r#"{"a":1}"#), Some(r#"{"a":1}"#)], twice("a")),
            ([Some(whole), Some(r#"{"alg":"A256KW"}"#), None], twice("alg")),
            ([Some(whole), None, Some(r#"{"\u0065nc":"A256GCM"}"#)], twice("enc")),
            (
                [Some(whole), Some(r#"{"a":1,"a":1}"#), None],
                Err(JweError::DuplicateHeader { name: "a".into() }),
            ),
            ([Some(whole), Some("[]"), None], Err(JweError::Header)),
            ([Some(whole), None, Some("null")], Err(JweError::Header)),
            ([Some(whole), Some(r#"{"crit":["a"]}"#), None], Err(JweError::Critical)),
            ([Some(whole), None, Some(r#"{"crit":[]}"#)], Err(JweError::Critical)),
            ([Some(whole), Some(r#"{"zip":"DEF"}"#), None], Err(JweError::UnprotectedZip)),
            ([Some(whole), None, Some(r#"{"zip":"DEF"}"#)], Err(JweError::UnprotectedZip)),
            ([None, None, Some(r#"{"alg":"dir"}"#)], Err(JweError::Algorithm { found: "dir".into() })),
            ([None, None, None], Err(JweError::Header)),
        ];
        for ([protected, shared, own], expected) in rows {
            let found = read(protected.map(str::as_bytes), [shared, own]);
            assert_eq!(found, expected, "{protected:?} {shared:?} {own:?}");
        }
    }
}
