//! AWS: one account in one region. Secrets Manager is called through its SDK; the few calls of IAM and STS are signed here,
//! because their SDK crates cost minutes of compile time (docs/design/002-aws-clients.md).

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials;
use aws_sdk_secretsmanager::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use serde_json::Value;
use zeroize::Zeroizing;

use super::aws_xml::Element;
use super::failure::{Failure, one_line};
use super::http::{Ask, Http, place_of};
use crate::secret::SecretValue;

/// An access key: its id, which is no secret, and its secret part; temporary keys carry a session token.
#[derive(Clone)]
pub struct AwsKey {
    /// `AKIA…`, or `ASIA…` for a temporary one.
    pub id: String,
    /// The secret access key.
    pub secret: SecretValue,
    /// Session token of a temporary key.
    pub session: Option<SecretValue>,
}

/// Where the account is, and who asks.
pub struct AwsSettings {
    /// Region: `eu-west-1`.
    pub region: String,
    /// Address of an endpoint that stands for all services; `None` for AWS itself.
    pub endpoint: Option<String>,
    /// The key to work with; `None`: found as every AWS tool finds it (environment, profile, instance role).
    pub key: Option<AwsKey>,
    /// How long one call may take.
    pub deadline: Duration,
}

/// A client of one account in one region.
pub struct Aws {
    settings: AwsSettings,
    http: Http,
    config: tokio::sync::OnceCell<SdkConfig>,
}

impl Aws {
    /// A client; nothing is sent yet.
    ///
    /// # Errors
    /// When the endpoint is no address.
    pub fn new(settings: AwsSettings) -> Result<Self, Failure> {
        let address = settings.endpoint.clone().unwrap_or_else(|| "https://sts.amazonaws.com".to_owned());
        let url = parse(&address)?;
        let http = Http::new(&url, settings.deadline, None)?;
        Ok(Self { settings, http, config: tokio::sync::OnceCell::new() })
    }

    /// The region, for messages.
    pub fn region(&self) -> &str {
        &self.settings.region
    }

    async fn config(&self) -> &SdkConfig {
        self.config.get_or_init(|| self.load()).await
    }

    async fn load(&self) -> SdkConfig {
        // A call is repeated by the action that made it, or not at all.
        let timeouts = TimeoutConfig::builder().operation_timeout(self.settings.deadline);
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .region(Region::new(self.settings.region.clone()))
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts.build());
        if let Some(endpoint) = &self.settings.endpoint {
            loader = loader.endpoint_url(endpoint);
        }
        if let Some(key) = &self.settings.key {
            loader = loader.credentials_provider(credentials(key));
        }
        loader.load().await
    }

    /// The client of Secrets Manager.
    pub async fn secrets_manager(&self) -> aws_sdk_secretsmanager::Client {
        aws_sdk_secretsmanager::Client::new(self.config().await)
    }

    /// Who we are: the id of the key that offkey works with.
    ///
    /// # Errors
    /// When no credentials are found.
    pub async fn own_key_id(&self) -> Result<String, Failure> {
        Ok(self.own().await?.access_key_id().to_owned())
    }

    async fn own(&self) -> Result<Credentials, Failure> {
        let none = |why: String| Failure::Unreachable { place: "AWS".to_owned(), why };
        let config = self.config().await;
        let provider = config.credentials_provider().ok_or_else(|| none("no credentials are configured".to_owned()))?;
        provider.provide_credentials().await.map_err(|error| none(format!("no credentials were found: {error}")))
    }

    /// Calls IAM as offkey: an action of version 2010-05-08 with its parameters.
    ///
    /// # Errors
    /// What failed.
    pub async fn iam(&self, action: &str, parameters: &[(&str, &str)]) -> Result<Element, Failure> {
        let own = self.own().await?;
        // IAM is one service for all regions.
        self.query(&own, "iam", "us-east-1", "2010-05-08", action, parameters).await
    }

    /// Asks STS who a key belongs to: `GetCallerIdentity`, which no policy can forbid. Gives the ARN.
    ///
    /// # Errors
    /// What failed; `InvalidClientTokenId` for a key that is inactive or gone.
    pub async fn caller(&self, key: &AwsKey) -> Result<String, Failure> {
        let region = self.settings.region.as_str();
        let reply = self.query(&credentials(key), "sts", region, "2011-06-15", "GetCallerIdentity", &[]).await?;
        Ok(reply.find("Arn").unwrap_or_default().to_owned())
    }

    /// Who we are, as STS says: `arn:aws:iam::…:user/offkey`, `arn:aws:sts::…:assumed-role/offkey/session`.
    ///
    /// # Errors
    /// What failed.
    pub async fn own_arn(&self) -> Result<String, Failure> {
        let own = self.own().await?;
        let reply = self.query(&own, "sts", &self.settings.region, "2011-06-15", "GetCallerIdentity", &[]).await?;
        Ok(reply.find("Arn").unwrap_or_default().to_owned())
    }

    async fn query(
        &self,
        credentials: &Credentials,
        service: &str,
        region: &str,
        version: &str,
        action: &str,
        parameters: &[(&str, &str)],
    ) -> Result<Element, Failure> {
        let address = match &self.settings.endpoint {
            Some(endpoint) => endpoint.clone(),
            None if service == "iam" => "https://iam.amazonaws.com/".to_owned(),
            None => format!("https://{service}.{region}.amazonaws.com/"),
        };
        let url = parse(&address)?;
        let pairs = [("Action", action), ("Version", version)].into_iter().chain(parameters.iter().copied());
        let mut form = url.clone();
        form.query_pairs_mut().clear().extend_pairs(pairs);
        // As AWS's own clients write it: servers that encode again before they check a signature expect that.
        let body = form.query().unwrap_or_default().replace('*', "%2A");
        let ask = sign("POST", &url, &[("content-type", FORM)], &body, credentials, service, region)?;
        let reply = self.http.send(ask.body(body)).await?;
        let text = String::from_utf8_lossy(&reply.body);
        let element = Element::parse(&text);
        if reply.is_success() {
            let why = "XML was expected".to_owned();
            return element.ok_or_else(|| Failure::Strange { place: place_of(&url), why });
        }
        let element = element.unwrap_or_default();
        let failure =
            reply.failure(element.find("Code").unwrap_or_default(), element.find("Message").unwrap_or_default());
        Err(throttled(failure))
    }
}

impl Aws {
    /// Calls a service that speaks JSON 1.1 as offkey; `target` names the action.
    pub(super) async fn json_call(&self, service: &str, target: &str, ask: &Value) -> Result<Value, Failure> {
        let own = self.own().await?;
        let region = self.settings.region.as_str();
        let endpoint = self.settings.endpoint.clone();
        let url = parse(&endpoint.unwrap_or_else(|| format!("https://{service}.{region}.amazonaws.com/")))?;
        let body = Zeroizing::new(ask.to_string());
        let headers = [("content-type", "application/x-amz-json-1.1"), ("x-amz-target", target)];
        let ask = sign("POST", &url, &headers, &body, &own, service, region)?;
        let reply = self.http.send(ask.body(body.as_bytes())).await?;
        if reply.is_success() {
            return reply.json();
        }
        let said = reply.json().unwrap_or_default();
        // `com.amazonaws.ssm#ParameterNotFound` or the last part alone.
        let code = said["__type"].as_str().unwrap_or_default().rsplit('#').next().unwrap_or_default();
        let message = said["message"].as_str().or_else(|| said["Message"].as_str()).unwrap_or_default();
        Err(throttled(reply.failure(code, message)))
    }

    /// Calls a service that has a path for each thing as offkey. What comes back is JSON, or null.
    pub(super) async fn rest_call(
        &self,
        service: &str,
        method: &str,
        path: &str,
        query: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Value, Failure> {
        let own = self.own().await?;
        let region = self.settings.region.as_str();
        let endpoint = self.settings.endpoint.clone();
        let mut url = parse(&endpoint.unwrap_or_else(|| format!("https://{service}.{region}.amazonaws.com/")))?;
        url.set_path(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let body = Zeroizing::new(body.map(ToString::to_string).unwrap_or_default());
        // Without "accept" API Gateway answers in a form of its own.
        let headers = [("accept", "application/json"), ("content-type", "application/json")];
        let ask = sign(method, &url, &headers, &body, &own, service, region)?;
        let reply = self.http.send(ask.body(body.as_bytes())).await?;
        if reply.is_success() {
            return if reply.body.is_empty() { Ok(Value::Null) } else { reply.json() };
        }
        let said = reply.json().unwrap_or_default();
        let message = said["message"].as_str().or_else(|| said["Message"].as_str()).unwrap_or_default();
        Err(reply.failure("", message))
    }
}

/// What services of AWS say to who asks too often, with the status 400 at most of them.
const TOO_OFTEN: &[&str] =
    &["Throttling", "ThrottlingException", "ThrottledException", "RequestLimitExceeded", "TooManyRequestsException"];

/// The failure with the status that the rest of the world has for it.
fn throttled(failure: Failure) -> Failure {
    match failure {
        Failure::Answered { place, code, message, retry_after, .. } if TOO_OFTEN.contains(&code.as_str()) => {
            Failure::Answered { place, status: 429, code, message, retry_after }
        }
        other => other,
    }
}

const FORM: &str = "application/x-www-form-urlencoded; charset=utf-8";

fn parse(address: &str) -> Result<reqwest::Url, Failure> {
    reqwest::Url::parse(address)
        .map_err(|cause| Failure::Unreachable { place: address.to_owned(), why: format!("not an address: {cause}") })
}

fn credentials(key: &AwsKey) -> Credentials {
    let text = |value: &SecretValue| value.expose_str().unwrap_or_default().to_owned();
    Credentials::new(&key.id, text(&key.secret), key.session.as_ref().map(text), None, "offkey")
}

/// A request with the headers of Signature Version 4
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html>).
fn sign(
    method: &str,
    url: &reqwest::Url,
    headers: &[(&str, &str)],
    body: &str,
    credentials: &Credentials,
    service: &str,
    region: &str,
) -> Result<Ask, Failure> {
    use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
    let unusable = |why: String| Failure::Unreachable { place: place_of(url), why };
    let identity = credentials.clone().into();
    let parameters = aws_sigv4::sign::v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name(service)
        .time(std::time::SystemTime::from(crate::clock::now()))
        .settings(SigningSettings::default())
        .build()
        .map_err(|cause| unusable(cause.to_string()))?
        .into();
    let mut ask = headers.iter().fold(Ask::new(method, url.clone()), |ask, (name, value)| ask.header(name, value));
    let signed = headers.iter().copied();
    let request = SignableRequest::new(method, url.as_str(), signed, SignableBody::Bytes(body.as_bytes()))
        .map_err(|cause| unusable(cause.to_string()))?;
    let signed = sign(request, &parameters).map_err(|cause| unusable(cause.to_string()))?;
    for (name, value) in signed.output().headers() {
        ask = ask.secret_header(name, &SecretValue::new(value));
    }
    Ok(ask)
}

/// What a failed call of the SDK may have changed.
pub(crate) fn sdk_failure<E: ProvideErrorMetadata + std::error::Error + 'static>(
    error: &SdkError<E, HttpResponse>,
    region: &str,
) -> Failure {
    let place = format!("AWS in {region}");
    match error {
        SdkError::ServiceError(answer) => {
            let raw = answer.raw();
            let (mut code, mut message) = (answer.err().code().unwrap_or(""), answer.err().message().unwrap_or(""));
            // Some front ends answer in XML where JSON is the rule.
            let xml = raw.body().bytes().and_then(|body| Element::parse(&String::from_utf8_lossy(body)));
            if let (true, Some(xml)) = (code.is_empty(), &xml) {
                (code, message) = (xml.find("Code").unwrap_or(""), xml.find("Message").unwrap_or(""));
            }
            Failure::Answered {
                place,
                status: if TOO_OFTEN.contains(&code) { 429 } else { raw.status().as_u16() },
                code: code.to_owned(),
                message: one_line(message),
                retry_after: None,
            }
        }
        SdkError::ConstructionFailure(_) => Failure::Unreachable { place, why: innermost(error) },
        // Only what certainly failed before anything was sent is known to have changed nothing.
        SdkError::DispatchFailure(failure) if failure.is_user() || nothing_was_sent(error) => {
            Failure::Unreachable { place, why: innermost(error) }
        }
        SdkError::DispatchFailure(_) => Failure::Lost { place, why: innermost(error) },
        SdkError::TimeoutError(_) => Failure::Lost { place, why: "no answer in time".to_owned() },
        _ => Failure::Strange { place, why: innermost(error) },
    }
}

fn nothing_was_sent(error: &(dyn std::error::Error + 'static)) -> bool {
    use std::io::ErrorKind;
    let mut next = Some(error);
    while let Some(cause) = next {
        let kind = cause.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
        let refused = matches!(
            kind,
            Some(ErrorKind::ConnectionRefused | ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable)
        );
        let text = cause.to_string();
        if refused || text.contains("dns error") || text.contains("failed to lookup address") {
            return true;
        }
        next = cause.source();
    }
    false
}

fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    one_line(&cause.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_signed_for_its_service_region_and_key_and_never_shows_the_secret() {
        let key = AwsKey { id: "AKIDEXAMPLE".to_owned(), secret: SecretValue::new("a-secret"), session: None };
        let url = parse("https://iam.amazonaws.com/").expect("an address");
        let ask = sign("POST", &url, &[("content-type", FORM)], "Action=X", &credentials(&key), "iam", "us-east-1");
        let ask = ask.expect("signed");
        let header = ask.header_text("authorization").expect("signed");
        assert!(header.starts_with("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/"), "{header}");
        assert!(header.contains("/us-east-1/iam/aws4_request"), "{header}");
        assert!(!format!("{ask:?}").contains("a-secret") && !header.contains("a-secret"));
    }
}
