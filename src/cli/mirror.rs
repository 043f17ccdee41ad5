//! `offkey mirror`: copies of everything that an organisation has, to be scanned.

use super::args::MirrorArgs;
use super::exit::Exit;
use super::ui::Ui;
use crate::action::wait;
use crate::error::{Error, Result};
use crate::fleet::{Copied, Mirror};
use crate::remote::{Hosting, HostingKind};
use crate::secret::SecretValue;

/// Runs the command.
pub(super) fn run(args: &MirrorArgs, ui: Ui) -> Result<Exit> {
    let unknown = || {
        Error::user(format!("{} names no organisation", args.owner))
            .next("Write github:NAME, gitlab:NAME or gitea:NAME; groups of GitLab may be nested: gitlab:a/b.")
    };
    let (product, owner) = args.owner.split_once(':').filter(|pair| !pair.1.is_empty()).ok_or_else(unknown)?;
    let (kind, address, variables): (_, _, &[&str]) = match product {
        "github" => (HostingKind::GitHub, Some("https://github.com"), &["GITHUB_TOKEN", "GH_TOKEN"]),
        "gitlab" => (HostingKind::GitLab, Some("https://gitlab.com"), &["GITLAB_TOKEN"]),
        "gitea" => (HostingKind::Gitea, None, &["GITEA_TOKEN"]),
        _ => return Err(unknown()),
    };
    let address =
        args.host.as_deref().or(address).ok_or_else(|| {
            Error::user("which Gitea is meant is not said").next("Add --host https://git.example.com.")
        })?;
    let token = variables.iter().find_map(|name| std::env::var(name).ok()).filter(|token| !token.is_empty());
    if token.is_none() {
        ui.note(format!("{} is not set: only what everybody may see is copied", variables[0]));
    }
    let token = token.map(SecretValue::from);
    let refused = |failure| {
        Error::remote(format!("the repositories of {owner} cannot be listed"))
            .because(failure)
            .still("nothing was copied")
            .next(format!("Check the name, and the rights of the token in {}.", variables[0]))
    };
    let hosting = Hosting::new(kind, address, token.clone()).map_err(refused)?;
    let mut all = wait(hosting.repositories(owner)).map_err(refused)?;
    let listed = all.len();
    all.retain(|one| (!args.no_forks || !one.fork) && (!args.no_archived || !one.archived));
    let mut mirror = Mirror::open(&args.into, hosting.web().as_str(), token)?;
    let summary = mirror.update(&all, &mut |hosted, done| match done {
        Ok(Copied::New) => ui.note(format!("{} cloned", hosted.name)),
        Ok(Copied::Updated) => ui.note(format!("{} fetched", hosted.name)),
        Ok(Copied::Unchanged | Copied::Empty) => {}
        Err(why) => ui.warn(format!("{} is not copied: {why}", hosted.name)),
    })?;
    ui.note(format!(
        "{owner}: {listed} repositories, {} cloned, {} fetched, {} unchanged, {} empty, {} left out, {} failed",
        summary.new,
        summary.updated,
        summary.unchanged,
        summary.empty,
        listed - all.len(),
        summary.failed.len()
    ));
    ui.note(format!("next: offkey scan --incremental {}", args.into.display()));
    Ok(if summary.failed.is_empty() { Exit::Clean } else { Exit::Partial })
}
