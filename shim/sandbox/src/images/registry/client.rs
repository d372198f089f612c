//! One registry and one repository: requests with their redirects, challenges, pauses and limits (OCI distribution
//! specification, "pull"). What is over HTTP is bounded here; what it means is the callers'.

use std::sync::Mutex;
use std::time::Duration;

use reqwest::header::{
    ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION, RANGE, RETRY_AFTER,
    WWW_AUTHENTICATE,
};
use reqwest::{Response, StatusCode, Url};
use tokio::time::sleep;

use super::auth;
use super::error::RegistryError;
use super::name::ImageName;
use super::settings::RegistrySettings;
use super::transport::Transport;

/// A blob's detour to the storage behind a registry has one or two.
const MAX_REDIRECTS: usize = 5;
/// How often a busy registry is asked again.
const MAX_RETRIES: u32 = 3;
/// The longest pause that a registry may ask for.
const MAX_PAUSE: Duration = Duration::from_secs(30);
const MANIFEST_TYPES: &str = "application/vnd.oci.image.index.v1+json, \
    application/vnd.oci.image.manifest.v1+json, \
    application/vnd.docker.distribution.manifest.list.v2+json, \
    application/vnd.docker.distribution.manifest.v2+json";

/// A document as it came.
pub(super) struct Document {
    pub(super) content: Vec<u8>,
    pub(super) media_type: Option<String>,
    pub(super) digest: Option<String>,
}

/// Asks one registry about one repository.
pub(super) struct Client {
    pub(super) transport: Transport,
    name: ImageName,
    base: Url,
    authorization: Mutex<Option<HeaderValue>>,
}

struct Ask<'a> {
    url: Url,
    what: &'a str,
    accept: Option<&'static str>,
    from: u64,
}

impl Client {
    pub(super) fn new(
        settings: &RegistrySettings,
        name: &ImageName,
    ) -> Result<Self, RegistryError> {
        let server = settings.server(name.host());
        let scheme = if settings.is_insecure(server) || settings.is_insecure(name.host()) {
            "http"
        } else {
            "https"
        };
        let base = format!("{scheme}://{server}/v2/{}/", name.path());
        let base = Url::parse(&base).map_err(|error| RegistryError::Protocol {
            host: name.host().to_owned(),
            reason: format!("{base:?} is no address: {error}"),
        })?;
        Ok(Self {
            transport: Transport::new(settings, name.host(), &base)?,
            name: name.clone(),
            base,
            authorization: Mutex::new(None),
        })
    }

    /// A manifest or index by tag or digest; its digest is the caller's to check.
    pub(super) async fn manifest(
        &self,
        version: &str,
        limit: u64,
    ) -> Result<Document, RegistryError> {
        let what = format!("manifest {version} of {}", self.name.path());
        let ask = self.ask(&format!("manifests/{version}"), &what, Some(MANIFEST_TYPES))?;
        self.document(&ask, limit).await
    }

    /// A blob that is a document.
    pub(super) async fn small_blob(
        &self,
        digest: &str,
        limit: u64,
    ) -> Result<Document, RegistryError> {
        let what = format!("blob {digest}");
        let ask = self.ask(&format!("blobs/{digest}"), &what, None)?;
        self.document(&ask, limit).await
    }

    /// A blob from a byte on; the registry may give all of it (200), or find nothing there (416).
    pub(super) async fn blob(&self, digest: &str, from: u64) -> Result<Response, RegistryError> {
        let what = format!("blob {digest}");
        let mut ask = self.ask(&format!("blobs/{digest}"), &what, None)?;
        ask.from = from;
        self.get(&ask).await
    }

    fn ask<'a>(
        &self,
        path: &str,
        what: &'a str,
        accept: Option<&'static str>,
    ) -> Result<Ask<'a>, RegistryError> {
        let url = self.base.join(path);
        Ok(Ask {
            url: url.map_err(|error| self.transport.protocol(format!("{path:?}: {error}")))?,
            what,
            accept,
            from: 0,
        })
    }

    async fn document(&self, ask: &Ask<'_>, limit: u64) -> Result<Document, RegistryError> {
        let response = self.get(ask).await?;
        let header = |name: HeaderName| {
            let value = response.headers().get(name)?.to_str().ok()?;
            Some(value.to_owned())
        };
        let media_type = header(CONTENT_TYPE);
        let digest = header(HeaderName::from_static("docker-content-digest"));
        let content = self.transport.content(response, ask.what, limit).await?;
        Ok(Document {
            content,
            media_type,
            digest,
        })
    }

    async fn get(&self, ask: &Ask<'_>) -> Result<Response, RegistryError> {
        let (mut retries, mut authorized) = (0, false);
        loop {
            let response = self.follow(ask).await?;
            let status = response.status();
            if status == StatusCode::OK
                || (ask.from > 0
                    && matches!(
                        status,
                        StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE
                    ))
            {
                return Ok(response);
            }
            let busy = status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error();
            if status == StatusCode::UNAUTHORIZED && !authorized {
                authorized = true;
                let header = self.authorize(&response).await?;
                if let Ok(mut known) = self.authorization.lock() {
                    *known = Some(header);
                }
            } else if busy && retries < MAX_RETRIES {
                sleep(pause(&response, retries)).await;
                retries += 1;
            } else {
                return Err(self.refusal(ask, response).await);
            }
        }
    }

    /// One request, through redirects. Who asks is told to the registry only.
    async fn follow(&self, ask: &Ask<'_>) -> Result<Response, RegistryError> {
        let mut url = ask.url.clone();
        for _ in 0..=MAX_REDIRECTS {
            let mut request = self.transport.http.get(url.clone());
            if let Some(accept) = ask.accept {
                request = request.header(ACCEPT, accept);
            }
            if ask.from > 0 {
                request = request.header(RANGE, format!("bytes={}-", ask.from));
            }
            let known = self.authorization.lock().ok().and_then(|it| it.clone());
            if let Some(known) = known.filter(|_| url.origin() == self.base.origin()) {
                request = request.header(AUTHORIZATION, known);
            }
            let response = self.transport.send(request, ask.what).await?;
            let status = response.status();
            if !status.is_redirection() {
                return Ok(response);
            }
            let location = response.headers().get(LOCATION);
            let location = location.and_then(|value| value.to_str().ok());
            let next = location.and_then(|location| url.join(location).ok());
            let next = next.ok_or_else(|| {
                let reason = format!("{status} to {} leads nowhere", ask.what);
                self.transport.protocol(reason)
            })?;
            self.transport.secure(&next, "a redirect")?;
            url = next;
        }
        let reason = format!("{} is more than {MAX_REDIRECTS} redirects away", ask.what);
        Err(self.transport.protocol(reason))
    }

    async fn authorize(&self, response: &Response) -> Result<HeaderValue, RegistryError> {
        let headers = response.headers().get_all(WWW_AUTHENTICATE).iter();
        let challenges = headers.filter_map(|value| auth::parse(value.to_str().ok()?));
        match challenges.into_iter().next() {
            Some(challenge) => {
                auth::authorization(&self.transport, self.name.path(), &challenge).await
            }
            None => Err(self
                .transport
                .protocol("401 without a challenge that can be answered".to_owned())),
        }
    }

    async fn refusal(&self, ask: &Ask<'_>, mut response: Response) -> RegistryError {
        let host = self.transport.host();
        let status = response.status();
        let said = self.transport.said(&mut response).await;
        let what = ask.what.to_owned();
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => RegistryError::Unauthorized {
                host,
                reason: format!("{} to {what}{said}", status.as_u16()),
            },
            StatusCode::NOT_FOUND => RegistryError::Missing { host, what },
            StatusCode::TOO_MANY_REQUESTS => RegistryError::TooMany { host },
            status => RegistryError::Status {
                host,
                status: status.as_u16(),
                what,
                said,
            },
        }
    }
}

/// How long a busy registry wants to be left alone.
fn pause(response: &Response, retries: u32) -> Duration {
    let header = response.headers().get(RETRY_AFTER);
    let seconds = header.and_then(|value| value.to_str().ok()?.trim().parse().ok());
    let own = Duration::from_millis(250 << retries.min(5));
    seconds.map_or(own, Duration::from_secs).min(MAX_PAUSE)
}
