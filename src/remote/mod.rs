//! Clients of live systems, shared by stores and providers: addresses, deadlines, size limits, and one honest account of
//! what a failed call may have changed.
//!
//! This room knows no plans and no identities. It deliberately does not retry: whether a call may be repeated is the
//! business of the action that made it.

#[cfg(feature = "aws")]
mod aws;
#[cfg(feature = "aws")]
mod aws_gateway;
#[cfg(feature = "aws")]
mod aws_secrets;
#[cfg(feature = "aws")]
mod aws_ssm;
#[cfg(feature = "aws")]
mod aws_xml;
mod failure;
#[cfg(feature = "issuers")]
mod hosting;
#[cfg(feature = "issuers")]
mod http;
#[cfg(feature = "accounts")]
mod ldap;
#[cfg(any(feature = "postgres", feature = "accounts"))]
mod login;
#[cfg(feature = "accounts")]
mod mysql;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "postgres")]
mod postgres_tls;
#[cfg(feature = "accounts")]
mod redis;
#[cfg(any(feature = "postgres", feature = "accounts"))]
mod tls;
#[cfg(feature = "vault")]
mod vault;
#[cfg(feature = "vault")]
mod vault_audit;
#[cfg(feature = "vault")]
mod vault_engines;
#[cfg(feature = "vault")]
mod vault_grants;
#[cfg(feature = "vault")]
mod vault_kv1;

#[cfg(feature = "accounts")]
mod wire;

#[cfg(feature = "aws")]
pub use aws::{Aws, AwsKey, AwsSettings};
#[cfg(feature = "aws")]
pub use aws_gateway::ApiKey;
#[cfg(feature = "aws")]
pub use aws_secrets::{SecretFacts, SecretVersion, WhichVersion};
#[cfg(feature = "aws")]
pub use aws_ssm::{Parameter, ParameterFacts};
#[cfg(feature = "aws")]
pub use aws_xml::Element;
pub use failure::Failure;
#[cfg(feature = "issuers")]
pub use hosting::{Hosted, Hosting, HostingKind};
#[cfg(feature = "issuers")]
pub use http::{Ask, Http, Reply, place_of};
#[cfg(feature = "accounts")]
pub use ldap::{Ldap, LdapSession};
#[cfg(any(feature = "postgres", feature = "accounts"))]
pub use login::Login;
#[cfg(feature = "accounts")]
pub use mysql::{MySql, MySqlSession, native_hash, quote_text};
#[cfg(feature = "postgres")]
pub use postgres::{Postgres, PostgresSettings, Session, quote_role, scram_verifier};
#[cfg(feature = "accounts")]
pub use redis::{Redis, RedisSession, Resp};
#[cfg(any(feature = "postgres", feature = "accounts"))]
pub use tls::Tls;
#[cfg(feature = "vault")]
pub use vault::{Content, EntityFacts, TokenFacts, Vault, VaultSettings, Versions, is_cas_mismatch};
#[cfg(feature = "vault")]
pub use vault_audit::{AuditCoverage, AuditRecord, read_audit_logs};
#[cfg(feature = "vault")]
pub use vault_engines::TransitKey;
#[cfg(feature = "vault")]
pub(crate) use vault_grants::bare_mount;
#[cfg(feature = "vault")]
pub use vault_grants::{GroupFacts, LoginAlias};
#[cfg(feature = "accounts")]
pub use wire::Endpoint;
