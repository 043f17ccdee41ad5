//! Keys of API Gateway (REST), as signed calls (<https://docs.aws.amazon.com/apigateway/latest/api/API_Operations.html>).

use serde_json::{Value, json};

use super::{Aws, Failure};
use crate::secret::SecretValue;

/// A key with everything that a replacement has to have, too.
#[derive(Clone, Debug)]
pub struct ApiKey {
    /// Its id, which is no secret.
    pub id: String,
    /// What callers send.
    pub value: SecretValue,
    /// Whether callers may use it.
    pub enabled: bool,
    /// What else is known of it, in the form in which it is made: name, description, tags, customer.
    described: Value,
    /// `api/stage`, for keys from before usage plans.
    stages: Vec<String>,
}

impl ApiKey {
    fn of(one: &Value) -> Self {
        let kept = ["name", "description", "customerId", "tags"];
        let given = |name: &&str| match &one[*name] {
            Value::Null => false,
            Value::String(text) => !text.is_empty(),
            Value::Object(tags) => !tags.is_empty(),
            _ => true,
        };
        let described = kept.iter().filter(|name| given(name)).map(|name| ((*name).to_owned(), one[*name].clone()));
        let stages = one["stageKeys"].as_array().into_iter().flatten().filter_map(Value::as_str);
        Self {
            id: text(&one["id"]),
            value: SecretValue::from(text(&one["value"])),
            // Emulators give back the text of a change.
            enabled: one["enabled"] == true || one["enabled"] == "true",
            described: Value::Object(described.collect()),
            stages: stages.map(str::to_owned).collect(),
        }
    }

    /// What people call it.
    pub fn name(&self) -> &str {
        self.described["name"].as_str().unwrap_or(&self.id)
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// What is there, or nothing where the service says that it is not.
fn found<T>(call: Result<T, Failure>) -> Result<Option<T>, Failure> {
    match call {
        Ok(found) => Ok(Some(found)),
        Err(failure) if failure.status() == Some(404) => Ok(None),
        Err(failure) => Err(failure),
    }
}

impl Aws {
    async fn gateway(&self, method: &str, path: &str, body: Option<Value>) -> Result<Value, Failure> {
        self.rest_call("apigateway", method, path, &[], body.as_ref()).await
    }

    /// Every page of a list.
    async fn gateway_list(&self, path: &str, query: (&str, &str)) -> Result<Vec<Value>, Failure> {
        let mut all = Vec::new();
        let mut position: Option<String> = None;
        loop {
            let next = position.as_deref().map(|position| ("position", position));
            let query: Vec<_> = [("limit", "500"), query].into_iter().chain(next).collect();
            let page = self.rest_call("apigateway", "GET", path, &query, None).await?;
            all.extend(page["item"].as_array().into_iter().flatten().cloned());
            position = page["position"].as_str().filter(|next| !next.is_empty()).map(str::to_owned);
            if position.is_none() {
                return Ok(all);
            }
        }
    }

    /// Every key of the region, with its value.
    ///
    /// # Errors
    /// What failed.
    pub async fn api_keys(&self) -> Result<Vec<ApiKey>, Failure> {
        Ok(self.gateway_list("/apikeys", ("includeValues", "true")).await?.iter().map(ApiKey::of).collect())
    }

    /// One key; `None` when there is none of this id.
    ///
    /// # Errors
    /// What failed.
    pub async fn api_key(&self, id: &str) -> Result<Option<ApiKey>, Failure> {
        let query = [("includeValue", "true")];
        let call = self.rest_call("apigateway", "GET", &format!("/apikeys/{id}"), &query, None).await;
        Ok(found(call)?.map(|one| ApiKey::of(&one)))
    }

    /// Ids of the usage plans that a key is on.
    ///
    /// # Errors
    /// What failed.
    pub async fn plans_of_api_key(&self, id: &str) -> Result<Vec<String>, Failure> {
        let mut plans = Vec::new();
        for plan in self.gateway_list("/usageplans", ("keyId", id)).await? {
            let plan = text(&plan["id"]);
            // Asked of each: a server that lists all plans must not put a key on plans that its predecessor was not on.
            if found(self.gateway("GET", &format!("/usageplans/{plan}/keys/{id}"), None).await)?.is_some() {
                plans.push(plan);
            }
        }
        Ok(plans)
    }

    /// Makes a key like another one, with a value of its own. Its id; `None` when there is a key with this value already.
    ///
    /// # Errors
    /// What failed.
    pub async fn make_api_key(&self, like: &ApiKey, value: &SecretValue) -> Result<Option<String>, Failure> {
        let mut ask = like.described.clone();
        ask["value"] = Value::from(value.expose_str().unwrap_or_default());
        ask["enabled"] = Value::from(like.enabled);
        let stages = like.stages.iter().filter_map(|stage| stage.split_once('/'));
        let stages: Vec<_> = stages.map(|(api, stage)| json!({ "restApiId": api, "stageName": stage })).collect();
        if !stages.is_empty() {
            ask["stageKeys"] = Value::from(stages);
        }
        match self.gateway("POST", "/apikeys", Some(ask)).await {
            Ok(made) => Ok(Some(text(&made["id"]))),
            Err(failure) if failure.status() == Some(409) => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// Puts a key on a usage plan; one that is on it stays on it.
    ///
    /// # Errors
    /// What failed.
    pub async fn put_api_key_on(&self, plan: &str, id: &str) -> Result<(), Failure> {
        let ask = json!({ "keyId": id, "keyType": "API_KEY" });
        match self.gateway("POST", &format!("/usageplans/{plan}/keys"), Some(ask)).await {
            Err(failure) if failure.status() != Some(409) => Err(failure),
            _ => Ok(()),
        }
    }

    /// Lets callers use a key, or not. False when there is none of this id.
    ///
    /// # Errors
    /// What failed.
    pub async fn enable_api_key(&self, id: &str, enabled: bool) -> Result<bool, Failure> {
        let ask = json!({ "patchOperations": [{ "op": "replace", "path": "/enabled", "value": enabled.to_string() }] });
        Ok(found(self.gateway("PATCH", &format!("/apikeys/{id}"), Some(ask)).await)?.is_some())
    }

    /// Deletes a key; one that is not there is a success.
    ///
    /// # Errors
    /// What failed.
    pub async fn delete_api_key(&self, id: &str) -> Result<(), Failure> {
        found(self.gateway("DELETE", &format!("/apikeys/{id}"), None).await).map(drop)
    }
}
