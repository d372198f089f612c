//! Answers to challenges: a password, or a token that a token server gives for it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::{Method, Url};
use serde::Deserialize;

use super::super::error::RegistryError;
use super::super::transport::Transport;
use super::challenge::Challenge;
use super::credentials::{self, Credentials};

/// Longest answer of a token server.
const MAX_ANSWER_BYTES: u64 = 1 << 20;

#[derive(Deserialize)]
struct Answer {
    token: Option<String>,
    access_token: Option<String>,
}

/// The `Authorization` header that answers a challenge, for pulling from the repository at `path`.
pub(in super::super) async fn authorization(
    client: &Transport,
    path: &str,
    challenge: &Challenge,
) -> Result<HeaderValue, RegistryError> {
    let known = credentials::find(&client.settings, &client.host())?;
    let text = match (challenge, known) {
        (Challenge::Basic, Some(Credentials::Password { user, password })) => {
            basic(&user, &password)
        }
        (Challenge::Basic, _) => {
            return Err(RegistryError::Unauthorized {
                host: client.host(),
                reason: "it wants a user and a password, and none is known (log in first)"
                    .to_owned(),
            });
        }
        (Challenge::Bearer { realm, service, .. }, known) => {
            let token = fetch(client, path, realm, service.as_deref(), known.as_ref()).await?;
            format!("Bearer {token}")
        }
    };
    let header = HeaderValue::from_str(&text);
    let mut header =
        header.map_err(|_| client.protocol("its token is no header value".to_owned()))?;
    header.set_sensitive(true);
    Ok(header)
}

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

/// Asks the token server, for this repository and for pulling only.
async fn fetch(
    client: &Transport,
    path: &str,
    realm: &str,
    service: Option<&str>,
    known: Option<&Credentials>,
) -> Result<String, RegistryError> {
    let url = Url::parse(realm);
    let mut url =
        url.map_err(|_| client.protocol(format!("token realm {realm:?} is no address")))?;
    client.secure(&url, "its token realm")?;
    let scope = format!("repository:{}:pull", path);
    let mut parameters = vec![("scope", scope.as_str())];
    parameters.extend(service.map(|service| ("service", service)));
    let request = if let Some(Credentials::Identity(token)) = known {
        parameters.extend([
            ("grant_type", "refresh_token"),
            ("client_id", "husk"),
            ("refresh_token", token.as_str()),
        ]);
        let mut form = url.clone();
        form.set_query(None);
        form.query_pairs_mut().extend_pairs(&parameters);
        let body = form.query().unwrap_or_default().to_owned();
        let request = client.http.request(Method::POST, url);
        let kind = "application/x-www-form-urlencoded";
        request.header(CONTENT_TYPE, kind).body(body)
    } else {
        url.query_pairs_mut().extend_pairs(&parameters);
        let request = client.http.request(Method::GET, url);
        match known {
            Some(Credentials::Password { user, password }) => {
                request.basic_auth(user, Some(password))
            }
            _ => request,
        }
    };
    let what = "its token server";
    let mut response = client.send(request, what).await?;
    if !response.status().is_success() {
        let status = response.status().as_u16();
        let said = client.said(&mut response).await;
        let hint = if known.is_some() {
            "the credentials are not accepted"
        } else {
            "no credentials are known (log in first)"
        };
        return Err(RegistryError::Unauthorized {
            host: client.host(),
            reason: format!("{what} answers {status}{said}: {hint}"),
        });
    }
    let content = client.content(response, what, MAX_ANSWER_BYTES).await?;
    let answer: Option<Answer> = serde_json::from_slice(&content).ok();
    let token = answer.and_then(|answer| answer.token.or(answer.access_token));
    token.ok_or_else(|| client.protocol(format!("{what} gives no token")))
}
