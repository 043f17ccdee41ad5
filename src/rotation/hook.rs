//! Hooks: a program or a web address that makes a consumer read its new value. A hook may run twice, after a crash for instance:
//! it has to bear that. It is told targets, never a value, and its environment holds nothing of ours.

use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use super::calls::sleep;
use crate::action::{ActionError, ActionName, Context, Effect, Observed, Receipt, Retry, Work};
use crate::plan::HookStep;

/// How often a running program is looked after.
const LOOK: std::time::Duration = std::time::Duration::from_millis(50);

/// One run of a hook.
pub(super) struct HookAction<'a> {
    hook: &'a HookStep,
    ran: AtomicBool,
}

impl<'a> HookAction<'a> {
    pub(super) fn new(hook: &'a HookStep) -> Self {
        Self { hook, ran: AtomicBool::new(false) }
    }

    async fn run(&self, cx: &Context<'_>) -> Result<Receipt, ActionError> {
        let receipt = match &self.hook.webhook {
            Some(url) => self.call(url, cx).await?,
            None => self.exec(cx).await?,
        };
        self.ran.store(true, Ordering::SeqCst);
        Ok(receipt)
    }

    async fn exec(&self, cx: &Context<'_>) -> Result<Receipt, ActionError> {
        let Some((program, arguments)) = self.hook.exec.split_first() else {
            return Err(ActionError::Stuck(format!("the hook {} has no command", self.hook.name)));
        };
        let kept = ["PATH", "HOME", "LANG"].map(|name| (name, std::env::var_os(name)));
        let mut command = Command::new(program);
        // Ctrl-C asks offkey to come to a rest; the hook must not die of it half-way.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let child = command
            .args(arguments)
            .env_clear()
            .envs(kept.into_iter().filter_map(|(name, value)| Some((name, value?))))
            .env("OFFKEY_TARGETS", self.hook.targets.join(" "))
            .env("OFFKEY_OPERATION", cx.op.to_string())
            .stdin(Stdio::null())
            // What it prints might hold values.
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let failed = |why: String| ActionError::Stuck(format!("the hook {} {why}", self.hook.name));
        let mut child = Running(child.map_err(|error| failed(format!("cannot be started: {error}")))?);
        loop {
            match child.0.try_wait() {
                Ok(Some(status)) if status.success() => return Ok(Receipt::of("hook", "ended well")),
                Ok(Some(status)) => return Err(failed(format!("failed: {status}"))),
                Ok(None) => sleep(LOOK).await,
                Err(error) => return Err(failed(format!("cannot be waited for: {error}"))),
            }
        }
    }

    #[cfg(feature = "issuers")]
    async fn call(&self, url: &str, cx: &Context<'_>) -> Result<Receipt, ActionError> {
        use crate::remote::{Ask, Http};
        let unusable = || ActionError::Stuck(format!("the address of the hook {} is not usable", self.hook.name));
        let url: reqwest::Url = url.parse().map_err(|_| unusable())?;
        let http = Http::new(&url, cx.deadline, None).map_err(|_| unusable())?;
        let body = serde_json::json!({ "hook": self.hook.name, "operation": cx.op, "targets": self.hook.targets });
        let reply = http.send(Ask::new("POST", url).json(&body)).await;
        let reply = reply.map_err(|failure| ActionError::changing(&failure))?;
        if reply.is_success() {
            return Ok(Receipt::of("status", reply.status));
        }
        let failure = reply.failure("", "the web hook refused");
        if failure.may_pass() || failure.is_ambiguous() {
            return Err(ActionError::changing(&failure));
        }
        Err(ActionError::Stuck(format!("the hook {} failed: {failure}", self.hook.name)))
    }

    #[cfg(not(feature = "issuers"))]
    async fn call(&self, _: &str, _: &Context<'_>) -> Result<Receipt, ActionError> {
        Err(ActionError::Stuck(format!(
            "{} needs the feature issuers, which this offkey was built without",
            self.hook.name
        )))
    }
}

/// Ends with its guard: a program that runs past the deadline is not left behind.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        if matches!(self.0.try_wait(), Ok(None)) {
            // It may have ended in this moment: nothing is lost then.
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }
}

impl Work for HookAction<'_> {
    fn name(&self) -> ActionName {
        ActionName("hook.run".to_owned())
    }

    fn effect(&self) -> Effect {
        Effect::Reversible
    }

    fn retry(&self) -> Retry {
        Retry::Safe
    }

    async fn look(&self, _: &Context<'_>) -> Result<Observed, ActionError> {
        let ran = self.ran.load(Ordering::SeqCst);
        Ok(if ran { Observed::Done(Receipt::default()) } else { Observed::NotDone })
    }

    async fn act(&self, cx: &Context<'_>) -> Result<Receipt, ActionError> {
        self.run(cx).await
    }

    async fn take_back(&self, _: &Context<'_>) -> Result<Receipt, ActionError> {
        Ok(Receipt::of("hook", "nothing to take back"))
    }
}
