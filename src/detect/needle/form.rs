//! The encodings of a needle that have letters and digits of their own, and where their anchors may lie.

use data_encoding::BASE64;

/// Letters and digits of an anchor.
pub(super) const ANCHOR: usize = 6;

/// What a needle looks like where its own letters do not stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// As it is, escaped, quoted, split.
    Text,
    /// In base64 with so many bytes before it, modulo three.
    Base64(u8),
    Hex,
    Reversed,
    /// Percent-encoded: only where specials leave no anchor between them.
    Url,
    /// With the names of HTML entities; same.
    Html,
    /// With `\\u0026`; same.
    Json,
}

impl Form {
    /// All forms by their number in the table.
    pub(super) const ALL: [Form; 9] = [
        Form::Text,
        Form::Base64(0),
        Form::Base64(1),
        Form::Base64(2),
        Form::Hex,
        Form::Reversed,
        Form::Url,
        Form::Html,
        Form::Json,
    ];

    /// The bytes of a value in this form.
    pub(super) fn bytes(self, value: &[u8]) -> Vec<u8> {
        match self {
            Form::Text => value.to_vec(),
            Form::Base64(shift) => aligned(value, usize::from(shift), &BASE64),
            Form::Hex => data_encoding::HEXLOWER.encode(value).into_bytes(),
            Form::Reversed => value.iter().rev().copied().collect(),
            Form::Url => spelled(value, |b| format!("%{b:02X}")),
            Form::Json => spelled(value, |b| {
                if b"\"\\/".contains(&b) { format!("\\{}", char::from(b)) } else { format!("\\u{b:04x}") }
            }),
            Form::Html => spelled(value, |b| match b {
                b'&' => "&amp;".to_owned(),
                b'<' => "&lt;".to_owned(),
                b'>' => "&gt;".to_owned(),
                b'"' => "&quot;".to_owned(),
                b'\'' => "&#39;".to_owned(),
                other => char::from(other).to_string(),
            }),
        }
    }

    /// Anchors of this form: the key, and the offset of the first letter in [`Self::bytes`].
    pub(super) fn anchors(self, bytes: &[u8]) -> Vec<(u64, usize)> {
        let mut all = Vec::new();
        let (mut key, mut places, mut count) = (0u64, [0usize; 8], 0);
        for (at, byte) in bytes.iter().enumerate() {
            // What stands between letters may be spelled with other letters, so that an anchor does not reach over it.
            if !counts(bytes, at) {
                if self == Form::Text {
                    count = 0;
                }
                continue;
            }
            key = (key << 8 | u64::from(byte.to_ascii_lowercase())) & MASK;
            places[count & 7] = at;
            count += 1;
            if count >= ANCHOR {
                all.push((key, places[(count - ANCHOR) & 7]));
            }
        }
        all
    }

    /// Anchors that reach over specials, for a value that leaves no other.
    pub(super) fn anchors_across(bytes: &[u8]) -> Vec<(u64, usize)> {
        Form::Reversed.anchors(bytes)
    }
}

/// Whether a byte is a letter or digit of an anchor. The letter of `\n`, `\r` and `\t` is none: a text that is broken
/// there and put into JSON would have one more.
pub(super) fn counts(bytes: &[u8], at: usize) -> bool {
    let byte = bytes[at];
    byte.is_ascii_alphanumeric() && !(matches!(byte, b'n' | b'r' | b't') && at > 0 && bytes[at - 1] == b'\\')
}

/// Bits of a key.
pub(super) const MASK: u64 = (1 << (8 * ANCHOR)) - 1;

fn spelled(value: &[u8], how: impl Fn(u8) -> String) -> Vec<u8> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.~".contains(&b);
    value.iter().flat_map(|b| if plain(*b) { vec![*b] } else { how(*b).into_bytes() }).collect()
}

/// The characters of the encoding that depend on the value alone when `shift` bytes stand before it.
pub(super) fn aligned(value: &[u8], shift: usize, encoding: &data_encoding::Encoding) -> Vec<u8> {
    let padded: Vec<u8> = std::iter::repeat_n(0, shift).chain(value.iter().copied()).collect();
    let text = encoding.encode(&padded).into_bytes();
    let skip = [0, 2, 3][shift];
    let keep = padded.len() * 8 / 6;
    text[skip..keep.max(skip)].to_vec()
}
