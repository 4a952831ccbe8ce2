use super::*;

#[test]
fn reads_the_members_of_the_outermost_object_only() {
    let members = read(r#" {"a":"x","b":{"a":"inner"},"c":[1,{"a":2}],"d":null,"\u0065":-1.5e+3,"f":true} "#)
        .unwrap()
        .unwrap();
    let seen: Vec<_> = members.iter().map(|(k, v)| (k.as_ref(), v.clone())).collect();
    let want = [
        ("a", Value::String("x".into())),
        ("b", Value::Object),
        ("c", Value::Array),
        ("d", Value::Null),
        ("e", Value::Scalar),
        ("f", Value::Scalar),
    ];
    assert_eq!(seen, want);
}

#[test]
fn resolves_escapes_as_json_parse_does() {
    let cases = [
        (r#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{c}\n\r\t"),
        (r#""a\u00e9b\ud83d\ude00c""#, "aéb😀c"),
        (r#""\ud83d""#, "\u{fffd}"),
        (r#""\ud83dx""#, "\u{fffd}x"),
        (r#""\ud83d\u0041""#, "\u{fffd}A"),
        (r#""\ude00""#, "\u{fffd}"),
    ];
    for (text, want) in cases {
        let object = format!("{{\"k\":{text}}}");
        let members = read(&object).unwrap().unwrap();
        assert_eq!(members[0].1, Value::String(want.into()), "{text}");
    }
}

#[test]
fn what_is_written_reads_back() {
    let all: String = (0..0x300).filter_map(char::from_u32).chain(['\u{2028}', '😀']).collect();
    let mut text = String::from("{\"k\":");
    push_string(&mut text, &all);
    text.push('}');
    assert_eq!(read(&text).unwrap().unwrap()[0].1, Value::String(all.as_str().into()));
    assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap()["k"], all.as_str());
}

#[test]
fn nesting_is_bounded() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert_eq!(read(&nested(MAX_DEPTH)), Ok(None));
    assert_eq!(
        read(&nested(MAX_DEPTH + 1)).unwrap_err().expected,
        "at most 128 levels of nesting"
    );
    assert!(read(&"[".repeat(1 << 20)).is_err());
    assert!(read(&"{\"a\":".repeat(1 << 18)).is_err());
}

/// Accepts exactly what another JSON reader accepts, on texts made by seeded mutation of a real configuration.
#[test]
fn agrees_with_an_independent_reader() {
    let seed = br#"{"cniVersion":"1.1.0","n\u00e4me":"t","a":[1,-0.5e-7,true,false,null,{"b":"\\\ud83d\ude00"}],"c":{}}"#;
    let alphabet = br#"{}[]",:\u019aeE+-.tfn 	x"#;
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % below as u64).unwrap()
    };
    let mut accepted = 0;
    for _ in 0..60_000 {
        let mut bytes = seed.to_vec();
        for _ in 0..=random(3) {
            let at = random(bytes.len().max(1)).min(bytes.len().saturating_sub(1));
            match random(4) {
                0 if bytes.len() > 1 => drop(bytes.remove(at)),
                1 => bytes.insert(at, alphabet[random(alphabet.len())]),
                2 if !bytes.is_empty() => bytes[at] = alphabet[random(alphabet.len())],
                _ => bytes.truncate(at.max(1)),
            }
        }
        let Ok(text) = std::str::from_utf8(&bytes) else { continue };
        let theirs = serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
        assert_eq!(read(text).is_ok(), theirs, "{text}");
        accepted += u32::from(theirs);
    }
    assert!(
        accepted > 1_000,
        "the mutations must leave enough legal texts to compare, only {accepted} were"
    );
}
