//! A block slot as a virtio device.

use std::fs::File;

use serde::{Deserialize, Serialize};
use virtio_bindings::virtio_blk::VIRTIO_BLK_S_OK;
use virtio_bindings::virtio_ids::VIRTIO_ID_BLOCK;
use vm_memory::{Bytes, GuestMemoryMmap};

use super::config::{self, BlockClass, QUEUE_SIZE, SERIAL_LEN, Serial};
use super::disk::Disk;
use super::error::{AttachError, RequestError, SlotEmpty, status_byte};
use super::io::{Direction, transfer};
use super::request::{Limits, Range, Request, parse};
use super::segments::Segments;
use crate::virtio::ring::{Chain, drain};
use crate::virtio::{DeviceError, Rings, VirtioDevice, config_space};

/// Bytes that are moved, cleared or given back before others have their turn: a request may be as long as the disk. Only a
/// flush takes as long as the host wants.
const TURN_BYTES: u64 = 4 << 20;

/// A block slot: a class for ever, a disk for a time.
#[derive(Debug)]
pub struct BlockDevice {
    class: BlockClass,
    disk: Option<Disk>,
    metrics: BlockMetrics,
    /// What is left of [`TURN_BYTES`].
    turn: u64,
    /// Begun in an earlier turn. It is not saved: doing it from its beginning gives the same.
    begun: Option<Begun>,
}

/// The request of a chain that goes on in the next turn.
#[derive(Clone, Copy, Debug)]
struct Begun {
    head: u16,
    /// Bytes that are done.
    done: u64,
}

/// What a slot has done since the VMM started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BlockMetrics {
    /// Requests to read.
    pub reads: u64,
    /// Bytes read.
    pub read_bytes: u64,
    /// Requests to write.
    pub writes: u64,
    /// Bytes written.
    pub written_bytes: u64,
    /// Requests to flush.
    pub flushes: u64,
    /// Requests that were refused.
    pub refused: u64,
    /// Requests that the host could not do.
    pub host_errors: u64,
}

/// The saved form of a slot. The disk itself is a resource: it is attached to the new slot, before or
/// after the restore, and a configuration change tells the guest when it is another one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BlockState {
    /// Class of the slot.
    pub read_only: bool,
    /// Capacity that the guest could read; 0: the slot was empty.
    pub capacity_sectors: u64,
    /// Serial of the disk that was attached.
    pub serial: Option<String>,
}

impl BlockDevice {
    /// An empty slot.
    pub fn new(class: BlockClass) -> Self {
        Self {
            class,
            disk: None,
            metrics: BlockMetrics::default(),
            turn: 0,
            begun: None,
        }
    }

    /// Class of this slot.
    pub fn class(&self) -> BlockClass {
        self.class
    }

    /// Put a disk in; the caller raises the configuration change. Its capacity is its size now.
    ///
    /// # Errors
    /// The slot holds a disk, or the file cannot be one of this class.
    pub fn attach(&mut self, file: File, serial: Serial) -> Result<(), AttachError> {
        if let Some(disk) = &self.disk {
            return Err(AttachError::Occupied(disk.serial.as_str().to_owned()));
        }
        self.disk = Some(Disk::open(file, serial, self.class)?);
        Ok(())
    }

    /// Take the disk out and close its file; the caller raises the configuration change. What the
    /// guest has not flushed may be lost, as when a disk is pulled.
    ///
    /// # Errors
    /// The slot is empty.
    pub fn detach(&mut self) -> Result<(), SlotEmpty> {
        self.disk.take().map(drop).ok_or(SlotEmpty)
    }

    /// Serial of the disk in this slot.
    pub fn serial(&self) -> Option<&Serial> {
        self.disk.as_ref().map(|disk| &disk.serial)
    }

    /// Capacity as the guest sees it, in sectors of 512 bytes; 0: the slot is empty.
    pub fn capacity_sectors(&self) -> u64 {
        self.disk.as_ref().map_or(0, |disk| disk.capacity_sectors)
    }

    /// Counters.
    pub fn metrics(&self) -> BlockMetrics {
        self.metrics
    }

    /// Serve one chain; returns the bytes written into it, counted from its first writable byte, or `None`: it goes on in
    /// the next turn.
    fn serve(&mut self, mem: &GuestMemoryMmap, chain: Chain<'_>) -> Option<u32> {
        let head = chain.head_index();
        let limits = Limits {
            class: self.class,
            capacity_sectors: self.capacity_sectors(),
        };
        // Anew in each turn: what the driver has changed meanwhile is checked like the first time.
        let parsed = parse(mem, chain, limits);
        let begun = self.begun.take().filter(|begun| begun.head == head);
        let done = begun.map_or(0, |begun| begun.done);
        let outcome = parsed.request.and_then(|request| {
            let moved = self.execute(mem, &request, done)?;
            let done = done.saturating_add(moved);
            Ok((done < request.bytes()).then_some(Begun { head, done }))
        });
        let status = match &outcome {
            Ok(Some(begun)) => {
                self.begun = Some(*begun);
                return None;
            }
            Ok(None) => status_byte(VIRTIO_BLK_S_OK),
            Err(error) => {
                self.count_error(error);
                error.status()
            }
        };
        // Without a status byte there is nobody to answer; the chain goes back empty.
        let Some(place) = parsed.status else {
            return Some(0);
        };
        if mem.write_obj(status, place).is_err() {
            return Some(0);
        }
        // Data that a failed request may not have filled is not claimed (2.7.8.2).
        Some(match outcome {
            Ok(_) => u32::try_from(parsed.writable_len).map_or(u32::MAX, |n| n.saturating_add(1)),
            Err(_) => u32::from(parsed.writable_len == 0),
        })
    }

    /// What this turn has room for of a request of which `done` bytes are done; returns how many more are.
    fn execute(
        &mut self,
        mem: &GuestMemoryMmap,
        request: &Request,
        done: u64,
    ) -> Result<u64, RequestError> {
        if let Request::Id { data } = request {
            self.tell_id(mem, data)?;
            return Ok(0);
        }
        let disk = self.disk.as_ref().ok_or(RequestError::Empty)?;
        let moved = request.bytes().saturating_sub(done).min(self.turn);
        let first = u64::from(done == 0 && (moved > 0 || request.bytes() == 0));
        let metrics = &mut self.metrics;
        let moved = match request {
            Request::Read { offset, data } => {
                metrics.reads += first;
                let part = data.part(done, moved);
                let at = offset.saturating_add(done);
                transfer(&disk.file, mem, &part, at, Direction::FileToGuest)?;
                metrics.read_bytes += moved;
                moved
            }
            Request::Write { offset, data } => {
                metrics.writes += first;
                let part = data.part(done, moved);
                let at = offset.saturating_add(done);
                transfer(&disk.file, mem, &part, at, Direction::GuestToFile)?;
                metrics.written_bytes += moved;
                moved
            }
            Request::Flush => {
                metrics.flushes += 1;
                disk.flush()?;
                0
            }
            Request::Discard(ranges) => {
                let part = Range::part(ranges, done, moved);
                disk.discard(&part)?;
                Range::total(&part)
            }
            Request::WriteZeroes { ranges, unmap } => {
                let part = Range::part(ranges, done, moved);
                disk.write_zeroes(&part, *unmap)?;
                Range::total(&part)
            }
            Request::Id { .. } => 0,
        };
        self.turn = self.turn.saturating_sub(moved);
        Ok(moved)
    }

    fn tell_id(&self, mem: &GuestMemoryMmap, data: &Segments) -> Result<(), RequestError> {
        let id = self.serial().map_or([0; SERIAL_LEN], Serial::padded);
        let mut rest = id.as_slice();
        for piece in data.pieces() {
            let len = usize::try_from(piece.len).map_or(rest.len(), |len| len.min(rest.len()));
            let (now, later) = rest.split_at_checked(len).unwrap_or((rest, &[]));
            mem.write_slice(now, piece.addr)
                .map_err(|_| RequestError::Memory(piece.addr.0))?;
            rest = later;
        }
        Ok(())
    }

    fn count_error(&mut self, error: &RequestError) {
        let serial = self.disk.as_ref().map(|disk| disk.serial.as_str());
        if matches!(error, RequestError::Host(_)) {
            // Once for each slot: a guest that tries again and again does not fill the host's log.
            if self.metrics.host_errors == 0 {
                tracing::warn!(serial, %error, "disk failed");
            }
            self.metrics.host_errors += 1;
        } else {
            tracing::debug!(serial, %error, "request refused");
            self.metrics.refused += 1;
        }
    }
}

impl VirtioDevice for BlockDevice {
    type State = BlockState;

    fn device_type(&self) -> u32 {
        VIRTIO_ID_BLOCK
    }

    fn features(&self) -> u64 {
        self.class.features()
    }

    fn queue_sizes(&self) -> &[u16] {
        &[QUEUE_SIZE]
    }

    fn read_config(&self, offset: u64, data: &mut [u8]) {
        let space = config::space(self.class, self.capacity_sectors());
        config_space::read(&space, offset, data);
    }

    fn process_queue(&mut self, rings: &mut Rings<'_>, index: u16) -> Result<(), DeviceError> {
        let mem = rings.mem;
        self.turn = TURN_BYTES;
        drain(rings, index, |chain| self.serve(mem, chain))
    }

    fn reset(&mut self) {
        // A disk stays through a reset.
        self.begun = None;
    }

    fn state(&self) -> BlockState {
        BlockState {
            read_only: self.class == BlockClass::ReadOnly,
            capacity_sectors: self.capacity_sectors(),
            serial: self.serial().map(|serial| serial.as_str().to_owned()),
        }
    }

    fn restore(&mut self, state: BlockState) -> Result<(), String> {
        if state.read_only != (self.class == BlockClass::ReadOnly) {
            return Err(format!(
                "read_only {} was saved, this slot is {:?}",
                state.read_only, self.class
            ));
        }
        Ok(())
    }
}
