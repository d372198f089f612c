//! The default profile against what Docker's manual says of its own ("Seccomp security profiles for Docker"): the calls that
//! it blocks, with the capability that opens each, and what it lets through. Told of the compiled program, call by call,
//! and written from the manual, not from anybody's profile.

use std::collections::BTreeSet;

use oci_spec::runtime::Capability::{self, *};

use super::{
    super::{
        compare::compiled,
        interpreter::{Call, run},
    },
    docker,
};
use crate::seccomp::syscalls::number;

const EPERM: u32 = libc::SECCOMP_RET_ERRNO | 1;
const ENOSYS: u32 = libc::SECCOMP_RET_ERRNO | 38;

/// "Significant syscalls blocked by the default profile", but for those that depend on an argument. Beside each the
/// capabilities that open it; where there is none, none does.
const BLOCKED: [(&str, &[Capability]); 45] = [
    ("acct", &[SysPacct]),
    ("add_key", &[]),
    ("bpf", &[SysAdmin, Bpf]),
    ("clock_settime", &[SysTime]),
    ("create_module", &[]),
    ("delete_module", &[SysModule]),
    ("finit_module", &[SysModule]),
    ("get_kernel_syms", &[]),
    ("get_mempolicy", &[SysNice]),
    ("init_module", &[SysModule]),
    ("ioperm", &[SysRawio]),
    ("iopl", &[SysRawio]),
    ("io_uring_enter", &[]),
    ("io_uring_register", &[]),
    ("io_uring_setup", &[]),
    ("kcmp", &[SysPtrace]),
    ("kexec_file_load", &[]),
    ("kexec_load", &[]),
    ("keyctl", &[]),
    ("lookup_dcookie", &[SysAdmin]),
    ("mbind", &[SysNice]),
    ("mount", &[SysAdmin]),
    ("move_pages", &[]),
    ("nfsservctl", &[]),
    ("open_by_handle_at", &[DacReadSearch]),
    ("perf_event_open", &[SysAdmin, Perfmon]),
    ("pivot_root", &[]),
    ("query_module", &[]),
    ("quotactl", &[SysAdmin]),
    ("reboot", &[SysBoot]),
    ("request_key", &[]),
    ("set_mempolicy", &[SysNice]),
    ("setns", &[SysAdmin]),
    ("settimeofday", &[SysTime]),
    ("swapoff", &[]),
    ("swapon", &[]),
    ("sysfs", &[]),
    ("_sysctl", &[]),
    ("umount2", &[SysAdmin]),
    ("unshare", &[SysAdmin]),
    ("uselib", &[]),
    ("userfaultfd", &[]),
    ("ustat", &[]),
    ("chroot", &[SysChroot]),
    ("vhangup", &[SysTtyConfig]),
];

/// Everything that opens a call.
const POWERS: [Capability; 14] = [
    DacReadSearch,
    SysAdmin,
    SysBoot,
    SysChroot,
    SysModule,
    SysPacct,
    SysPtrace,
    SysRawio,
    SysTime,
    SysTtyConfig,
    SysNice,
    Syslog,
    Bpf,
    Perfmon,
];

fn verdict(granted: &[Capability], name: &str, arguments: [u64; 6]) -> u32 {
    let number = number(name).unwrap_or_else(|| panic!("{name} has no number"));
    let program = compiled(&docker(granted));
    let call = Call {
        arguments,
        ..Call::new(number)
    };
    run(&program.instructions, &call).0
}

#[test]
fn r72_documented_calls_are_blocked_until_their_capability_is_granted() {
    for (name, openers) in BLOCKED {
        assert_eq!(verdict(&[], name, [0; 6]), EPERM, "{name}");
        for capability in POWERS {
            let expected = match openers.contains(&capability) {
                true => libc::SECCOMP_RET_ALLOW,
                false => EPERM,
            };
            let with = verdict(&[capability], name, [0; 6]);
            assert_eq!(with, expected, "{name} with {capability}");
        }
        // The whole of them together opens no more.
        let most = verdict(&POWERS, name, [0; 6]) == libc::SECCOMP_RET_ALLOW;
        assert_eq!(most, !openers.is_empty(), "{name} with everything");
    }
}

/// The manual lists them as blocked on kernels before 4.8 (ptrace) or as a question of the time alone (clock_adjtime), whose
/// setting half the kernel keeps for CAP_SYS_TIME.
#[test]
fn r72_calls_that_newer_kernels_guard_themselves_are_allowed() {
    for name in [
        "ptrace",
        "process_vm_readv",
        "process_vm_writev",
        "clock_adjtime",
        "adjtimex",
    ] {
        assert_eq!(
            verdict(&[], name, [0; 6]),
            libc::SECCOMP_RET_ALLOW,
            "{name}"
        );
    }
}

#[test]
fn r72_new_namespaces_take_cap_sys_admin_and_threads_do_not() {
    let namespaces = [
        libc::CLONE_NEWNS,
        libc::CLONE_NEWCGROUP,
        libc::CLONE_NEWUTS,
        libc::CLONE_NEWIPC,
        libc::CLONE_NEWUSER,
        libc::CLONE_NEWPID,
        libc::CLONE_NEWNET,
    ];
    let thread = libc::CLONE_VM
        | libc::CLONE_FS
        | libc::CLONE_FILES
        | libc::CLONE_THREAD
        | libc::CLONE_SIGHAND;
    let clone = |granted: &[Capability], flags: i32| {
        verdict(
            granted,
            "clone",
            [u64::from(flags.unsigned_abs()), 0, 0, 0, 0, 0],
        )
    };
    for flags in [libc::SIGCHLD, thread] {
        assert_eq!(clone(&[], flags), libc::SECCOMP_RET_ALLOW, "{flags:#x}");
        for kind in namespaces {
            assert_eq!(clone(&[], flags | kind), EPERM, "{kind:#x}");
            let admin = clone(&[SysAdmin], flags | kind);
            assert_eq!(admin, libc::SECCOMP_RET_ALLOW, "{kind:#x}");
        }
    }
    // The C library must fall back to what a filter can judge.
    assert_eq!(verdict(&[], "clone3", [0; 6]), ENOSYS);
    assert_eq!(
        verdict(&[SysAdmin], "clone3", [0; 6]),
        libc::SECCOMP_RET_ALLOW
    );
}

#[test]
fn r72_sockets_of_every_family_but_vsock_and_harmless_personalities_are_allowed() {
    for family in 0..64 {
        let expected = match family {
            40 => EPERM,
            _ => libc::SECCOMP_RET_ALLOW,
        };
        let got = verdict(&POWERS, "socket", [family, 0, 0, 0, 0, 0]);
        assert_eq!(got, expected, "family {family}");
    }
    let harmless: BTreeSet<u64> = [0, 8, 0x2_0000, 0x2_0008, 0xffff_ffff].into();
    // Among the others: no address randomisation (0x40000), executable data (0x400000), pages at zero (0x100000).
    for bit in 0..32 {
        for persona in [1 << bit, 8 | 1 << bit] {
            let expected = match harmless.contains(&persona) {
                true => libc::SECCOMP_RET_ALLOW,
                false => EPERM,
            };
            let got = verdict(&[], "personality", [persona, 0, 0, 0, 0, 0]);
            assert_eq!(got, expected, "{persona:#x}");
        }
    }
}

/// What a C library, a shell, a server and a database do all day.
#[test]
fn r72_everyday_calls_are_allowed() {
    let everyday = "read write openat close fstat newfstatat lseek mmap mprotect munmap brk rt_sigaction rt_sigprocmask ioctl \
        pread64 writev pipe2 select sched_yield madvise shmget shmat semop msgsnd dup2 nanosleep getpid sendfile connect accept4 \
        sendmsg recvmsg bind listen setsockopt fork vfork execve exit_group wait4 kill uname fcntl flock fsync fdatasync \
        truncate getcwd chdir rename mkdir unlink symlink chmod chown umask gettimeofday getrlimit setrlimit prlimit64 setuid \
        setgid setgroups capset prctl arch_prctl futex epoll_wait eventfd2 signalfd4 timerfd_create inotify_init1 fallocate \
        getrandom memfd_create statx copy_file_range membarrier rseq sysinfo mlock mknod setxattr seccomp landlock_create_ruleset";
    for name in everyday.split_whitespace() {
        assert_eq!(
            verdict(&[], name, [0; 6]),
            libc::SECCOMP_RET_ALLOW,
            "{name}"
        );
    }
}
