//! The one integration-test binary: each module is one part of the story on real input and real servers.

#[cfg(feature = "accounts")]
mod accounts;
#[cfg(feature = "aws")]
mod aws;
#[cfg(feature = "aws")]
mod aws_api_keys;
#[cfg(feature = "aws")]
mod aws_faults;
#[cfg(feature = "aws")]
mod aws_front;
#[cfg(feature = "aws")]
mod aws_roles;
#[cfg(feature = "aws")]
mod aws_rotation;
#[cfg(feature = "aws")]
mod aws_ssm;
mod bad_input;
mod baseline;
#[cfg(feature = "issuers")]
mod blind;
mod crash;
#[cfg(all(feature = "vault", feature = "postgres"))]
mod departure;
mod equivalence;
#[cfg(all(feature = "vault", feature = "postgres", feature = "aws"))]
mod everything;
mod evidence;
#[cfg(all(feature = "vault", feature = "postgres"))]
mod failures;
mod failures_model;
mod files;
mod foreign;
mod formats;
mod gate;
mod history;
mod hooks;
mod hostile_history;
mod incremental;
#[cfg(feature = "issuers")]
mod issuer_departure;
#[cfg(feature = "issuers")]
mod issuers;
mod lab;
#[cfg(feature = "issuers")]
mod locked;
#[cfg(feature = "issuers")]
mod mirror;
#[cfg(feature = "vault")]
mod openbao_access;
#[cfg(feature = "vault")]
mod openbao_grants;
#[cfg(feature = "vault")]
mod openbao_keys;
#[cfg(feature = "vault")]
mod openbao_kv;
#[cfg(feature = "vault")]
mod openbao_kv1;
mod policy;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "postgres")]
mod postgres_tls;
mod reports;
mod resume;
mod rotation_model;
mod rule_examples;
mod rules;
#[cfg(all(feature = "vault", feature = "postgres", feature = "aws"))]
mod scale;
#[cfg(feature = "issuers")]
mod shelves;
mod sources;
mod steps;
mod surprises;
mod systems;
#[cfg(all(feature = "vault", feature = "postgres"))]
mod walk;
mod watch;
