//! Guests of a few instructions, and the files that hold them.

/// Where the code lies and starts.
const ADDRESS: u32 = 0x10_0000;
const HEADERS: u32 = 0x1000;

/// An ELF kernel that is `code` and nothing else.
pub(crate) fn kernel(code: &[u8]) -> Vec<u8> {
    elf(code, ADDRESS)
}

/// A static x86_64 program, which is an ELF file of the same form.
pub(crate) fn program(code: &[u8]) -> Vec<u8> {
    elf(code, PROGRAM_ADDRESS)
}

/// Where the code of a [`program`] lies.
pub(crate) const PROGRAM_ADDRESS: u32 = 0x40_0000;

fn elf(code: &[u8], address: u32) -> Vec<u8> {
    let length = u64::try_from(code.len()).unwrap();
    let mut file = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    let half = |file: &mut Vec<u8>, value: u16| file.extend(value.to_le_bytes());
    let word = |file: &mut Vec<u8>, value: u32| file.extend(value.to_le_bytes());
    let long = |file: &mut Vec<u8>, value: u64| file.extend(value.to_le_bytes());
    half(&mut file, 2); // executable
    half(&mut file, 62); // x86_64
    word(&mut file, 1);
    long(&mut file, address.into());
    long(&mut file, 64); // program headers
    long(&mut file, 0);
    word(&mut file, 0);
    for value in [64, 56, 1, 0, 0, 0] {
        half(&mut file, value);
    }
    word(&mut file, 1); // load
    word(&mut file, 7); // read, write, execute
    long(&mut file, HEADERS.into());
    long(&mut file, address.into());
    long(&mut file, address.into());
    long(&mut file, length);
    long(&mut file, length);
    long(&mut file, 0x1000);
    file.resize(usize::try_from(HEADERS).unwrap(), 0);
    file.extend_from_slice(code);
    file
}

/// Pull the reset line: `mov al, 0xfe; out 0x64, al`.
pub(crate) const RESET: &[u8] = &[0xb0, 0xfe, 0xe6, 0x64];

/// Halt for good: `cli; hlt`.
pub(crate) const HALT: &[u8] = &[0xfa, 0xf4];

/// Touch what is not mapped, without an interrupt table: `mov rax, [0x80_0000_0000]`.
pub(crate) const TRIPLE_FAULT: &[u8] = &[0x48, 0xa1, 0, 0, 0, 0, 0x80, 0, 0, 0];

/// Leave to the VMM again and again: `again: in al, 0x70; jmp again`.
pub(crate) const SPIN: &[u8] = &[0xe4, 0x70, 0xeb, 0xfc];

/// Write `text` to the serial port, then go on with `rest`.
pub(crate) fn say(text: &str, rest: &[u8]) -> Vec<u8> {
    let loop_bytes = 17;
    let start = ADDRESS + u32::try_from(loop_bytes + rest.len()).unwrap();
    let mut code = vec![0xbe]; // mov esi, text
    code.extend(start.to_le_bytes());
    code.extend([0x66, 0xba, 0xf8, 0x03]); // mov dx, 0x3f8
    code.extend([0xac, 0x84, 0xc0, 0x74, 0x03, 0xee, 0xeb, 0xf8]); // lodsb; test al, al; jz end; out dx, al; jmp
    assert_eq!(code.len(), loop_bytes);
    code.extend_from_slice(rest);
    code.extend_from_slice(text.as_bytes());
    code.push(0);
    code
}
