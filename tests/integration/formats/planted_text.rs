//! The same as `planted`, for real exports that are no JSON: the second reading is by plain text search.

use std::collections::HashMap;

use super::planted::{Plant, compared};
use super::samples::samples;

/// The value of an attribute in a tag.
fn attribute<'t>(tag: &'t str, name: &str) -> Option<&'t str> {
    tag.split_once(&format!(" {name}=\"")).and_then(|(_, rest)| Some(rest.split_once('"')?.0))
}

/// What stands between two marks.
fn between<'t>(text: &'t str, start: &str, end: &str) -> Option<&'t str> {
    Some(text.split_once(start)?.1.split_once(end)?.0)
}

/// Rewrites every part of a text from a mark to the next end.
fn parts(text: &str, mark: &str, end: &str, change: &mut dyn FnMut(&str) -> String) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(mark) {
        let length = rest[at..].find(end).map_or(rest.len() - at, |length| length + end.len());
        out.push_str(&rest[..at]);
        out.push_str(&change(&rest[at..at + length]));
        rest = &rest[at + length..];
    }
    out + rest
}

/// Jira's backup: comments, by the account that the key of their author leads to.
fn jira_xml(text: &str, plant: &mut Plant) -> String {
    let tags = |name: &str| {
        text.split(&format!("<{name} "))
            .skip(1)
            .map(|rest| format!(" {}", rest.split('>').next().unwrap_or_default()))
            .collect::<Vec<_>>()
    };
    let get = |tag: &str, name: &str| attribute(tag, name).unwrap_or_default().to_owned();
    let mails: HashMap<String, String> =
        tags("User").iter().map(|tag| (get(tag, "lowerUserName"), get(tag, "emailAddress"))).collect();
    let names: HashMap<String, String> =
        tags("ApplicationUser").iter().map(|tag| (get(tag, "userKey"), get(tag, "lowerUserName"))).collect();
    parts(text, "<Action ", ">", &mut |tag| {
        let key = get(tag, "author");
        if key.is_empty() || !tag.contains(" body=\"") {
            return tag.to_owned();
        }
        let name = names.get(&key).unwrap_or(&key);
        let who = mails.get(name).filter(|mail| !mail.is_empty()).unwrap_or(name);
        let token = plant.next(who, &get(tag, "created").into(), None);
        tag.replacen(" body=\"", &format!(" body=\"{token} "), 1)
    })
}

/// Confluence: bodies, by whoever wrote the page, comment or version that they belong to last.
fn confluence(text: &str, plant: &mut Plant) -> String {
    let objects: Vec<&str> = text.split("<object ").skip(1).collect();
    let class = |object: &str| between(object, "class=\"", "\"").unwrap_or_default().to_owned();
    let property = |object: &str, name: &str| {
        let rest = object.split_once(&format!("<property name=\"{name}\""))?.1.split_once('>')?.1;
        let rest = rest.split("</property>").next()?;
        let rest = rest.split_once("<id name=").map_or(rest, |(_, id)| id.split_once('>').map_or(id, |pair| pair.1));
        let value = rest.split("</id>").next()?.trim();
        let value =
            value.strip_prefix("<![CDATA[").map_or(value, |value| value.split("]]>").next().unwrap_or_default());
        Some(value.to_owned()).filter(|value| !value.is_empty())
    };
    let id = |object: &str| {
        let value = between(object, "<id name=", "</id>").and_then(|id| id.split_once('>')).map_or("", |pair| pair.1);
        value.trim_start_matches("<![CDATA[").trim_end_matches("]]>").to_owned()
    };
    let mut people: HashMap<String, String> = HashMap::new();
    for user in objects.iter().filter(|object| class(object) == "ConfluenceUserImpl") {
        people.insert(id(user), property(user, "email").or_else(|| property(user, "name")).unwrap_or_else(|| id(user)));
    }
    let contents: HashMap<String, &str> = objects
        .iter()
        .filter(|object| ["Page", "BlogPost", "Comment"].contains(&class(object).as_str()))
        .map(|object| (id(object), *object))
        .collect();
    parts(text, "<object class=\"BodyContent\"", "</object>", &mut |body| {
        let of = property(body, "content").and_then(|of| contents.get(&of).copied());
        let key = of.and_then(|of| property(of, "lastModifier").or_else(|| property(of, "creator")));
        let (Some(of), Some(key), true) = (of, key, body.contains("<property name=\"body\"><![CDATA[")) else {
            return body.to_owned();
        };
        let at = property(of, "lastModificationDate").or_else(|| property(of, "creationDate")).unwrap_or_default();
        let who = people.get(&key).cloned().unwrap_or(key);
        let token = plant.next(&who, &at.into(), None);
        body.replacen(
            "<property name=\"body\"><![CDATA[",
            &format!("<property name=\"body\"><![CDATA[<p>{token}</p>"),
            1,
        )
    })
}

/// WhatsApp: every line with a time, by the name behind it.
fn whatsapp(text: &str, plant: &mut Plant) -> String {
    let mut out = String::new();
    for line in text.lines() {
        let rest = line.split_once(" - ").filter(|(time, _)| time.contains(':') && time.len() < 25).map(|pair| pair.1);
        out.push_str(line);
        if let Some((who, _)) = rest.and_then(|rest| rest.split_once(": ")) {
            out.push_str(&format!(" {}", plant.next(who, &"".into(), None)));
        }
        out.push('\n');
    }
    out
}

/// Bugzilla: comments, by their `who`.
fn bugzilla(text: &str, plant: &mut Plant) -> String {
    parts(text, "<long_desc", "</long_desc>", &mut |comment| {
        let who = comment.split_once("<who").and_then(|pair| between(pair.1, ">", "</who>")).unwrap_or_default();
        comment.replacen("<thetext>", &format!("<thetext>{} ", plant.next(who, &"".into(), None)), 1)
    })
}

/// Jira's list as XML: descriptions, by the reporter.
fn jira_rss(text: &str, plant: &mut Plant) -> String {
    parts(text, "<item>", "</item>", &mut |item| {
        let who = between(item, "<reporter accountid=\"", "\"").unwrap_or_default();
        let link = between(item, "<link>", "</link>").map(str::to_owned);
        item.replacen(
            "<description>",
            &format!("<description>&lt;p&gt;{}&lt;/p&gt;", plant.next(who, &"".into(), link)),
            1,
        )
    })
}

/// Jira's table: summaries, by the reporter.
fn jira_csv(text: &str, plant: &mut Plant) -> String {
    let mut out = String::new();
    for line in text.lines() {
        let cells: Vec<&str> = line.split(',').collect();
        // Only rows whose cells hold no commas.
        if cells.len() == 14 && cells[7].contains(':') && !line.contains('"') {
            let summary = format!("{} {}", cells[3], plant.next(cells[7], &"".into(), None));
            out.push_str(&line.replacen(cells[3], &summary, 1));
        } else {
            out.push_str(line);
        }
        out.push('\n');
    }
    out
}

/// Messages of a mailbox: behind the subject, so that the lengths of bodies stay right, by the address in `From`.
fn mailbox(text: &str, plant: &mut Plant) -> String {
    let mut out = String::new();
    let mut head: Option<Vec<String>> = Some(Vec::new());
    for line in text.split_inclusive('\n') {
        if line.starts_with("From ") && (line.starts_with("From - ") || line.contains(':')) {
            head = Some(Vec::new());
        }
        let Some(lines) = head.as_mut() else {
            out.push_str(line);
            continue;
        };
        lines.push(line.to_owned());
        if !line.trim().is_empty() {
            continue;
        }
        let from = lines.iter().find_map(|line| line.strip_prefix("From: "));
        let who = from.map(|from| between(from, "<", ">").unwrap_or(from).trim().to_owned());
        let subject = lines.iter_mut().find(|line| line.starts_with("Subject: ") && !line.contains("=?"));
        if let (Some(who), Some(subject)) = (who.filter(|who| who.contains('@') && !who.contains(' ')), subject) {
            *subject = format!("{} {}\n", subject.trim_end(), plant.next(&who, &"".into(), None));
        }
        lines.iter().for_each(|line| out.push_str(line));
        head = None;
    }
    out
}

type Planting = fn(&str, &mut Plant) -> String;

/// Sample, file, what plants in it, and fewest texts in which something is planted.
const TEXTS: &[(&str, &str, Planting, usize)] = &[
    ("jira-xml", "jrjc-filters/jira-dump-with-filters.xml", jira_xml, 7),
    ("jira-xml", "jrjc-removed-user/jira-dump-with-comment-and-worklog-from-removed-user.xml", jira_xml, 7),
    ("jira-xml", "jrjc-removed-user/cloud/jira-dump-with-comment-and-worklog-from-removed-user.xml", jira_xml, 7),
    ("confluence", "xwiki-inlinecomments/inlinecomments/entities.xml", confluence, 10),
    ("confluence", "xwiki-confluence8.5.6/confluence8.5.6/entities.xml", confluence, 5),
    ("confluence", "xwiki-commentorder/commentorder/entities.xml", confluence, 3),
    ("confluence", "xwiki-deletedrevision/deletedrevision/entities.xml", confluence, 1),
    ("whatsapp", "whatstk-merge/lorem-merge-part1.txt", whatsapp, 100),
    ("whatsapp", "whatstk-pokemon/pokemon.txt", whatsapp, 15),
    ("bugzilla", "perceval-invalid-chars/bugzilla_bugs_invalid_chars.xml", bugzilla, 5),
    ("jira-rss", "focalboard-rss/jira-export.xml", jira_rss, 2),
    ("jira-csv", "memory-game/Jira.csv", jira_csv, 20),
    ("mbox-eml", "mimekit-content-length/mbox/content-length.mbox.txt", mailbox, 10),
    ("mbox-eml", "mimekit-issue1189/mbox/issue1189.mbox.txt", mailbox, 1),
    ("mbox-eml", "mailparser-legacy-000/legacy/000.eml", mailbox, 1),
    ("mbox-eml", "mailparser-legacy-006/legacy/006.eml", mailbox, 1),
    ("mbox-eml", "mailparser-legacy-024/legacy/024.eml", mailbox, 0),
    ("mbox-eml", "mimekit-unmunged/mbox/simple.mbox.txt", mailbox, 2),
];

#[test]
fn what_is_planted_in_real_text_exports_is_found_with_author_and_time() {
    let Some(root) = samples() else { return };
    let mut all = Vec::new();
    for (number, (kind, file, planting, least)) in TEXTS.iter().enumerate() {
        let dir = tempfile::tempdir().expect("a folder");
        let bytes = std::fs::read(root.join(kind).join(file)).expect("a sample");
        let mut plant = Plant::numbered(1000 + number);
        let text = planting(&String::from_utf8_lossy(&bytes), &mut plant);
        let path = dir.path().join(file.rsplit('/').next().unwrap_or(file));
        std::fs::write(&path, text).expect("written");
        all.extend(compared(file, &plant, &path, *least));
    }
    assert!(all.is_empty(), "{} wrong:\n{}", all.len(), all[..all.len().min(40)].join("\n"));
}
