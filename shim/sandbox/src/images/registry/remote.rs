//! A registry's image, shown to the reader of layouts: its documents are fetched when they are asked for, its layers when
//! the image must be made. The caller's thread waits; a runtime of its own does the work.

use std::cell::RefCell;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use oci_spec::image::Descriptor;
use serde_json::json;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;
use tokio::time::interval;

use super::super::blob::{Blob, Hash};
use super::super::layout::{
    Ambiguity, Documents, LayerPart, LayoutError, MAX_DOCUMENT_BYTES, verify,
};
use super::super::types::{Observer, Progress, Stage};
use super::super::unpack::LayerBlob;
use super::blobs::{Blobs, Wanted};
use super::client::{Client, Document};
use super::error::RegistryError;
use super::name::ImageName;
use super::settings::RegistrySettings;

/// How often the observer hears of it, and is asked whether to go on.
const EVERY: Duration = Duration::from_millis(200);
/// Layers at once, as Docker does it.
const AT_ONCE: usize = 3;

/// A connection to the registry of one image.
pub(in super::super) struct Session {
    runtime: Option<Runtime>,
    client: Arc<Client>,
    name: ImageName,
}

/// The image's documents.
pub(in super::super) struct Remote<'a> {
    session: &'a Session,
    observer: RefCell<&'a mut dyn Observer>,
    /// What the name stands for: its digest and content.
    root: RefCell<Option<(String, Vec<u8>)>>,
}

impl Session {
    pub(in super::super) fn open(
        settings: &RegistrySettings,
        name: &ImageName,
    ) -> Result<Self, RegistryError> {
        let client = Arc::new(Client::new(settings, name)?);
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|source| RegistryError::Disk {
            action: "start",
            path: "a runtime".to_owned(),
            source,
        })?;
        Ok(Self {
            runtime: Some(runtime),
            client,
            name: name.clone(),
        })
    }

    /// Waits, as long as the observer wants to.
    fn wait<T>(
        &self,
        observer: &mut dyn Observer,
        news: impl Fn() -> Progress,
        work: impl Future<Output = Result<T, RegistryError>>,
    ) -> Result<T, RegistryError> {
        let runtime = self.runtime.as_ref().ok_or(RegistryError::Cancelled)?;
        runtime.block_on(async {
            let mut work = std::pin::pin!(work);
            let mut ticks = interval(EVERY);
            loop {
                tokio::select! {
                    biased;
                    done = &mut work => return done,
                    _ = ticks.tick() => {
                        if observer.cancelled() {
                            return Err(RegistryError::Cancelled);
                        }
                        observer.progress(news());
                    }
                }
            }
        })
    }

    /// Fetches the layers that are not in `blobs`.
    pub(in super::super) fn layers(
        &self,
        layers: &[LayerPart],
        blobs: &Blobs,
        observer: &mut dyn Observer,
    ) -> Result<Vec<LayerBlob>, RegistryError> {
        let total = layers.iter().map(|layer| layer.descriptor.size()).sum();
        let done = Arc::new(AtomicU64::new(0));
        let news = || pulling(done.load(Ordering::Relaxed), total);
        let files = self.wait(observer, news, self.fetch_all(layers, blobs, &done))?;
        let layers = layers.iter().cloned().zip(files);
        let layers = layers.map(|(layer, file)| {
            let size = layer.descriptor.size();
            layer.with(Blob {
                file: Arc::new(file),
                offset: 0,
                size,
            })
        });
        Ok(layers.collect())
    }

    async fn fetch_all(
        &self,
        layers: &[LayerPart],
        blobs: &Blobs,
        done: &Arc<AtomicU64>,
    ) -> Result<Vec<std::fs::File>, RegistryError> {
        let mut waiting = layers.iter().enumerate();
        let mut running = JoinSet::new();
        let mut files: Vec<_> = layers.iter().map(|_| None).collect();
        loop {
            while running.len() < AT_ONCE
                && let Some((index, layer)) = waiting.next()
            {
                let (client, blobs, done) = (self.client.clone(), blobs.clone(), done.clone());
                let wanted = Wanted {
                    digest: layer.descriptor.digest().to_string(),
                    size: layer.descriptor.size(),
                };
                running.spawn(async move {
                    let file = blobs.fetch(&client, &wanted, &done).await?;
                    Ok::<_, RegistryError>((index, file))
                });
            }
            let Some(fetched) = running.join_next().await else {
                break;
            };
            let (index, file) = fetched.map_err(|_| RegistryError::Cancelled)??;
            if let Some(place) = files.get_mut(index) {
                *place = Some(file);
            }
        }
        let files: Option<Vec<_>> = files.into_iter().collect();
        files.ok_or(RegistryError::Cancelled)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // A thread that waits for another process's lock is not waited for.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl<'a> Remote<'a> {
    pub(in super::super) fn new(session: &'a Session, observer: &'a mut dyn Observer) -> Self {
        Self {
            session,
            observer: RefCell::new(observer),
            root: RefCell::new(None),
        }
    }

    fn wait<T>(
        &self,
        what: &str,
        work: impl Future<Output = Result<T, RegistryError>>,
    ) -> Result<T, LayoutError> {
        let mut observer = self.observer.borrow_mut();
        let outcome = self.session.wait(&mut **observer, || pulling(0, 0), work);
        outcome.map_err(|error| failed(what, error))
    }

    /// What the name stands for, as an index of one entry.
    fn resolve(&self) -> Result<Vec<u8>, LayoutError> {
        let (client, name) = (&self.session.client, &self.session.name);
        let document = client.manifest(name.version(), MAX_DOCUMENT_BYTES);
        let document = self.wait("the manifest", document)?;
        let digest = root_digest(name, &document)?;
        let said: serde_json::Value =
            serde_json::from_slice(&document.content).map_err(|source| LayoutError::Json {
                what: format!("manifest {digest}"),
                source,
            })?;
        let media_type = said.get("mediaType").and_then(|value| value.as_str());
        let header = document.media_type.as_deref().unwrap_or_default();
        let header = header.split(';').next().unwrap_or_default().trim();
        let media_type = media_type.unwrap_or(header);
        let size = document.content.len();
        let entry = json!({"mediaType": media_type, "digest": digest, "size": size});
        *self.root.borrow_mut() = Some((digest, document.content));
        let index = json!({"schemaVersion": 2, "manifests": [entry]});
        Ok(index.to_string().into_bytes())
    }
}

impl Documents for Remote<'_> {
    fn index(&self) -> Result<Vec<u8>, LayoutError> {
        self.resolve()
    }

    fn verified(&self, descriptor: &Descriptor) -> Result<Vec<u8>, LayoutError> {
        let digest = descriptor.digest().to_string();
        if let Some((known, content)) = &*self.root.borrow()
            && *known == digest
        {
            return Ok(content.clone());
        }
        let expected = descriptor.size();
        if expected > MAX_DOCUMENT_BYTES {
            let problem = format!("{digest} has {expected} bytes, more than {MAX_DOCUMENT_BYTES}");
            return Err(LayoutError::Excess(problem));
        }
        let media_type = descriptor.media_type().to_string();
        let client = &self.session.client;
        let document = if media_type.contains(".config.") || media_type.contains("container.image")
        {
            self.wait(&digest, client.small_blob(&digest, expected))?
        } else {
            self.wait(&digest, client.manifest(&digest, expected))?
        };
        verify(&digest, &document.content)?;
        Ok(document.content)
    }

    fn ambiguity(&self) -> Ambiguity {
        Ambiguity::FirstFits
    }
}

/// The digest of what came for a name, which must be the asked one, and the one that the registry says.
fn root_digest(name: &ImageName, document: &Document) -> Result<String, LayoutError> {
    if let Some(digest) = name.digest() {
        verify(digest, &document.content)?;
        return Ok(digest.to_owned());
    }
    if let Some(said) = document
        .digest
        .as_deref()
        .filter(|said| Hash::of(said).is_some())
    {
        verify(said, &document.content)?;
        return Ok(said.to_owned());
    }
    let mut hash = Hash::Sha256(Box::default());
    hash.update(&document.content);
    Ok(hash.finish())
}

fn pulling(done: u64, total: u64) -> Progress {
    Progress {
        stage: Stage::Pulling,
        done,
        total,
    }
}

fn failed(what: &str, error: RegistryError) -> LayoutError {
    LayoutError::Io {
        what: what.to_owned(),
        source: io::Error::other(error),
    }
}
