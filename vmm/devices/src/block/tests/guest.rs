//! What a guest does with a block slot.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;

use vm_memory::{Bytes, GuestAddress};

use crate::block::{BlockClass, BlockDevice, Serial};
use crate::virtio::MmioHandler;
use crate::virtio::testing::{Buffer, FakeDriver};

pub(super) const MEM: usize = 4 << 20;

pub(super) const OK: u8 = 0;
pub(super) const IOERR: u8 = 1;
pub(super) const UNSUPP: u8 = 2;

pub(super) const IN: u32 = 0;
pub(super) const OUT: u32 = 1;
pub(super) const FLUSH: u32 = 4;
pub(super) const GET_ID: u32 = 8;
pub(super) const DISCARD: u32 = 11;
pub(super) const WRITE_ZEROES: u32 = 13;

/// A disk of `sectors`, each filled with its number, open for `class`.
pub(super) fn backing_file(dir: &Path, sectors: u64, class: BlockClass) -> File {
    let path = dir.join("disk");
    let content: Vec<u8> = (0..sectors)
        .flat_map(|sector| [sector.to_le_bytes()[0]; 512])
        .collect();
    std::fs::write(&path, content).unwrap();
    OpenOptions::new()
        .read(true)
        .write(class == BlockClass::Writable)
        .open(&path)
        .unwrap()
}

/// A guest that has probed its slot.
pub(super) struct Guest {
    pub(super) driver: FakeDriver<BlockDevice>,
    pub(super) dir: tempfile::TempDir,
    /// The host's own view of the disk.
    pub(super) file: File,
}

/// What came back.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u8,
    pub(super) used_len: u32,
    pub(super) data: Vec<u8>,
}

impl Guest {
    /// A slot of `class` with a disk of `sectors` in it; 0: an empty slot.
    pub(super) fn new(class: BlockClass, sectors: u64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let file = backing_file(dir.path(), sectors, class);
        let mut device = BlockDevice::new(class);
        if sectors > 0 {
            let serial = Serial::new("disk-0").unwrap();
            device.attach(file.try_clone().unwrap(), serial).unwrap();
        }
        let driver = FakeDriver::started(device, MEM, u64::MAX);
        Self { driver, dir, file }
    }

    pub(super) fn header(&mut self, kind: u32, sector: u64) -> Buffer {
        let mut header = kind.to_le_bytes().to_vec();
        header.extend([0; 4]);
        header.extend(sector.to_le_bytes());
        self.driver.readable(&header)
    }

    /// A request as Linux lays it out; `out` is data for the device, `room` is space for its data.
    pub(super) fn request(&mut self, kind: u32, sector: u64, out: &[u8], room: usize) -> Answer {
        self.driver.recycle();
        let mut chain = vec![self.header(kind, sector)];
        if !out.is_empty() {
            chain.push(self.driver.readable(out));
        }
        let data = self.driver.writable(room);
        if room > 0 {
            chain.push(data);
        }
        let status = self.status_byte();
        chain.push(status);
        let used = self.driver.transfer(0, &chain).unwrap();
        Answer {
            status: self.driver.bytes(status)[0],
            used_len: used.len,
            data: self.driver.bytes(data),
        }
    }

    pub(super) fn read(&mut self, sector: u64, sectors: usize) -> Answer {
        self.request(IN, sector, &[], sectors * 512)
    }

    /// Room for a status byte that nobody has written yet.
    pub(super) fn status_byte(&mut self) -> Buffer {
        let status = self.driver.writable(1);
        let unwritten = GuestAddress(status.addr);
        self.driver.mem.write_obj(0xee_u8, unwritten).unwrap();
        status
    }

    /// Capacity as the driver reads it.
    pub(super) fn capacity(&self) -> u64 {
        let mut bytes = [0; 8];
        self.driver.slot.read(0x100, &mut bytes);
        u64::from_le_bytes(bytes)
    }

    /// What the host finds in the file.
    pub(super) fn host_bytes(&self, offset: u64, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        self.file.read_exact_at(&mut bytes, offset).unwrap();
        bytes
    }
}

/// One range of a discard or write-zeroes request.
pub(super) fn range(sector: u64, sectors: u32, flags: u32) -> Vec<u8> {
    let mut range = sector.to_le_bytes().to_vec();
    range.extend(sectors.to_le_bytes());
    range.extend(flags.to_le_bytes());
    range
}
