//! Who agreed to a plan. Policy may ask for others beside the person who applies; each signs the plan's digest with the key of
//! his own offkey folder, and the signature is an entry of the case's log.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::json;

use crate::audit::{Log, Signed, Signer};
use crate::case::Case;
use crate::clock;
use crate::config::Home;
use crate::error::{Error, Result};
use crate::plan::{Approval, Plan};

/// Kind of the log's entry.
const ENTRY: &str = "approval";

/// Signs the plan of a case. Returns who approved, by the name in the policy, and how many are still missing.
///
/// # Errors
/// When the digest is not that of the plan, the plan asks for no approval, or this key is not one of those that it names.
pub fn sign(dir: &Path, digest: &str, home: &Home) -> Result<(String, usize)> {
    let case = Case::open(dir)?;
    let plan = case.plan()?;
    let sealed = plan.digest();
    fits(&sealed, digest)?;
    let Some(approval) = &plan.approval else {
        return Err(Error::user("the policy of this plan asks for no approval beside `offkey apply`")
            .still("Nothing was signed."));
    };
    let signer = Signer::new(&home.signing_seed()?)?;
    let Some(approver) = approval.by.iter().find(|approver| approver.key == signer.key_id()) else {
        return Err(Error::user(format!(
            "the key {} of this offkey folder may not approve this plan",
            signer.key_id()
        ))
        .still("Nothing was signed.")
        .next("policy.approval.by of the offkey.toml that the sweep read lists who may."));
    };
    let time = clock::now().to_string();
    let signed = Signed::new(&signer, &statement(&plan, &sealed, &time));
    case.log().append(
        ENTRY,
        json!({ "digest": sealed, "by": approver.name, "time": time, "key": signed.key, "signature": signed.signature }),
    )?;
    case.seal(&signer)?;
    Ok((approver.name.clone(), approval.needed.saturating_sub(approvers(&plan, approval, case.log())?.len())))
}

/// Whether what was typed stands for this digest.
pub(super) fn fits(sealed: &str, digest: &str) -> Result<()> {
    if digest.len() < 12 {
        return Err(Error::user("the digest is too short: at least its first 12 digits are needed")
            .still("Nothing was changed.")
            .next("`offkey plan --case DIR` shows the plan and its digest; read it before you approve it."));
    }
    if !sealed.starts_with(&digest.to_lowercase()) {
        return Err(Error::user("the digest is not that of this case's plan")
            .still("Nothing was changed.")
            .next("`offkey plan --case DIR` shows the plan and its digest; read it before you approve it."));
    }
    Ok(())
}

/// Whether enough people agreed.
pub(super) fn check(plan: &Plan, log: &Log) -> Result<()> {
    let Some(approval) = &plan.approval else { return Ok(()) };
    let agreed = approvers(plan, approval, log)?;
    if agreed.len() >= approval.needed {
        return Ok(());
    }
    let missing: Vec<&str> =
        approval.by.iter().filter(|one| !agreed.contains(&one.key)).map(|one| one.name.as_str()).collect();
    Err(Error::user(format!("policy asks for {} approvals of this plan, {} are there", approval.needed, agreed.len()))
        .still("Nothing was changed.")
        .next(format!(
            "Ask {} to run `offkey approve --case DIR --digest {}`.",
            missing.join(" or "),
            &plan.digest()[..12]
        )))
}

/// Keys of those whose signature under this very plan is in the log. The leaver's own does not count.
fn approvers(plan: &Plan, approval: &Approval, log: &Log) -> Result<BTreeSet<String>> {
    let digest = plan.digest();
    let mut keys = BTreeSet::new();
    for entry in log.entries()?.iter().filter(|entry| entry.kind == ENTRY) {
        let text = |key: &str| entry.data[key].as_str().unwrap_or_default().to_owned();
        let signed = Signed { key: text("key"), signature: text("signature") };
        let signer = signed.signer_of(&statement(plan, &digest, &text("time")));
        let listed = approval.by.iter().find(|one| Some(&one.key) == signer.as_ref());
        keys.extend(listed.filter(|one| one.name != plan.identity).map(|one| one.key.clone()));
    }
    Ok(keys)
}

fn statement(plan: &Plan, digest: &str, time: &str) -> String {
    format!("offkey-approval/1\n{}\n{digest}\n{time}\n", plan.case)
}
