//! Names in addresses (RFC 3986, section 2.1).

/// The bytes that a path stands for, or nothing if an escape is not one.
pub fn decode(path: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => digit(rest.next()?)? << 4 | digit(rest.next()?)?,
            byte => byte,
        });
    }
    Some(bytes)
}

fn digit(byte: u8) -> Option<u8> {
    u8::try_from(char::from(byte).to_digit(16)?).ok()
}

/// A file's name as a value in a query that holds an address.
///
/// The page takes the value out of the query, which undoes one round of escapes, and asks for it as an address, which
/// undoes another. What an address would take for something else than a name's character is therefore escaped twice;
/// all else once, so that the page shows it as it is.
pub fn name_in_query(name: &[u8]) -> String {
    let text = str::from_utf8(name);
    let mut path = String::new();
    for (at, &byte) in name.iter().enumerate() {
        let is_last = at + 1 == name.len();
        let is_special = matches!(byte, b'%' | b'?' | b'#' | b'\\') || byte < b' ' || byte == 0x7f;
        if is_special || byte == b' ' && (is_last || at == 0) || !byte.is_ascii() && text.is_err() {
            path.push_str(&format!("%25{byte:02X}"));
        } else if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            path.push(char::from(byte));
        } else {
            path.push_str(&format!("%{byte:02X}"));
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::{decode, name_in_query};

    #[test]
    fn escapes_are_undone_and_broken_ones_are_refused() {
        assert_eq!(decode("a%20b%2e%FF").as_deref(), Some(&b"a b.\xff"[..]));
        for broken in ["%", "%2", "%zz", "%+1"] {
            assert_eq!(decode(broken), None, "{broken}");
        }
    }

    #[test]
    fn a_name_survives_the_query_and_the_address() {
        assert_eq!(name_in_query(b"job-1_a.stasis"), "job-1_a.stasis");
        assert_eq!(name_in_query("a b+ä".as_bytes()), "a%20b%2B%C3%A4");
        for name in [&b"50%.img"[..], b"a?b#c", b"%2e%2e", b"\xff\xfe", b" edge ", b"line\nbreak", b"a\\b"] {
            let query = name_in_query(name);
            let address =
                String::from_utf8(decode(&query).expect("whole escapes")).expect("a string in the page");
            assert_eq!(decode(&address).as_deref(), Some(name), "{query}");
            assert!(!address.contains(['?', '#', '\\', '\n']), "{address}");
        }
    }
}
