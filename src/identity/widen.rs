//! Learns further names of the person from what the sources say: user lists of exports, mailmaps, noreply addresses,
//! co-author lines.

use super::{AliasKind, Identity, without_tag};
use crate::source::{Kin, PersonRef};

impl Identity {
    /// Learns from groups of names until nothing new is learnt; says how many aliases were new.
    ///
    /// A group joins when one of its names is known by e-mail, id or login. A group that shares no more than the
    /// display name becomes a suggestion.
    pub fn widen(&mut self, roster: &[Kin]) -> usize {
        let before = self.aliases.len();
        loop {
            let mut learnt = false;
            for kin in roster {
                if kin.people.iter().any(|person| self.knows(person)) {
                    for person in &kin.people {
                        learnt |= self.learn_person(person, &kin.reason);
                    }
                }
            }
            if !learnt {
                break;
            }
        }
        for kin in roster {
            kin.people.iter().for_each(|person| self.suggest(person, &kin.reason));
        }
        self.aliases.len() - before
    }

    fn knows(&self, person: &PersonRef) -> bool {
        if self.recognise(person).is_some() {
            return true;
        }
        let noreply = person.email.as_deref().and_then(noreply);
        noreply.is_some_and(|(host, _, login)| self.owns_login(host, &login))
    }

    fn learn_person(&mut self, person: &PersonRef, reason: &str) -> bool {
        let mut learnt = false;
        if let Some(email) = &person.email {
            learnt |= self.learn(AliasKind::Email, email, reason);
            if let Some((host, id, login)) = noreply(email) {
                learnt |=
                    self.learn(AliasKind::Login, &format!("{host}:{login}"), format!("{reason}: noreply address"));
                if let Some(id) = id {
                    learnt |= self.learn(AliasKind::ChatId, &id, format!("{reason}: id in the noreply address"));
                }
            }
        }
        if let Some(id) = &person.id {
            learnt |= self.learn(AliasKind::ChatId, id, reason);
        }
        if let Some(handle) = &person.handle {
            learnt |= self.learn(AliasKind::Login, &format!("{}:{handle}", person.platform), reason);
        }
        if let Some(name) = &person.display {
            learnt |= self.learn(AliasKind::Name, name, reason);
        }
        learnt
    }

    /// Same display name and nothing else in common: worth a look by a person, not enough for us.
    fn suggest(&mut self, person: &PersonRef, reason: &str) {
        let (Some(name), Some(email)) = (&person.display, &person.email) else { return };
        let email = email.trim().to_lowercase();
        if !self.has(AliasKind::Name, name) || !name.contains(' ') || self.owns_email(&without_tag(&email)) {
            return;
        }
        if self.suggestions.iter().all(|s| s.value != email) {
            let reason = format!("{reason}: only the name {name} is the same");
            self.suggestions.push(super::Alias { kind: AliasKind::Email, value: email, reason });
        }
    }
}

/// Platform, numeric id and login in a code host's noreply address.
///
/// GitHub: `12345+login@users.noreply.github.com`, older `login@users.noreply.github.com`; GitLab:
/// `12345-login@users.noreply.gitlab.com`.
fn noreply(email: &str) -> Option<(&'static str, Option<String>, String)> {
    let email = email.trim().to_lowercase();
    let (local, host) = email.split_once('@')?;
    let (platform, separator) = match host {
        "users.noreply.github.com" => ("github", '+'),
        "users.noreply.gitlab.com" => ("gitlab", '-'),
        _ => return None,
    };
    match local.split_once(separator) {
        Some((id, login)) if !id.is_empty() && id.bytes().all(|b| b.is_ascii_digit()) => {
            Some((platform, Some(id.to_owned()), login.to_owned()))
        }
        _ => Some((platform, None, local.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Evidence;

    fn git(name: &str, email: &str) -> PersonRef {
        let mut person = PersonRef::by_id("git", "");
        person.id = None;
        person.display = Some(name.to_owned());
        person.email = Some(email.to_owned());
        person.evidence = Evidence::E0;
        person
    }

    fn alice() -> Identity {
        let mut identity = Identity { name: "Alice Moreau".to_owned(), ..Identity::default() };
        identity.learn(AliasKind::Email, "alice@harbourfinch.example", "stated in alice.toml");
        identity.learn(AliasKind::Name, "Alice Moreau", "stated in alice.toml");
        identity
    }

    fn kin(people: Vec<PersonRef>, reason: &str) -> Kin {
        Kin { people, reason: reason.to_owned() }
    }

    #[test]
    fn a_mailmap_chain_is_followed_to_its_end() {
        let roster = [
            kin(
                vec![git("Alice", "a@old.example"), git("Alice", "12345+amoreau@users.noreply.github.com")],
                ".mailmap",
            ),
            kin(vec![git("Alice Moreau", "alice@harbourfinch.example"), git("Alice", "a@old.example")], ".mailmap"),
        ];
        let mut identity = alice();
        identity.widen(&roster);
        assert!(identity.owns_email("a@old.example"));
        assert!(identity.owns_login("github", "amoreau"));
        assert!(!identity.owns_login("gitlab", "amoreau"), "a login learnt at one host holds there only");
        assert!(identity.has(AliasKind::ChatId, "12345"));
    }

    #[test]
    fn a_known_login_claims_its_noreply_address() {
        let mut identity = alice();
        identity.learn(AliasKind::Login, "amoreau", "stated in alice.toml");
        identity.widen(&[kin(vec![git("a", "amoreau@users.noreply.github.com")], "author in ./shop")]);
        assert!(identity.owns_email("amoreau@users.noreply.github.com"));
    }

    #[test]
    fn the_same_display_name_is_a_suggestion_only() {
        let mut identity = alice();
        identity.widen(&[kin(vec![git("Alice Moreau", "alice.moreau@elsewhere.example")], "author in ./shop")]);
        assert!(!identity.owns_email("alice.moreau@elsewhere.example"));
        assert_eq!(identity.suggestions[0].value, "alice.moreau@elsewhere.example");
    }

    #[test]
    fn a_chat_user_list_joins_id_and_handle_by_address() {
        let mut user = PersonRef::by_id("slack", "U02ALICE");
        user.handle = Some("alice.m".to_owned());
        user.email = Some("alice@harbourfinch.example".to_owned());
        let mut identity = alice();
        identity.widen(&[kin(vec![user], "user list of the Slack export")]);
        assert!(identity.has(AliasKind::ChatId, "u02alice"));
        assert!(identity.owns_login("slack", "alice.m"));
    }
}
