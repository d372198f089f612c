//! From a description to a pod that boots: name, record, disks, sockets, VMM, owner, in this order, so that whatever
//! ends in the middle leaves nothing that the record does not name.

use std::{
    fs::{self, DirBuilder, File},
    io,
    os::unix::{
        fs::DirBuilderExt,
        net::{UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
};

use husk_machine::api::config::{BlockSlots, HostKvm, KvmKind, SlotClass};
use tokio::{sync::mpsc, task::spawn_blocking};

use super::{
    Pod, PodError, SCRATCH_SERIAL, Timeline,
    owner::{Message, Meter, News, Owned, Owner, boot_limit, send},
    remains::Remains,
    run_dir::{CONTROL, Depth, PodDir, PodName, VSOCK, file_error, sweep},
};
use crate::{
    images::scratch,
    machine::{
        BootArtefact, ControlClient, Drive, ExitWatch, GuestLimit, LaunchedVmm, MachineNews,
        MachineSpec, Vmm, VmmLog,
    },
    spec::Shape,
    text::one_line,
};

/// Writable slots of every machine: the scratch disk's and 4 more.
const WRITABLE_SLOTS: u8 = 5;

const QUEUE_MESSAGES: usize = 64;

/// Where pods live on this host.
#[derive(Clone, Debug)]
pub struct Dirs {
    /// Records and sockets.
    pub run: PathBuf,
    /// Scratch disks.
    pub state: PathBuf,
}

/// A read-only disk.
#[derive(Debug)]
pub struct Disk {
    /// How the guest finds it.
    pub serial: String,
    /// The file, open read-only.
    pub file: File,
}

/// A pod as asked for.
#[derive(Debug)]
pub struct PodSpec {
    /// Its name.
    pub name: PodName,
    /// Where it lives.
    pub dirs: Dirs,
    /// Added to the VMM's pid: its user id.
    pub uid_base: u32,
    /// The `husk-vmm` binary.
    pub vmm: PathBuf,
    /// The guest kernel.
    pub kernel: BootArtefact,
    /// The initramfs.
    pub initramfs: BootArtefact,
    /// The host's KVM.
    pub host: HostKvm,
    /// Size of the machine.
    pub shape: Shape,
    /// Images.
    pub images: Vec<Disk>,
    /// Slots for images, at least as many as there are images.
    pub read_only_slots: u8,
    /// Size of the scratch disk in bytes; `None`: none.
    pub scratch_bytes: Option<u64>,
}

/// Starts a pod; it boots while this returns.
///
/// # Errors
/// Something of it cannot be made; nothing is left then.
pub async fn launch(spec: PodSpec, mut timeline: Timeline) -> Result<Pod, PodError> {
    let dirs = spec.dirs.clone();
    let name = spec.name.clone();
    let kind = spec.host.kind;
    let memory_mib = spec.shape.memory_mib;
    let started = spawn_blocking(move || Started::new(spec)).await;
    let started = started.map_err(|error| file_error(&dirs.run, io::Error::other(error)))??;
    timeline.mark("vmm launched", 0);
    own(started, name, boot_limit(memory_mib), kind, timeline)
}

/// Puts a configured VMM into the hands of an owner.
pub(super) fn own(
    started: Started,
    name: PodName,
    boot: GuestLimit,
    kind: KvmKind,
    timeline: Timeline,
) -> Result<Pod, PodError> {
    let Started {
        socket,
        watch,
        mut remains,
        vsock,
    } = started;
    let (tx, queue) = mpsc::channel(QUEUE_MESSAGES);
    let (news, from_machine) = mpsc::channel(QUEUE_MESSAGES);
    let taken_over = ControlClient::new(socket, news)
        .map_err(PodError::from)
        .and_then(|control| {
            let killer = watch.killer();
            Ok((
                control,
                killer.map_err(|source| file_error(&vsock, source))?,
            ))
        });
    let (control, killer) = match taken_over {
        Ok(both) => both,
        Err(error) => {
            // The machine first: what it still uses is not taken away from it.
            drop(watch);
            for left in remains.clear().1 {
                tracing::warn!("not removed: {left}");
            }
            return Err(error);
        }
    };
    let meter = Meter { control, kind };
    let owner = Owner::new(Owned {
        meter: meter.clone(),
        killer,
        remains,
        timeline,
        queue: tx.downgrade(),
    });
    tokio::spawn(owner.run(queue));
    spawn_sources(&tx, watch, from_machine);
    let greeter = meter.clone();
    let queue = tx.downgrade();
    let socket = vsock.clone();
    tokio::spawn(async move {
        let news = match greeter.greet(socket, boot).await {
            Ok((agent, info)) => News::AgentReady(agent, info),
            Err(error) => News::AgentLost(one_line(&error)),
        };
        send(&queue, news).await;
    });
    Ok(Pod::new(name, tx, meter, vsock))
}

/// What reports to the owner without being asked.
fn spawn_sources(
    tx: &mpsc::Sender<Message>,
    mut watch: ExitWatch,
    mut from_machine: mpsc::Receiver<MachineNews>,
) {
    let queue = tx.downgrade();
    tokio::spawn(async move {
        let end = watch.ended().await;
        send(&queue, News::Reaped(end)).await;
    });
    let queue = tx.downgrade();
    tokio::spawn(async move {
        while let Some(news) = from_machine.recv().await {
            send(&queue, News::Machine(news)).await;
        }
    });
}

/// A configured VMM and what belongs to it.
pub(super) struct Started {
    pub(super) socket: UnixStream,
    pub(super) watch: ExitWatch,
    pub(super) remains: Remains,
    pub(super) vsock: PathBuf,
}

impl Started {
    fn new(spec: PodSpec) -> Result<Self, PodError> {
        // A dead pod must not keep its name.
        if let Err(error) = sweep(&spec.dirs.run, Depth::Resources) {
            tracing::warn!("leftovers of earlier pods: {}", one_line(&error));
        }
        let mut dir = PodDir::create(&spec.dirs.run, &spec.name)?;
        match Self::in_dir(spec, &mut dir) {
            Ok((socket, watch, log, vsock)) => Ok(Self {
                socket,
                watch,
                remains: Remains::new(dir, log),
                vsock,
            }),
            Err(error) => {
                for left in dir.remove() {
                    tracing::warn!("not removed: {left}");
                }
                Err(error)
            }
        }
    }

    fn in_dir(spec: PodSpec, dir: &mut PodDir) -> Result<Parts, PodError> {
        let mut drives = Vec::new();
        if let Some(bytes) = spec.scratch_bytes {
            drives.push(scratch_drive(&spec, bytes, dir)?);
        }
        for (slot, disk) in (0..).zip(spec.images) {
            drives.push(Drive {
                class: SlotClass::ReadOnly,
                slot,
                file: disk.file,
                serial: disk.serial,
            });
        }
        let vsock_path = dir.path().join(VSOCK);
        let machine = MachineSpec {
            vcpus: spec.shape.vcpus,
            memory_mib: spec.shape.memory_mib,
            host: spec.host,
            kernel: spec.kernel,
            initramfs: spec.initramfs,
            slots: BlockSlots {
                writable: WRITABLE_SLOTS,
                read_only: spec.read_only_slots,
            },
            drives,
            vsock: listen(&vsock_path)?,
            control: listen(&dir.path().join(CONTROL))?,
        };
        let log = VmmLog::new().map_err(|source| file_error(dir.path(), source))?;
        let writer = log
            .writer()
            .map_err(|source| file_error(dir.path(), source))?;
        let launched: LaunchedVmm = Vmm {
            binary: spec.vmm,
            log: writer,
        }
        .spawn()?;
        // Until it is configured the process ends when we do: the record is in time.
        dir.note_vmm(launched.pid())?;
        let uid = spec.uid_base.saturating_add(launched.pid());
        let (socket, watch) = launched.configure(machine, uid)?;
        Ok((socket, watch, log, vsock_path))
    }
}

type Parts = (UnixStream, ExitWatch, VmmLog, PathBuf);

fn listen(path: &Path) -> Result<UnixListener, PodError> {
    UnixListener::bind(path).map_err(|source| file_error(path, source))
}

/// Makes and opens the scratch disk, and takes its name away again: its bytes go with the last descriptor.
fn scratch_drive(spec: &PodSpec, bytes: u64, dir: &mut PodDir) -> Result<Drive, PodError> {
    let parent = spec.dirs.state.join("scratch");
    let mut builder = DirBuilder::new();
    builder.mode(0o700).recursive(true);
    builder
        .create(&parent)
        .map_err(|source| file_error(&parent, source))?;
    let path = parent.join(format!("{}.ext4", spec.name.as_str()));
    dir.note_file(path.clone())?;
    let file = scratch::create(&spec.dirs.state.join("templates"), &path, bytes)?;
    fs::remove_file(&path).map_err(|source| file_error(&path, source))?;
    Ok(Drive {
        class: SlotClass::Writable,
        slot: 0,
        file,
        serial: SCRATCH_SERIAL.to_owned(),
    })
}
