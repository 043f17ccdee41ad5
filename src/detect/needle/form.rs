//! The encodings of a needle that have letters and digits of their own, and where their anchors may lie.

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
        let mut out = Vec::new();
        self.write(value, &mut out);
        out
    }

    /// Adds the bytes of a value in this form.
    pub(super) fn write(self, value: &[u8], out: &mut Vec<u8>) {
        match self {
            Form::Text => out.extend_from_slice(value),
            Form::Base64(shift) => base64(value, usize::from(shift), out),
            Form::Hex => out.extend(value.iter().flat_map(|b| [HEX[usize::from(b >> 4)], HEX[usize::from(b & 15)]])),
            Form::Reversed => out.extend(value.iter().rev()),
            Form::Url => spelled(value, out, |b| format!("%{b:02X}")),
            Form::Json => spelled(value, out, |b| {
                if b"\"\\/".contains(&b) { format!("\\{}", char::from(b)) } else { format!("\\u{b:04x}") }
            }),
            Form::Html => spelled(value, out, |b| match b {
                b'&' => "&amp;".to_owned(),
                b'<' => "&lt;".to_owned(),
                b'>' => "&gt;".to_owned(),
                b'"' => "&quot;".to_owned(),
                b'\'' => "&#39;".to_owned(),
                other => char::from(other).to_string(),
            }),
        }
    }
}

const HEX: &[u8; 16] = b"0123456789abcdef";

fn spelled(value: &[u8], out: &mut Vec<u8>, how: impl Fn(u8) -> String) {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.~".contains(&b);
    value.iter().for_each(|b| if plain(*b) { out.push(*b) } else { out.extend_from_slice(how(*b).as_bytes()) });
}

/// The characters of base64 that depend on the value alone when `shift` bytes stand before it.
fn base64(value: &[u8], shift: usize, out: &mut Vec<u8>) {
    const SIGNS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bits, mut count) = (0u32, 0);
    for (at, byte) in value.iter().enumerate() {
        (bits, count) = (bits << 8 | u32::from(*byte), count + 8);
        // The first sign holds bits of what stands before the value.
        if at == 0 && shift > 0 {
            count -= if shift == 1 { 4 } else { 2 };
        }
        while count >= 6 {
            count -= 6;
            out.push(SIGNS[(bits >> count & 63) as usize]);
        }
    }
}

/// The same in another alphabet, without what depends on what stands around the value.
pub(super) fn aligned(value: &[u8], shift: usize, encoding: &data_encoding::Encoding) -> Vec<u8> {
    let padded: Vec<u8> = std::iter::repeat_n(0, shift).chain(value.iter().copied()).collect();
    let text = encoding.encode(&padded).into_bytes();
    let skip = [0, 2, 3][shift];
    let keep = padded.len() * 8 / 6;
    text[skip..keep.max(skip)].to_vec()
}
