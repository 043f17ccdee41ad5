//! Rules and needles × documents → matches. Pure and parallel; knows no people and no live systems.
//!
//! A document passes through narrowing stages: the `prefilter` finds the few places where a keyword stands, the exact
//! patterns run in a window around each, structure checks and the `filter`s set the confidence, and needles are searched
//! beside all that in every encoding that people paste.

mod allow;
mod detector;
mod doubt;
mod engine;
mod escape;
mod explain;
mod filter;
mod generic;
mod guarantee;
mod matcher;
mod needle;
mod pair;
mod place;
mod prefilter;
mod prior;
mod run;
mod sample;
mod vendor;

pub use allow::{Allowance, allowance};
pub use detector::{Detector, Options};
pub use explain::Explained;
pub use matcher::Cost;
pub use needle::{Needle, Refused, Values};
pub use pair::HALF;
pub use place::{Doubt, is_ranked, of_path};
pub use prior::{KEPT, keeper, raised};
pub use run::{Hit, run};

use std::ops::Range;
use std::sync::Arc;

use crate::secret::SecretValue;

/// A raw hit. Never leaves memory.
#[derive(Clone, Debug)]
pub struct Match {
    /// Rule id, or `needle:<label>` for an exact value from a store.
    pub rule: Arc<str>,
    /// Kind of credential, as the rule names it.
    pub kind: Arc<str>,
    /// The secret's bytes in the document.
    pub span: Range<usize>,
    /// The secret, decoded if it was found in an encoding.
    pub secret: SecretValue,
    /// Probability that this is a real credential, 0 to 1.
    pub confidence: f32,
    /// Other captured parts: `user`, `host`, `id`. Not secret.
    pub parts: Vec<(String, String)>,
    /// Encodings passed through, outermost first: `base64`, `url`.
    pub encodings: Vec<&'static str>,
    /// Why it was kept and what raised or lowered its confidence, by filter name.
    pub notes: Vec<&'static str>,
}
