//! The oracle: libseccomp's own program for a profile, made as runc makes it. The library is linked into tests only.

use std::{
    collections::HashSet,
    ffi::{CString, c_char, c_int, c_uint, c_void},
    io::Read,
    os::fd::AsRawFd,
    ptr::NonNull,
};

use oci_spec::runtime::{
    Arch, LinuxSeccomp, LinuxSeccompAction, LinuxSeccompArg, LinuxSeccompOperator,
};

use super::interpreter::{Call, run};
use crate::seccomp::{program::Instruction, syscalls::number};

/// `struct scmp_arg_cmp`.
#[repr(C)]
struct Comparison {
    arg: c_uint,
    op: c_int,
    datum_a: u64,
    datum_b: u64,
}

#[link(name = "seccomp")]
unsafe extern "C" {
    fn seccomp_api_set(level: c_uint) -> c_int;
    fn seccomp_init(action: u32) -> *mut c_void;
    fn seccomp_release(context: *mut c_void);
    fn seccomp_attr_set(context: *mut c_void, attribute: c_int, value: u32) -> c_int;
    fn seccomp_rule_add_array(
        context: *mut c_void,
        action: u32,
        number: c_int,
        count: c_uint,
        comparisons: *const Comparison,
    ) -> c_int;
    fn seccomp_export_bpf(context: *const c_void, file: c_int) -> c_int;
    fn seccomp_syscall_resolve_name_arch(arch: u32, name: *const c_char) -> c_int;
    fn seccomp_syscall_resolve_num_arch(arch: u32, number: c_int) -> *mut c_char;
}

/// `AUDIT_ARCH_X86_64`, libseccomp's name for the architecture as well.
const ARCH: u32 = 0xc000_003e;
/// `SCMP_FLTATR_ACT_BADARCH`.
const BAD_ARCH: c_int = 2;
const KILL_PROCESS: u32 = 0x8000_0000;
const NOT_IMPLEMENTED: u32 = 0x0005_0026;
const X32: u32 = 0x4000_0000;

/// The number of a call, as libseccomp knows it.
pub(super) fn resolve(name: &str) -> Option<u32> {
    let name = CString::new(name).unwrap();
    // SAFETY: takes a C string that it only reads.
    let number = unsafe { seccomp_syscall_resolve_name_arch(ARCH, name.as_ptr()) };
    // Negative: unknown, or a call of another architecture.
    u32::try_from(number).ok()
}

/// The name of a call, as libseccomp knows it.
pub(super) fn name_of(number: u32) -> Option<String> {
    let number = c_int::try_from(number).unwrap();
    // SAFETY: takes numbers; the answer is null or a C string that is now ours.
    let name = NonNull::new(unsafe { seccomp_syscall_resolve_num_arch(ARCH, number) })?;
    // SAFETY: see above: not null, ours, and a C string from malloc.
    let owned = unsafe { std::ffi::CStr::from_ptr(name.as_ptr()) }.to_owned();
    // SAFETY: it came from malloc and nobody looks at it any more.
    unsafe { libc::free(name.as_ptr().cast()) };
    Some(owned.into_string().unwrap())
}

/// What runc would load: a check for unknown numbers before libseccomp's program.
#[derive(Debug)]
pub(super) struct Oracle {
    program: Vec<Instruction>,
    /// Numbers above it are unknown.
    highest: Option<u32>,
}

/// libseccomp does not take a rule; runc fails then.
#[derive(Debug)]
pub(super) struct Refused;

impl Oracle {
    pub(super) fn new(profile: &LinuxSeccomp) -> Result<Self, Refused> {
        let default = action(profile.default_action(), profile.default_errno_ret());
        let context = Context::new(default);
        let mut highest = 0;
        for entry in profile.syscalls().iter().flatten() {
            let action = action(entry.action(), entry.errno_ret());
            for name in entry.names() {
                // What is younger than the library has a number all the same.
                let Some(number) = resolve(name).or_else(|| number(name)) else {
                    continue;
                };
                highest = highest.max(number);
                if action == default {
                    continue;
                }
                let args = entry.args().as_deref().unwrap_or_default();
                let mut seen = HashSet::new();
                if args.iter().all(|arg| seen.insert(arg.index())) {
                    context.add(action, number, args)?;
                } else {
                    for arg in args {
                        context.add(action, number, &[*arg])?;
                    }
                }
            }
        }
        let permissive = matches!(
            default & 0xffff_0000,
            0x7fff_0000 | 0x7ffc_0000 | 0x7ff0_0000
        );
        let listed = profile
            .architectures()
            .iter()
            .flatten()
            .any(|arch| matches!(arch, Arch::ScmpArchX86_64 | Arch::ScmpArchNative));
        Ok(Self {
            program: context.export(),
            highest: (highest > 0 && listed && !permissive).then_some(highest),
        })
    }

    pub(super) fn verdict(&self, call: &Call) -> u32 {
        // runc goes by the bit, libseccomp kills from the bit on: above 31 bits there is no difference worth a range.
        let unknown = |highest| call.number > highest && call.number < X32;
        if call.architecture == ARCH && self.highest.is_some_and(unknown) {
            return NOT_IMPLEMENTED;
        }
        run(&self.program, call).0
    }

    pub(super) fn instructions(&self) -> &[Instruction] {
        &self.program
    }
}

struct Context(NonNull<c_void>);

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: the context is ours and not used after this.
        unsafe { seccomp_release(self.0.as_ptr()) };
    }
}

impl Context {
    fn new(default: u32) -> Self {
        // SAFETY: takes a number. All actions are known then, whatever the kernel of this host knows.
        assert_eq!(unsafe { seccomp_api_set(6) }, 0);
        // SAFETY: takes a number, gives a context that is ours, or null.
        let context = NonNull::new(unsafe { seccomp_init(default) }).unwrap();
        // SAFETY: the context is a live one.
        let set = unsafe { seccomp_attr_set(context.as_ptr(), BAD_ARCH, KILL_PROCESS) };
        assert_eq!(set, 0);
        Self(context)
    }

    fn add(&self, action: u32, number: u32, args: &[LinuxSeccompArg]) -> Result<(), Refused> {
        let comparisons: Vec<Comparison> = args
            .iter()
            .map(|arg| Comparison {
                arg: c_uint::try_from(arg.index()).unwrap(),
                op: operator(arg.op()),
                datum_a: arg.value(),
                datum_b: arg.value_two().unwrap_or_default(),
            })
            .collect();
        // SAFETY: the context is a live one, and `count` comparisons are there to be read.
        let added = unsafe {
            seccomp_rule_add_array(
                self.0.as_ptr(),
                action,
                c_int::try_from(number).unwrap(),
                c_uint::try_from(comparisons.len()).unwrap(),
                comparisons.as_ptr(),
            )
        };
        if added == 0 { Ok(()) } else { Err(Refused) }
    }

    fn export(&self) -> Vec<Instruction> {
        let file = tempfile::tempfile().unwrap();
        // SAFETY: the context is a live one and the descriptor is open.
        let exported = unsafe { seccomp_export_bpf(self.0.as_ptr(), file.as_raw_fd()) };
        assert_eq!(exported, 0);
        let mut bytes = Vec::new();
        std::io::Seek::rewind(&mut &file).unwrap();
        (&file).read_to_end(&mut bytes).unwrap();
        let (instructions, []) = bytes.as_chunks::<8>() else {
            panic!("{} bytes", bytes.len());
        };
        instructions
            .iter()
            .map(|&[a, b, if_true, if_false, c, d, e, f]| Instruction {
                code: u16::from_ne_bytes([a, b]),
                if_true,
                if_false,
                value: u32::from_ne_bytes([c, d, e, f]),
            })
            .collect()
    }
}

/// seccomp.h's numbers, and runc's default of an error.
pub(super) fn action(action: LinuxSeccompAction, number: Option<u32>) -> u32 {
    let number = number.unwrap_or(1);
    match action {
        LinuxSeccompAction::ScmpActKill | LinuxSeccompAction::ScmpActKillThread => 0,
        LinuxSeccompAction::ScmpActKillProcess => KILL_PROCESS,
        LinuxSeccompAction::ScmpActTrap => 0x0003_0000,
        LinuxSeccompAction::ScmpActErrno => 0x0005_0000 | number,
        LinuxSeccompAction::ScmpActTrace => 0x7ff0_0000 | number,
        LinuxSeccompAction::ScmpActLog => 0x7ffc_0000,
        LinuxSeccompAction::ScmpActAllow => 0x7fff_0000,
        LinuxSeccompAction::ScmpActNotify => panic!("not for filters without a listener"),
    }
}

fn operator(operator: LinuxSeccompOperator) -> c_int {
    match operator {
        LinuxSeccompOperator::ScmpCmpNe => 1,
        LinuxSeccompOperator::ScmpCmpLt => 2,
        LinuxSeccompOperator::ScmpCmpLe => 3,
        LinuxSeccompOperator::ScmpCmpEq => 4,
        LinuxSeccompOperator::ScmpCmpGe => 5,
        LinuxSeccompOperator::ScmpCmpGt => 6,
        LinuxSeccompOperator::ScmpCmpMaskedEq => 7,
    }
}
