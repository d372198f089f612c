//! The program headers of an ELF kernel, checked.

/// First bytes of an ELF file.
const MAGIC: &[u8] = b"\x7fELF";
/// 64 bit, little endian, version 1.
const IDENT: &[u8] = &[2, 1, 1];
const TYPE_EXECUTABLE: u16 = 2;
const TYPE_SHARED: u16 = 3;
const MACHINE_X86_64: u16 = 62;
const HEADER_BYTES: usize = 64;
const PROGRAM_HEADER_BYTES: usize = 56;
const LOAD: u32 = 1;
/// A kernel has four.
const MAX_PROGRAM_HEADERS: u16 = 64;

/// What is wrong with a header, and the value that is.
pub(super) type Malformed = (&'static str, u64);

/// A piece of the file and its place in guest memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) offset: u64,
    pub(super) file_bytes: u64,
    pub(super) address: u64,
    pub(super) memory_bytes: u64,
}

/// Where a kernel's parts go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ElfKernel {
    /// Physical address of the first instruction.
    pub(super) entry: u64,
    /// In the file's order, without overlap there.
    pub(super) segments: Vec<Segment>,
    /// End of the last segment in memory.
    pub(super) end: u64,
}

/// Whether `head` begins an ELF file.
pub(super) fn is_elf(head: &[u8]) -> bool {
    head.starts_with(MAGIC)
}

/// Read the headers of a file of `size` bytes that begins with `head`.
pub(super) fn parse(head: &[u8], size: u64, lowest: u64) -> Result<ElfKernel, Malformed> {
    if head.len() < HEADER_BYTES {
        return Err(("elf header is cut off at", head.len() as u64));
    }
    if head.get(4..7) != Some(IDENT) {
        return Err((
            "elf class, byte order or version is wrong",
            u64::from(head[4]),
        ));
    }
    let kind = u16_at(head, 16)?;
    if kind != TYPE_EXECUTABLE && kind != TYPE_SHARED {
        return Err(("elf type is neither executable nor shared", kind.into()));
    }
    let machine = u16_at(head, 18)?;
    if machine != MACHINE_X86_64 {
        return Err(("elf machine is not x86_64", machine.into()));
    }
    let entry = u64_at(head, 24)?;
    let mut segments = segments(head, size, lowest)?;
    segments.sort_by_key(|segment| segment.offset);
    for pair in segments.windows(2) {
        if pair[0].offset + pair[0].file_bytes > pair[1].offset {
            return Err(("elf segments overlap in the file at", pair[1].offset));
        }
    }
    let holds_entry = |s: &Segment| s.address <= entry && entry - s.address < s.file_bytes;
    if !segments.iter().any(holds_entry) {
        return Err(("elf entry lies in no segment", entry));
    }
    let end = segments
        .iter()
        .map(|segment| segment.address + segment.memory_bytes)
        .max()
        .unwrap_or(0);
    Ok(ElfKernel {
        entry,
        segments,
        end,
    })
}

fn segments(head: &[u8], size: u64, lowest: u64) -> Result<Vec<Segment>, Malformed> {
    let table = u64_at(head, 32)?;
    let entry_bytes = u16_at(head, 54)?;
    let count = u16_at(head, 56)?;
    if usize::from(entry_bytes) != PROGRAM_HEADER_BYTES {
        return Err(("elf program header size is not 56", entry_bytes.into()));
    }
    if count > MAX_PROGRAM_HEADERS {
        return Err(("elf has too many program headers", count.into()));
    }
    let start = usize::try_from(table).unwrap_or(usize::MAX);
    let bytes = usize::from(count) * PROGRAM_HEADER_BYTES;
    let table = start
        .checked_add(bytes)
        .and_then(|end| head.get(start..end))
        .ok_or(("elf program headers lie outside of the file's head", table))?;
    let mut segments = Vec::new();
    for header in table.chunks_exact(PROGRAM_HEADER_BYTES) {
        if u32_at(header, 0)? == LOAD {
            segments.extend(segment(header, size, lowest)?);
        }
    }
    Ok(segments)
}

/// One loadable segment; `None` if it is empty.
fn segment(header: &[u8], size: u64, lowest: u64) -> Result<Option<Segment>, Malformed> {
    let segment = Segment {
        offset: u64_at(header, 8)?,
        address: u64_at(header, 24)?,
        file_bytes: u64_at(header, 32)?,
        memory_bytes: u64_at(header, 40)?,
    };
    if segment.memory_bytes == 0 && segment.file_bytes == 0 {
        return Ok(None);
    }
    if segment.file_bytes > segment.memory_bytes {
        return Err((
            "elf segment is longer in the file than in memory",
            segment.file_bytes,
        ));
    }
    let file_end = segment.offset.checked_add(segment.file_bytes);
    if file_end.is_none_or(|end| end > size) {
        return Err(("elf segment ends behind the file, offset", segment.offset));
    }
    if segment.address < lowest {
        return Err(("elf segment lies too low", segment.address));
    }
    if segment.address.checked_add(segment.memory_bytes).is_none() {
        return Err(("elf segment wraps at", segment.address));
    }
    Ok(Some(segment))
}

fn field<const N: usize>(bytes: &[u8], at: usize) -> Result<[u8; N], Malformed> {
    bytes
        .get(at..at + N)
        .and_then(|field| field.try_into().ok())
        .ok_or(("elf header is cut off at", at as u64))
}

fn u16_at(bytes: &[u8], at: usize) -> Result<u16, Malformed> {
    field(bytes, at).map(u16::from_le_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> Result<u32, Malformed> {
    field(bytes, at).map(u32::from_le_bytes)
}

fn u64_at(bytes: &[u8], at: usize) -> Result<u64, Malformed> {
    field(bytes, at).map(u64::from_le_bytes)
}

#[cfg(test)]
#[path = "tests/elf.rs"]
mod tests;
