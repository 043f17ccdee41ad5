//! What a person decided: offkey's own folder and `offkey.toml`.

mod file;
mod gate;
mod home;
mod policy;
mod systems;

pub use file::{Config, load, parse};
pub use gate::GatePolicy;
pub use home::{Home, KEY_VARIABLE};
pub(crate) use systems::{About, providers, stores};
