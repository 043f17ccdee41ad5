//! What a person decided: offkey's own folder and `offkey.toml`.

mod home;

pub use home::Home;
