//! What a person decided: offkey's own folder and `offkey.toml`.

mod file;
mod home;
mod systems;

pub use file::{Config, load};
pub use home::Home;
