//! Which words of a mail are its sender's, and which quote somebody else.

use super::super::known::person;
use crate::source::PersonRef;

/// A run of lines by one person.
pub(in super::super) struct Piece {
    pub(in super::super) text: String,
    pub(in super::super) quoted: bool,
    /// The person whom the line before a quotation names.
    pub(in super::super) author: Option<PersonRef>,
}

/// Cuts a text into the sender's words and quotations: `>` lines, `On … wrote:`, blocks of `From:`, `Sent:` or `Date:` and
/// forwarded messages.
pub(in super::super) fn pieces(text: &str) -> Vec<Piece> {
    let lines: Vec<&str> = text.lines().collect();
    let mut all: Vec<Piece> = Vec::new();
    let mut below: Option<Option<PersonRef>> = None;
    let mut named: Option<PersonRef> = None;
    for (at, line) in lines.iter().enumerate() {
        if let Some(author) = block(&lines, at) {
            below = Some(author);
        }
        if let Some(author) = wrote(&lines, at) {
            named = Some(author);
        }
        let (quoted, author) = match (&below, line.trim_start().starts_with('>')) {
            (Some(author), _) => (true, author.clone()),
            (None, true) => (true, named.clone()),
            (None, false) => (false, None),
        };
        match all.last_mut().filter(|piece| piece.quoted == quoted && piece.author == author) {
            Some(piece) => {
                piece.text.push('\n');
                piece.text.push_str(line);
            }
            None => all.push(Piece { text: (*line).to_owned(), quoted, author }),
        }
    }
    // Marks of the quotation are taken off, so that a key of several lines reads as one.
    for piece in all.iter_mut().filter(|piece| piece.quoted) {
        let bare = |line: &str| line.trim_start_matches(['>', ' ']).to_owned();
        let marked = piece.text.lines().all(|line| line.trim_start().starts_with('>') || line.trim().is_empty());
        if marked {
            piece.text = piece.text.lines().map(bare).collect::<Vec<_>>().join("\n");
        }
    }
    all
}

/// `On Monday, Bob <bob@x> wrote:` in any language: an address or name before a colon at the end of the line, and a quotation
/// below.
fn wrote(lines: &[&str], at: usize) -> Option<PersonRef> {
    let line = lines[at].trim();
    let follows = lines[at + 1..].iter().take(3).find(|line| !line.trim().is_empty())?.trim_start().starts_with('>');
    if !follows || !line.ends_with(':') || line.starts_with('>') {
        return None;
    }
    // A long line of this kind is often broken once.
    let before = at.checked_sub(1).map_or("", |before| lines[before].trim());
    address(line).or_else(|| address(&format!("{before} {line}"))).or_else(|| {
        let name = line.trim_end_matches(':').trim_end_matches("wrote").rsplit(',').next()?.trim();
        person("mail", None, None, None, Some(name.to_owned()))
    })
}

/// `From:` as the mail programs of many languages write it.
const FROM: &[&str] = &[
    "from",
    "von",
    "de",
    "da",
    "van",
    "od",
    "fra",
    "från",
    "lähettäjä",
    "feladó",
    "kimden",
    "gönderen",
    "de la",
    "от",
    "від",
    "από",
    "发件人",
    "寄件者",
    "寄件人",
    "差出人",
    "送信者",
    "보낸 사람",
    "보낸사람",
    "من",
    "מאת",
];

/// What stands below it: the time, the ones whom it was sent to, the subject.
const NEXT: &[&str] = &[
    "sent",
    "date",
    "to",
    "subject",
    "cc",
    "gesendet",
    "datum",
    "an",
    "betreff",
    "envoyé",
    "envoyé le",
    "à",
    "objet",
    "enviado",
    "enviado el",
    "enviada em",
    "enviado em",
    "fecha",
    "para",
    "asunto",
    "assunto",
    "inviato",
    "data",
    "a",
    "oggetto",
    "verzonden",
    "aan",
    "onderwerp",
    "wysłane",
    "wysłano",
    "do",
    "temat",
    "skickat",
    "till",
    "ämne",
    "sendt",
    "til",
    "dato",
    "emne",
    "lähetetty",
    "vastaanottaja",
    "aihe",
    "odesláno",
    "komu",
    "předmět",
    "elküldve",
    "címzett",
    "tárgy",
    "gönderildi",
    "tarih",
    "kime",
    "konu",
    "trimis",
    "către",
    "subiect",
    "отправлено",
    "дата",
    "кому",
    "тема",
    "надіслано",
    "στάλθηκε",
    "προς",
    "θέμα",
    "发送时间",
    "发送日期",
    "日期",
    "收件人",
    "主题",
    "寄件日期",
    "收件者",
    "主旨",
    "送信日時",
    "日時",
    "宛先",
    "件名",
    "보낸 날짜",
    "날짜",
    "받는 사람",
    "제목",
    "تم الإرسال",
    "التاريخ",
    "إلى",
    "נשלח",
    "תאריך",
    "אל",
];

/// `*From:* Bob`, `De : Bob` and `发件人：Bob` → the name in small letters and what follows it.
fn header(line: &str) -> Option<(String, &str)> {
    let marks = |c: char| matches!(c, '>' | '*' | '\t' | '_') || c.is_whitespace();
    let (name, rest) = line.trim_matches(marks).split_once([':', '：'])?;
    (name.len() < 40).then(|| (name.trim_matches(marks).to_lowercase(), rest.trim_matches(marks)))
}

/// The head of a quoted message: `From:` followed by `Sent:`, `Date:`, `To:` or `Subject:`. Everything below is that person's.
fn block(lines: &[&str], at: usize) -> Option<Option<PersonRef>> {
    let (name, rest) = header(lines[at])?;
    let below = || {
        lines[at + 1..].iter().take(4).filter_map(|line| header(line)).any(|(name, _)| NEXT.contains(&name.as_str()))
    };
    (FROM.contains(&name.as_str()) && below())
        .then(|| address(rest).or_else(|| person("mail", None, None, None, Some(rest.to_owned()))))
}

/// The last address of a line, with the name before it.
pub(in super::super) fn address(line: &str) -> Option<PersonRef> {
    let at = line.rfind('@')?;
    let inside = |c: char| c.is_alphanumeric() || "._%+-'=".contains(c);
    let start = line[..at].char_indices().rev().find(|(_, c)| !inside(*c)).map_or(0, |(n, c)| n + c.len_utf8());
    let end =
        line[at + 1..].find(|c: char| !(c.is_alphanumeric() || ".-".contains(c))).map_or(line.len(), |n| at + 1 + n);
    let email = line[start..end].trim_end_matches('.').to_owned();
    if start == at || email.ends_with('@') {
        return None;
    }
    let before = line[..start].trim_end_matches("mailto:").trim_end_matches(['<', '[', '"', ' ', '(']);
    let name = before.rsplit([',', ':', ';']).next().unwrap_or_default().trim().trim_matches('"').to_owned();
    person("mail", None, None, Some(email), Some(name).filter(|name| !name.is_empty() && name.len() < 80))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotations_are_credited_to_whom_they_quote() {
        let text = "mine\n\nOn Mon, Jan 1, 2024 at 9:00 AM Bob Tanaka <bob@harbourfinch.example> wrote:\n> his\n> words\nmine again\n\n-----Original Message-----\nFrom: Alice Moreau <alice@harbourfinch.example>\nSent: Monday\nTo: x\n\nhers";
        let pieces = pieces(text);
        let by = |word: &str| {
            let piece = pieces.iter().find(|piece| piece.text.lines().any(|line| line == word)).expect("a piece");
            piece.author.as_ref().and_then(|who| who.email.clone()).unwrap_or_default()
        };
        assert_eq!((by("mine").as_str(), by("mine again").as_str()), ("", ""));
        assert_eq!(by("his"), "bob@harbourfinch.example");
        assert_eq!(by("hers"), "alice@harbourfinch.example");
        assert!(address("x").is_none());
        for head in [
            "De\u{a0}: Bob <bob@x.example>\nEnvoyé\u{a0}: lundi",
            "Od: Bob <bob@x.example>\nWysłane: dzis",
            "*Från:* Bob <bob@x.example>\n*Skickat:* nu",
            "发件人：Bob <bob@x.example>\n发送时间：今天",
        ] {
            let text = format!("mine\n\n{head}\n\nhis");
            let pieces = super::pieces(&text);
            let last = pieces.last().and_then(|piece| piece.author.clone()).and_then(|who| who.email);
            assert_eq!((pieces.len(), last.as_deref()), (2, Some("bob@x.example")), "{head}");
        }
    }
}
