//! What a run shows to other commands: its container's papers, and a door to it.

use std::{path::Path, sync::Arc};

use anyhow::Result;
use husk_sandbox::spec::Spec;
use husk_sandbox::{
    engine::{About, Door, Instant, Papers, Phase, Served, open_door},
    pod::{Keep, MachineEnd, Pod},
    text::one_line,
};
use tokio::sync::Mutex;

use super::Outcome;

/// Papers and door of one container.
#[derive(Debug)]
pub(super) struct Keeper {
    papers: Arc<Mutex<Papers>>,
    door: Door,
}

impl Keeper {
    /// Writes the first papers and opens the door.
    pub(super) fn begin(pod: &Pod, dir: &Path, about: &About, spec: Spec) -> Result<Self> {
        let papers = Arc::new(Mutex::new(Papers::begin(dir, about)?));
        let name = pod.name().as_str();
        let served = Served::new(pod.clone(), name, spec, Arc::clone(&papers));
        let door = open_door(dir, served)?;
        Ok(Self { papers, door })
    }

    /// The container runs; from now on something of it stays, if it is to.
    pub(super) async fn started(&self, pod: &Pod, keep: Keep) -> Result<()> {
        pod.keep(keep).await?;
        let mut papers = self.papers.lock().await;
        papers.change(|status| {
            status.phase = Phase::Running;
            status.started_ns = Some(Instant::now().0);
        })?;
        Ok(())
    }

    /// The container has ended; its machine is next.
    pub(super) async fn ended(&self, outcome: &Outcome) {
        let changed = self.papers.lock().await.change(|status| {
            status.phase = Phase::Exited;
            status.finished_ns = Some(Instant::now().0);
            status.exit_code = Some(outcome.code);
            status.oom_killed = outcome.oom_killed;
            status.error = outcome.lost.as_ref().map(|lost| lost.to_string());
        });
        // A pod that was removed meanwhile has no papers.
        if let Err(error) = changed {
            tracing::debug!("last papers: {}", one_line(&error));
        }
    }

    /// The machine has ended too: the last word, and the door is closed.
    pub(super) async fn close(self, end: &MachineEnd) {
        let timeline = end.timeline.marks.clone();
        let changed = self.papers.lock().await.change(|status| {
            status.timeline = timeline;
        });
        if let Err(error) = changed {
            tracing::debug!("last papers: {}", one_line(&error));
        }
        self.door.close().await;
    }
}
