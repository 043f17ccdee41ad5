//! SSM Parameter Store, as signed calls
//! (<https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_Operations.html>).

use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::{Aws, Failure};

/// A parameter without its value.
#[derive(Clone, Debug, Default)]
pub struct ParameterFacts {
    /// Name, with all slashes.
    pub name: String,
    /// `String`, `StringList` or `SecureString`.
    pub kind: String,
    /// Key that a `SecureString` is encrypted with.
    pub key: Option<String>,
    /// `Standard` or `Advanced`.
    pub tier: String,
}

/// A parameter's current value.
pub struct Parameter {
    /// Number of its version.
    pub version: String,
    /// The value, decrypted.
    pub text: Zeroizing<String>,
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

impl Aws {
    /// Parameters whose names begin with one of these; all for none.
    ///
    /// # Errors
    /// What failed.
    pub async fn parameters(&self, prefixes: &[String]) -> Result<Vec<ParameterFacts>, Failure> {
        let filter = json!([{ "Key": "Name", "Option": "BeginsWith", "Values": prefixes }]);
        self.described(if prefixes.is_empty() { json!([]) } else { filter }).await
    }

    /// What a parameter is; `None` when there is none of this name.
    ///
    /// # Errors
    /// What failed.
    pub async fn parameter_facts(&self, name: &str) -> Result<Option<ParameterFacts>, Failure> {
        let filter = json!([{ "Key": "Name", "Option": "Equals", "Values": [name] }]);
        Ok(self.described(filter).await?.into_iter().find(|facts| facts.name == name))
    }

    async fn described(&self, filters: Value) -> Result<Vec<ParameterFacts>, Failure> {
        let mut all = Vec::new();
        let mut ask = json!({ "MaxResults": 50, "ParameterFilters": filters });
        loop {
            let page = self.json_call("ssm", "AmazonSSM.DescribeParameters", &ask).await?;
            all.extend(page["Parameters"].as_array().into_iter().flatten().map(|one| ParameterFacts {
                name: text(&one["Name"]),
                kind: text(&one["Type"]),
                key: one["KeyId"].as_str().map(str::to_owned),
                tier: text(&one["Tier"]),
            }));
            match page["NextToken"].as_str().filter(|next| !next.is_empty()) {
                Some(next) => ask["NextToken"] = Value::from(next),
                None => return Ok(all),
            }
        }
    }

    /// The current value; `None` when there is no such parameter.
    ///
    /// # Errors
    /// What failed.
    pub async fn parameter(&self, name: &str) -> Result<Option<Parameter>, Failure> {
        let ask = json!({ "Name": name, "WithDecryption": true });
        match self.json_call("ssm", "AmazonSSM.GetParameter", &ask).await {
            Ok(reply) => {
                let one = &reply["Parameter"];
                Ok(Some(Parameter { version: one["Version"].to_string(), text: Zeroizing::new(text(&one["Value"])) }))
            }
            Err(failure) if failure.code() == "ParameterNotFound" => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// Writes a parameter as what it is: type, key and tier stay. False when a new one was wanted and there is one of the name.
    ///
    /// # Errors
    /// What failed.
    pub async fn put_parameter(&self, facts: &ParameterFacts, value: &str, new: bool) -> Result<bool, Failure> {
        let mut ask = json!({ "Name": facts.name, "Value": value, "Type": facts.kind, "Overwrite": !new });
        if let Some(key) = facts.key.as_deref().filter(|_| facts.kind == "SecureString") {
            ask["KeyId"] = Value::from(key);
        }
        if !facts.tier.is_empty() {
            ask["Tier"] = Value::from(facts.tier.as_str());
        }
        match self.json_call("ssm", "AmazonSSM.PutParameter", &ask).await {
            Ok(_) => Ok(true),
            Err(failure) if new && failure.code() == "ParameterAlreadyExists" => Ok(false),
            Err(failure) => Err(failure),
        }
    }

    /// Deletes a parameter; one that is not there is a success.
    ///
    /// # Errors
    /// What failed.
    pub async fn delete_parameter(&self, name: &str) -> Result<(), Failure> {
        match self.json_call("ssm", "AmazonSSM.DeleteParameter", &json!({ "Name": name })).await {
            Err(failure) if failure.code() != "ParameterNotFound" => Err(failure),
            _ => Ok(()),
        }
    }
}
