//! Real exports, which are not part of the repository. Where they are absent the tests say so and pass.

use std::path::{Path, PathBuf};

use super::{Seen, read};

/// Folder of the samples.
pub(crate) fn samples() -> Option<PathBuf> {
    let told = std::env::var_os("OFFKEY_SAMPLES").map(PathBuf::from);
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/samples");
    let found = told.or(Some(beside)).filter(|path| path.is_dir());
    if found.is_none() {
        eprintln!("SKIPPED: no samples of exports; name their folder in OFFKEY_SAMPLES");
    }
    found
}

fn sample(name: &str) -> Option<Seen> {
    let path = samples()?.join(name);
    if !path.exists() {
        eprintln!("SKIPPED: no sample {name}");
        return None;
    }
    Some(read(&path))
}

/// Sample, format, least number of items with an author, of those with an address, of those with a link.
const EXPECTED: &[(&str, &str, usize, usize, usize)] = &[
    ("slack/houston-days-b", "slack-export", 151, 0, 169),
    ("slack/slackdump-bot-messages", "slack-export", 2, 0, 0),
    ("slack/slackdump-chunks-jsonl-gz", "slack-export", 1048, 0, 0),
    ("slack/slackdump-dump-dir", "slack-export", 19, 0, 0),
    ("slack/slackdump-export", "slack-export", 19, 13, 0),
    ("slack/viewer-testarchive-zip", "slack-export", 170, 0, 174),
    ("mbox-eml/mailparser-legacy-000", "mail", 2, 2, 0),
    ("mbox-eml/mailparser-legacy-006", "mail", 2, 2, 0),
    ("mbox-eml/mailparser-legacy-024", "mail", 2, 2, 0),
    ("mbox-eml/mimekit-content-length", "mail", 51, 51, 0),
    ("mbox-eml/mimekit-issue1189", "mail", 2, 2, 0),
    ("mbox-eml/mimekit-japanese", "mail", 2, 2, 0),
    ("mbox-eml/mimekit-unmunged", "mail", 3, 3, 0),
    ("mbox-eml/perceval-mbox_iso8859_encoding.mbox", "mail", 2, 2, 0),
    ("jira-json/jrjc-all-expanded", "jira-json", 70, 70, 71),
    ("jira-json/jrjc-search", "jira-json", 14, 14, 22),
    ("jira-json/jrjc-visibility", "jira-json", 70, 70, 71),
    ("jira-json/perceval-issues-2", "jira-json", 3, 0, 2),
    ("jira-csv/memory-game", "jira-csv", 51, 0, 0),
    ("github/migration-issues", "github-migration", 103, 0, 206),
    ("github/octokit-add-labels", "github", 1, 0, 1),
    ("github/octokit-paginate-issues", "github", 13, 0, 13),
    ("gitlab/gitlabhq-light-issues", "gitlab", 2, 0, 0),
    ("gitlab/handbook-issues", "gitlab", 17, 15, 0),
    ("gitlab/handbook-mrs", "gitlab", 13, 0, 0),
    ("confluence/xwiki-inlinecomments", "confluence", 71, 71, 0),
    ("confluence/xwiki-confluence8.5.6", "confluence", 17, 17, 0),
    ("confluence/xwiki-commentorder", "confluence", 10, 0, 0),
    ("jira-rss/focalboard-rss", "jira-rss", 3, 0, 5),
    ("jira-xml/jrjc-filters", "jira-xml", 126, 124, 0),
    ("jira-xml/jrjc-removed-user", "jira-xml", 204, 198, 0),
    ("har/perfcascade-browsertime_sitespeed.io.har", "har", 0, 0, 0),
    ("har/perfcascade-capture-har_cnn.har", "har", 0, 0, 0),
    ("ipynb/nbformat-many_tracebacks.ipynb", "ipynb", 0, 0, 0),
    ("ipynb/nbformat-test4plus.ipynb", "ipynb", 0, 0, 0),
    ("bugzilla/perceval-invalid-chars", "bugzilla", 12, 0, 12),
    ("discord/chatanalytics-GC_3A_5M", "discord", 5, 0, 5),
    ("discord/dce-frontend-example", "discord", 1, 0, 1),
    ("freshdesk/mcp-fixture", "freshdesk", 2, 2, 0),
    ("mattermost/demokit-usaf", "mattermost", 50, 50, 0),
    ("mattermost/zulip-direct-channel", "mattermost", 11, 11, 0),
    ("redmine/perceval-list", "redmine", 3, 0, 0),
    ("rocketchat/perceval-2", "rocketchat", 2, 0, 0),
    ("telegram/chatstyle-fixture", "telegram", 9, 0, 0),
    ("telegram/perceval-botapi", "telegram", 5, 0, 0),
    ("whatsapp/whatstk-merge", "whatsapp", 100, 0, 0),
    ("whatsapp/whatstk-pokemon", "whatsapp", 19, 0, 0),
    ("notion/visualizer-books", "notion", 0, 0, 20),
    ("postman/newman-utf16-env", "postman", 0, 0, 0),
    ("postman/newman-v1", "postman", 7, 0, 0),
    ("teams/zulip-team-5cfea048-codeblock", "teams", 2, 2, 7),
    ("teams/zulip-user-a7a930c5-excerpt", "teams", 4, 4, 0),
    ("trello/deck-board", "trello", 2, 0, 8),
    ("trello-simplified/trello2beads-references", "trello", 0, 0, 31),
    ("zendesk/gozendesk-audits", "zendesk", 3, 1, 2),
    ("zendesk/zenpy-audits", "zendesk", 2000, 0, 0),
];

#[test]
fn real_exports_are_recognised_and_their_authors_known() {
    let mut wrong = Vec::new();
    for (name, format, authored, mailed, linked) in EXPECTED {
        let Some(seen) = sample(name) else { continue };
        let items: Vec<_> = seen.pieces.iter().filter_map(|piece| piece.item.as_ref()).collect();
        let count = |what: &dyn Fn(&offkey::source::Item) -> bool| items.iter().filter(|item| what(item)).count();
        let found = (
            count(&|item| item.author.is_some()),
            count(&|item| item.author.as_ref().is_some_and(|who| who.email.is_some())),
            count(&|item| item.permalink.is_some()),
        );
        println!("{name}: {} texts, authors, addresses, links {found:?}, gaps {:?}", seen.pieces.len(), seen.gaps());
        if !items.iter().any(|item| item.format == *format) {
            wrong.push(format!("{name} is not recognised as {format}"));
        }
        if found.0 < *authored || found.1 < *mailed || found.2 < *linked {
            wrong.push(format!("{name}: {found:?} instead of {:?}", (authored, mailed, linked)));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[cfg(feature = "documents")]
#[test]
fn mail_stores_of_outlook_are_read() {
    for (name, authored) in [("pst/libpst-dist-list", 1), ("pst/libpst-passworded", 1)] {
        let Some(seen) = sample(name) else { continue };
        let items: Vec<_> = seen.pieces.iter().filter_map(|piece| piece.item.as_ref()).collect();
        let found = items.iter().filter(|item| item.format == "pst" && item.author.is_some()).count();
        println!("{name}: {} texts, {found} authors, gaps {:?}", items.len(), seen.gaps());
        assert!(found >= authored, "{name}");
    }
}

#[test]
fn a_removed_user_of_jira_keeps_the_handle() {
    let Some(seen) = sample("jira-xml/jrjc-removed-user") else { return };
    let theirs: Vec<_> = seen
        .pieces
        .iter()
        .filter_map(|piece| piece.item.as_ref()?.author.as_ref())
        .filter(|who| who.handle.as_deref().is_some_and(|handle| handle.contains("removed")))
        .collect();
    assert!(!theirs.is_empty(), "the removed user is dropped");
    assert!(theirs.iter().all(|who| who.email.is_none()), "an address from nowhere");
}

#[test]
fn code_of_teams_is_whole() {
    let Some(seen) = sample("teams/zulip-team-5cfea048-codeblock") else { return };
    let piece = seen.one("write_multiple_items(file, separator, *args):\n");
    assert!(piece.link().starts_with("https://teams.microsoft.com/l/message/"), "{}", piece.link());
}
