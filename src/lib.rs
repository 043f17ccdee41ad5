//! offkey
