//! An initramfs with one program, put together by hand: what a guest's first process does, as a list of system calls.

use super::guest;

/// A program under construction.
#[derive(Default)]
pub(crate) struct Program {
    data: Vec<u8>,
    code: Vec<u8>,
}

/// `jmp rel32`, over the data to the code.
const JUMP_BYTES: u32 = 5;
/// Room for data, so that the code's place does not depend on it.
const DATA_BYTES: u32 = 0x200;

const SYS_READ: u32 = 0;
const SYS_WRITE: u32 = 1;
const SYS_CLOSE: u32 = 3;
const SYS_SOCKET: u32 = 41;
const SYS_CONNECT: u32 = 42;
const SYS_ACCEPT: u32 = 43;
const SYS_BIND: u32 = 49;
const SYS_LISTEN: u32 = 50;
const SYS_EXIT: u32 = 60;
const SYS_REBOOT: u32 = 169;
const AF_VSOCK: u32 = 40;
const SOCK_STREAM: u32 = 1;
const SOCK_NONBLOCK: u32 = 0x800;
const HOST: u32 = 2;
const ANY: u32 = u32::MAX;

/// The first descriptors that the program opens: 0 to 2 are the console.
const FIRST: u32 = 3;
const SECOND: u32 = 4;

impl Program {
    /// Ring the bell at `started`, listen on `port`, ring `ready`; then take connections, answer one byte of each with
    /// the same byte, end as init for `p` (the kernel panics), reboot for `r`, and otherwise close and go on.
    pub(crate) fn agent(started: u32, ready: u32, port: u32) -> Vec<u8> {
        let mut program = Self::default();
        let (listen, buffer) = (program.address(port, ANY), program.place(&[0; 8]));
        program.ring(started, FIRST);
        program.call(SYS_SOCKET, [AF_VSOCK, SOCK_STREAM, 0]);
        program.call(SYS_BIND, [FIRST, listen, 16]);
        program.call(SYS_LISTEN, [FIRST, 8, 0]);
        program.ring(ready, SECOND);
        let again = program.code.len();
        program.call(SYS_ACCEPT, [FIRST, 0, 0]);
        program.call(SYS_READ, [SECOND, buffer, 1]);
        program.call(SYS_WRITE, [SECOND, buffer, 1]);
        program.call(SYS_CLOSE, [SECOND, 0, 0]);
        program.if_byte(buffer, b'p', SYS_EXIT, [1, 0, 0]);
        program.if_byte(
            buffer,
            b'r',
            SYS_REBOOT,
            [0xfee1_dead, 672_274_793, 0x0123_4567],
        );
        program.jump_back(again);
        program.finish()
    }

    /// Put bytes into the data; their address.
    fn place(&mut self, bytes: &[u8]) -> u32 {
        let offset = u32::try_from(self.data.len()).unwrap();
        self.data.extend_from_slice(bytes);
        guest::PROGRAM_ADDRESS + JUMP_BYTES + offset
    }

    /// A `struct sockaddr_vm`.
    fn address(&mut self, port: u32, cid: u32) -> u32 {
        let family = [
            AF_VSOCK.to_le_bytes(),
            port.to_le_bytes(),
            cid.to_le_bytes(),
            [0; 4],
        ];
        self.place(&family.concat())
    }

    /// Connect to a port of the host as the next descriptor, which is `fd`, and close it.
    fn ring(&mut self, port: u32, fd: u32) {
        let address = self.address(port, HOST);
        self.call(SYS_SOCKET, [AF_VSOCK, SOCK_STREAM | SOCK_NONBLOCK, 0]);
        self.call(SYS_CONNECT, [fd, address, 16]);
        self.call(SYS_CLOSE, [fd, 0, 0]);
    }

    /// mov eax; mov edi; mov esi; mov edx; syscall
    fn call(&mut self, number: u32, [a, b, c]: [u32; 3]) {
        for (opcode, value) in [(0xb8, number), (0xbf, a), (0xbe, b), (0xba, c)] {
            self.code.push(opcode);
            self.code.extend(value.to_le_bytes());
        }
        self.code.extend([0x0f, 0x05]);
    }

    /// cmp byte [address], value; jne over the call
    fn if_byte(&mut self, address: u32, value: u8, number: u32, arguments: [u32; 3]) {
        let call_bytes = 22;
        self.code.extend([0x80, 0x3c, 0x25]);
        self.code.extend(address.to_le_bytes());
        self.code.extend([value, 0x75, call_bytes]);
        self.call(number, arguments);
    }

    /// jmp rel32
    fn jump_back(&mut self, to: usize) {
        let from = i32::try_from(self.code.len() + 5).unwrap();
        self.code.push(0xe9);
        self.code
            .extend((i32::try_from(to).unwrap() - from).to_le_bytes());
    }

    fn finish(mut self) -> Vec<u8> {
        self.data.resize(usize::try_from(DATA_BYTES).unwrap(), 0);
        let mut whole = vec![0xe9];
        whole.extend(DATA_BYTES.to_le_bytes());
        whole.extend(self.data);
        whole.extend(self.code);
        guest::program(&whole)
    }
}

/// A cpio archive ("newc") with `/init`.
pub(crate) fn initramfs(init: &[u8]) -> Vec<u8> {
    let mut archive = Vec::new();
    entry(&mut archive, "init", 0o100_755, init);
    entry(&mut archive, "TRAILER!!!", 0, &[]);
    archive
}

fn entry(archive: &mut Vec<u8>, name: &str, mode: u32, content: &[u8]) {
    let sizes = [
        u32::try_from(content.len()).unwrap(),
        u32::try_from(name.len() + 1).unwrap(),
    ];
    archive.extend(b"070701");
    // ino, mode, uid, gid, nlink, mtime, filesize, devmajor, devminor, rdevmajor, rdevminor, namesize, check
    for field in [1, mode, 0, 0, 1, 0, sizes[0], 0, 0, 0, 0, sizes[1], 0] {
        archive.extend(format!("{field:08x}").bytes());
    }
    archive.extend(name.bytes());
    archive.push(0);
    pad(archive);
    archive.extend_from_slice(content);
    pad(archive);
}

fn pad(archive: &mut Vec<u8>) {
    archive.resize(archive.len().next_multiple_of(4), 0);
}
