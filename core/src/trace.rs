//! Where a request stands in a trace: W3C Trace Context, level 1.
//!
//! What cannot be read is no error: a trace is for those who look on, and no request fails for their sake
//! (Trace Context section 4.3).

/// Bytes of `tracestate` that go on. A receiver should take at least as many (section 3.3.1.5).
const MOST_STATE: usize = 512;
/// Members that a `tracestate` may have (section 3.3.1.1).
const MOST_MEMBERS: usize = 32;
/// The one flag that level 1 knows. Others are not passed on (section 3.2.2.5.2).
const SAMPLED: u8 = 1;

/// A place in a trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceContext {
    /// The trace's id, which is not zero.
    pub trace_id: u128,
    /// The span that asks, which is not zero.
    pub span_id: u64,
    /// `tracestate`; may be empty.
    pub state: String,
    /// `trace-flags`.
    pub flags: u8,
}

impl TraceContext {
    /// Reads a `traceparent` and the values of `tracestate`, in the order of their headers. Without a good parent
    /// there is no trace; without a good state there is one without a state.
    pub fn parse<'a>(parent: &str, states: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        let (trace_id, span_id, flags) = parse_parent(parent)?;
        Some(Self { trace_id, span_id, state: parse_state(states).unwrap_or_default(), flags })
    }

    /// The value of `traceparent`.
    pub fn parent(&self) -> String {
        format!("00-{:032x}-{:016x}-{:02x}", self.trace_id, self.span_id, self.flags)
    }
}

/// `version "-" trace-id "-" parent-id "-" trace-flags` (section 3.2).
fn parse_parent(parent: &str) -> Option<(u128, u64, u8)> {
    let mut parts = parent.split('-');
    let version = hex(parts.next()?, 2)?;
    let trace_id = hex(parts.next()?, 32)?;
    let span_id = u64::try_from(hex(parts.next()?, 16)?).ok()?;
    let flags = u8::try_from(hex(parts.next()?, 2)?).ok()?;
    // Later versions may add to the end (section 3.2.4); 255 is none.
    let is_over = parts.next().is_none();
    let is_version = if version == 0 { is_over } else { version != 0xff };
    (is_version && trace_id != 0 && span_id != 0).then_some((trace_id, span_id, flags & SAMPLED))
}

/// So many hexadecimal digits, in lower case.
fn hex(text: &str, digits: usize) -> Option<u128> {
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let is_hex = text.len() == digits && text.bytes().all(is_digit);
    is_hex.then(|| u128::from_str_radix(text, 16).ok()).flatten()
}

/// The members of all headers as one list (section 3.3.1.1). A list with a bad member is dropped as a whole; from one
/// that is too long the last members go, which are the oldest.
fn parse_state<'a>(states: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let (mut list, mut keys, mut is_full) = (String::new(), Vec::new(), false);
    let members = states.into_iter().flat_map(|state| state.split(','));
    for member in members.map(|member| member.trim_matches([' ', '\t'])) {
        if member.is_empty() {
            continue;
        }
        let (key, value) = member.split_once('=')?;
        if keys.len() == MOST_MEMBERS || keys.contains(&key) || !is_key(key) || !is_value(value) {
            return None;
        }
        keys.push(key);
        let comma = usize::from(!list.is_empty());
        is_full |= list.len() + comma + member.len() > MOST_STATE;
        if !is_full {
            list.extend((comma == 1).then_some(','));
            list.push_str(member);
        }
    }
    Some(list)
}

/// A simple key, or one of a tenant of a system (section 3.3.1.3.1).
fn is_key(key: &str) -> bool {
    let is_part = |part: &str, longest: usize, is_first: fn(u8) -> bool| {
        let is_any = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'*' | b'/');
        part.len() <= longest && part.bytes().next().is_some_and(is_first) && part.bytes().all(is_any)
    };
    let is_letter = |byte: u8| byte.is_ascii_lowercase();
    match key.split_once('@') {
        None => is_part(key, 256, is_letter),
        Some((tenant, system)) => {
            let is_letter_or_digit = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
            is_part(tenant, 241, is_letter_or_digit) && is_part(system, 14, is_letter)
        }
    }
}

/// Up to 256 printable characters of ASCII but `,` and `=` (section 3.3.1.3.2). The spaces around it are gone.
fn is_value(value: &str) -> bool {
    let is_any = |byte: u8| matches!(byte, b' '..=b'~') && !matches!(byte, b',' | b'=');
    (1..=256).contains(&value.len()) && value.bytes().all(is_any)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn state(states: &[&str]) -> String {
        TraceContext::parse(PARENT, states.iter().copied()).unwrap().state
    }

    #[test]
    fn a_parent_reads_back() {
        let context = TraceContext::parse(PARENT, []).unwrap();
        assert_eq!(context.trace_id, 0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c);
        assert_eq!((context.span_id, context.flags), (0xb7ad_6b71_6920_3331, 1));
        assert_eq!((context.parent().as_str(), context.state.as_str()), (PARENT, ""));
        // Flags of later levels are not ours to pass on.
        let flagged = TraceContext::parse(&PARENT.replace("-01", "-fe"), []).unwrap();
        assert_eq!(flagged.flags, 0);
        // A later version may say more, and we answer in ours.
        for later in
            [PARENT.replacen("00", "01", 1), PARENT.replacen("00", "cc", 1) + "-what-the-future-will-be"]
        {
            assert_eq!(TraceContext::parse(&later, []).unwrap().parent(), PARENT, "{later}");
        }
    }

    #[test]
    fn what_is_no_parent_is_none() {
        let zeros = PARENT.replace("0af7651916cd43dd8448eb211c80319c", &"0".repeat(32));
        for parent in [
            "",
            "00",
            &PARENT.to_ascii_uppercase(),
            &PARENT.replacen("00", "ff", 1),
            &PARENT.replacen("00", "0", 1),
            &zeros,
            &PARENT.replace("b7ad6b7169203331", "0000000000000000"),
            &PARENT.replace("b7ad6b7169203331", "b7ad6b716920333"),
            &PARENT.replace("b7ad6b7169203331", "+7ad6b7169203331"),
            &PARENT.replace("319c", "319g"),
            &PARENT.replace("-01", "-1"),
            &PARENT.replace("-01", "-001"),
            &PARENT.replace("-01", ""),
            &(PARENT.to_owned() + "-"),
            &(PARENT.to_owned() + "-more"),
            &(PARENT.replacen("00", "01", 1) + "more"),
            &format!(" {PARENT}"),
            &format!("{PARENT}\r\nx: y"),
            &PARENT.replace('a', "\u{e4}"),
        ] {
            assert_eq!(TraceContext::parse(parent, ["a=b"]), None, "{parent}");
        }
    }

    #[test]
    fn a_state_is_one_list() {
        assert_eq!(
            state(&["rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"]),
            "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"
        );
        assert_eq!(state(&["a=1 , b=2\t", "", ",,", " c=3 x"]), "a=1,b=2,c=3 x");
        assert_eq!(state(&["0tenant@system=x,a_-*/9=y"]), "0tenant@system=x,a_-*/9=y");
    }

    #[test]
    fn a_state_that_is_none_is_dropped_and_the_trace_stays() {
        let long = |letter: &str, length| format!("{letter}={}", "x".repeat(length));
        let many: Vec<_> = (0..33).map(|number| format!("k{number}=v")).collect();
        for bad in [
            "a",
            "a=",
            "=b",
            "A=b",
            "0a=b",
            "a b=c",
            "a=b,a=c",
            "a=b=c",
            "a=\u{e4}",
            "a=b\r\nx: y",
            "a@=b",
            "@a=b",
            "a@0=b",
            "a@b@c=d",
            &long("a", 257),
            &long(&"a".repeat(257), 1),
            &long("t@abcdefghijklmno", 1),
            &many.join(","),
        ] {
            assert_eq!(state(&[bad]), "", "{bad}");
            assert_eq!(state(&["z=1", bad]), "", "{bad}");
        }
        assert_eq!(state(&[&many[..32].join(",")]), many[..32].join(","));
        // What is longer than it may be loses its end, and not a part of a member.
        let lengthy = [long("a", 250), long("b", 250), long("c", 250), "d=1".to_owned()];
        assert_eq!(state(&[&lengthy.join(",")]), lengthy[..2].join(","));
    }
}
