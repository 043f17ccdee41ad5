//! Answers of the query services of AWS: small XML documents without attributes that matter.

use quick_xml::Reader;
use quick_xml::events::Event;

/// An element with its text and children.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Element {
    /// Local name.
    pub name: String,
    /// Text, trimmed.
    pub text: String,
    /// Elements inside, in order.
    pub children: Vec<Element>,
}

/// Deeper documents are not answers of AWS.
const DEPTH: usize = 64;

impl Element {
    /// The root element of a document; `None` when it is no XML.
    pub fn parse(text: &str) -> Option<Self> {
        let mut reader = Reader::from_str(text);
        let mut open: Vec<Self> = Vec::new();
        loop {
            match reader.read_event().ok()? {
                Event::Start(start) if open.len() < DEPTH => open.push(Self::named(start.local_name().as_ref())),
                Event::Start(_) | Event::Eof => return None,
                Event::Empty(start) => open.last_mut()?.children.push(Self::named(start.local_name().as_ref())),
                Event::Text(text) => {
                    if let Some(element) = open.last_mut() {
                        element.text.push_str(&text);
                    }
                }
                Event::GeneralRef(reference) => {
                    let name: &str = &reference;
                    let character = match reference.resolve_char_ref().ok()? {
                        Some(character) => character.to_string(),
                        None => quick_xml::escape::resolve_predefined_entity(name)?.to_owned(),
                    };
                    open.last_mut()?.text.push_str(&character);
                }
                Event::End(_) => {
                    let mut element = open.pop()?;
                    element.text = element.text.trim().to_owned();
                    match open.last_mut() {
                        Some(parent) => parent.children.push(element),
                        None => return Some(element),
                    }
                }
                _ => {}
            }
        }
    }

    fn named(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }

    /// Text of the first element of this name, at any depth.
    pub fn find(&self, name: &str) -> Option<&str> {
        self.first(name).map(|element| element.text.as_str())
    }

    fn first(&self, name: &str) -> Option<&Self> {
        if self.name == name { Some(self) } else { self.children.iter().find_map(|child| child.first(name)) }
    }

    /// The members of a list: `<AccessKeyMetadata><member>…</member></AccessKeyMetadata>`.
    pub fn members(&self, list: &str) -> &[Self] {
        self.first(list).map_or(&[], |element| &element.children)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_and_errors_are_read() {
        let text = "<?xml version=\"1.0\"?><R xmlns=\"https://iam\"><L><member><Id>A1</Id></member><member><Id>B&amp;2</Id>\
            </member></L><IsTruncated>false</IsTruncated><Empty/></R>";
        let root = Element::parse(text).expect("XML");
        let ids: Vec<_> = root.members("L").iter().filter_map(|member| member.find("Id")).collect();
        assert_eq!(ids, ["A1", "B&2"]);
        assert_eq!((root.find("IsTruncated"), root.find("Marker")), (Some("false"), None));
        assert_eq!(root.members("None"), []);
    }

    #[test]
    fn what_is_no_xml_is_none() {
        for text in ["", "{}", "<a>", "<a><b></a>", &"<a>".repeat(500)] {
            assert_eq!(Element::parse(text), None, "{text:.20}");
        }
    }
}
