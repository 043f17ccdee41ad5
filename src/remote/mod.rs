//! Clients of live systems, shared by stores and providers: addresses, deadlines, size limits, and one honest account of
//! what a failed call may have changed.
//!
//! This room knows no plans and no identities. It deliberately does not retry: whether a call may be repeated is the
//! business of the action that made it.

mod failure;
#[cfg(feature = "issuers")]
mod http;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "vault")]
mod vault;
#[cfg(feature = "vault")]
mod vault_audit;

pub use failure::Failure;
#[cfg(feature = "issuers")]
pub use http::{Ask, Http, Reply, place_of};
#[cfg(feature = "postgres")]
pub use postgres::{Login, Postgres, PostgresSettings, Session, quote_role, scram_verifier};
#[cfg(feature = "vault")]
pub use vault::{Content, EntityFacts, TokenFacts, Vault, VaultSettings, Versions, is_cas_mismatch};
#[cfg(feature = "vault")]
pub use vault_audit::{AuditCoverage, AuditRecord, read_audit_logs};
