//! What each type of table is and how well it is proven: the pages docs/stores.md and docs/providers.md are made of this.

/// How well a kind of system is proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proof {
    /// On a real server, which is named, with what is not proven.
    Live(&'static str),
    /// On a server that behaves like the product and enforces authentication.
    Emulator(&'static str),
    /// On a small server that keeps state by the documented rules.
    Contract,
    /// offkey's code on both sides.
    Own,
}

impl Proof {
    /// One cell of a page.
    pub(crate) fn words(self) -> String {
        match self {
            Self::Live(on) => format!("live ({on})"),
            Self::Emulator(but) => format!("emulator ({but})"),
            Self::Contract => "contract".to_owned(),
            Self::Own => "own".to_owned(),
        }
    }
}

/// One type of table.
#[derive(Debug)]
pub(crate) struct About {
    /// The word behind `type =`.
    pub(crate) kind: &'static str,
    /// What it is.
    pub(crate) what: &'static str,
    /// The columns of its page: for stores where a new value waits and what fences it, for providers what it does and what it
    /// finds by itself.
    pub(crate) columns: [&'static str; 2],
    /// How well it is proven.
    pub(crate) proof: Proof,
    /// Modules of the integration tests that prove it.
    pub(crate) tests: &'static [&'static str],
}

const REREAD: &str = "the value's fingerprint, read once more right before";

/// Files of this machine.
pub(super) const FILES: About = About {
    kind: "files",
    what: "dotenv, JSON, YAML, TOML on this machine",
    columns: ["in a private file beside it", "the value's fingerprint"],
    proof: Proof::Live("the file system"),
    tests: &["files", "crash"],
};

/// SOPS.
pub(super) const SOPS: About = About {
    kind: "sops",
    what: "SOPS files, by the program `sops` (3.11 or newer)",
    columns: ["in an encrypted copy beside it", "the value's fingerprint and the file's bytes"],
    proof: Proof::Contract,
    tests: &["locked"],
};

/// age.
pub(super) const AGE: About = About {
    kind: "age",
    what: "dotenv, JSON, YAML, TOML encrypted as a whole, by the program `age`",
    columns: ["in an encrypted copy beside it", "the value's fingerprint and the file's bytes"],
    proof: Proof::Live("age 1.1"),
    tests: &["locked"],
};

/// KV version 2.
pub(super) const VAULT_KV: About = About {
    kind: "vault-kv",
    what: "OpenBao and Vault, KV version 2",
    columns: ["under the pending folder, create only", "check-and-set and the value's fingerprint"],
    proof: Proof::Live("OpenBao; HashiCorp Vault not proven"),
    tests: &["openbao_kv", "departure", "failures"],
};

/// KV version 1.
pub(super) const VAULT_KV1: About = About {
    kind: "vault-kv1",
    what: "OpenBao and Vault, KV version 1",
    columns: ["under the pending folder", REREAD],
    proof: Proof::Live("OpenBao; HashiCorp Vault not proven"),
    tests: &["openbao_kv1"],
};

/// Kubernetes.
pub(super) const KUBERNETES: About = About {
    kind: "kubernetes",
    what: "Kubernetes Secrets",
    columns: ["in a Secret beside it", "`resourceVersion` and the value's fingerprint"],
    proof: Proof::Contract,
    tests: &["shelves"],
};

/// Google.
pub(super) const GCP_SECRETS: About = About {
    kind: "gcp-secrets",
    what: "Google Secret Manager",
    columns: ["in a secret beside it", REREAD],
    proof: Proof::Contract,
    tests: &["shelves"],
};

/// Azure.
pub(super) const AZURE_VAULT: About = About {
    kind: "azure-vault",
    what: "Azure Key Vault secrets",
    columns: ["in a secret beside it", REREAD],
    proof: Proof::Contract,
    tests: &["shelves"],
};

/// GitLab.
pub(super) const GITLAB_CI: About = About {
    kind: "gitlab-ci",
    what: "GitLab CI/CD variables",
    columns: ["in a variable of an environment that no job has", REREAD],
    proof: Proof::Contract,
    tests: &["shelves"],
};

/// GitHub.
pub(super) const GITHUB_ACTIONS: About = About {
    kind: "github-actions",
    what: "GitHub Actions secrets: written, never shown; `copies` says of which places they are copies",
    columns: ["where it was copied from", "`updated_at` and two marks"],
    proof: Proof::Contract,
    tests: &["blind"],
};

/// Jenkins.
pub(super) const JENKINS: About = About {
    kind: "jenkins",
    what: "Jenkins credentials with one secret: written, never shown; `copies` says of which places they are copies",
    columns: ["where it was copied from", "what is shown of it, and a mark in its description"],
    proof: Proof::Contract,
    tests: &["blind"],
};

/// AWS Parameter Store.
pub(super) const AWS_SSM: About = About {
    kind: "aws-ssm",
    what: "AWS SSM Parameter Store",
    columns: ["as a `SecureString` under the pending path", REREAD],
    proof: Proof::Emulator("never on AWS itself"),
    tests: &["aws_ssm"],
};

/// AWS Secrets Manager.
pub(super) const AWS_SECRETS: About = About {
    kind: "aws-secrets",
    what: "AWS Secrets Manager",
    columns: ["as `AWSPENDING`; a rotation function of its own is used", "the version that has `AWSCURRENT`"],
    proof: Proof::Emulator("never on AWS itself; its rotation functions contract-tested"),
    tests: &["aws", "aws_rotation"],
};

/// The demo's issuer.
pub(super) const KEYRING: About = About {
    kind: "keyring",
    what: "the demo's embedded issuer",
    columns: ["set, revoke", "its keys of the leaver"],
    proof: Proof::Own,
    tests: &["crash", "surprises"],
};

/// OpenBao and Vault.
pub(super) const VAULT: About = About {
    kind: "vault",
    what: "OpenBao and Vault",
    columns: [
        "freeze of entities; end of tokens, leases, memberships, users, AppRole secret ids, certificates, static database \
         roles, exported transit keys, root passwords of database connections",
        "by alias and entity; orphans, leases and what was issued or exported by the audit log; SSH certificates as open items",
    ],
    proof: Proof::Live("OpenBao; HashiCorp Vault not proven"),
    tests: &["openbao_access", "openbao_grants", "openbao_keys"],
};

/// Users and keys of AWS.
pub(super) const AWS_IAM: About = About {
    kind: "aws-iam",
    what: "IAM users, their access keys and console passwords",
    columns: [
        "freeze of users, sessions included; end of keys, console passwords and sessions of roles",
        "the leaver's users and what is theirs; roles by trust policies and the user's rights",
    ],
    proof: Proof::Emulator("never on AWS itself"),
    tests: &["aws", "aws_roles"],
};

/// Keys of API Gateway.
pub(super) const AWS_API_KEYS: About = About {
    kind: "aws-api-keys",
    what: "API keys of AWS API Gateway (REST)",
    columns: [
        "a new key on the same usage plans beside the old one; disable, delete",
        "nothing: what was found by its value",
    ],
    proof: Proof::Emulator("never on AWS itself"),
    tests: &["aws_api_keys"],
};

/// Issuers described by rule files.
pub(super) const HTTP: About = About {
    kind: "http",
    what: "an issuer that a rule file describes (docs/issuers.md)",
    columns: ["what its tables say, see below", "nothing: what was found by its value"],
    proof: Proof::Contract,
    tests: &["issuers"],
};

/// Roles of PostgreSQL.
pub(super) const POSTGRES: About = About {
    kind: "postgres",
    what: "PostgreSQL roles",
    columns: ["set, freeze, end sessions", "the leaver's own role"],
    proof: Proof::Live("PostgreSQL 15"),
    tests: &["postgres", "failures"],
};

/// MySQL and MariaDB.
pub(super) const MYSQL: About = About {
    kind: "mysql",
    what: "MySQL and MariaDB accounts",
    columns: ["set, freeze, end sessions", "the leaver's own account"],
    proof: Proof::Live("MariaDB 10.11; MySQL not proven"),
    tests: &["accounts"],
};

/// Redis.
pub(super) const REDIS: About = About {
    kind: "redis",
    what: "Redis users (ACL)",
    columns: ["set beside the old one, freeze, end sessions", "the leaver's own user"],
    proof: Proof::Live("Redis 7.0"),
    tests: &["accounts"],
};

/// RabbitMQ.
pub(super) const RABBITMQ: About = About {
    kind: "rabbitmq",
    what: "RabbitMQ users",
    columns: ["set, end connections", "the leaver's own user"],
    proof: Proof::Live("RabbitMQ 3.10"),
    tests: &["accounts"],
};

/// Directories.
pub(super) const LDAP: About = About {
    kind: "ldap",
    what: "accounts of an LDAP directory",
    columns: ["set", "the leaver's own entry"],
    proof: Proof::Live("OpenLDAP 2.5; Active Directory not spoken"),
    tests: &["accounts"],
};
