//! The one integration-test binary: each module is one part of the story on real input and real servers.

mod files;
mod history;
mod lab;
mod rotation_model;
