//! The system calls of a container for which nobody asked for others: Docker's rules, for x86_64.
//!
//! What every container may call, what a capability adds, and three calls that depend on their arguments. All the rest
//! fails with EPERM, as if the kernel did not permit it; what is newer than all of these, with ENOSYS.

use oci_spec::runtime::{Capabilities, Capability};
use serde_json::{Value, json};

/// What every container may call, by what it is about. Names of calls, each once.
const FILES: &str = "access cachestat chdir chmod chown close close_range copy_file_range creat \
    dup dup2 dup3 faccessat faccessat2 fadvise64 fallocate fanotify_mark fchdir fchmod fchmodat \
    fchmodat2 fchown fchownat fcntl fdatasync fgetxattr flistxattr flock fremovexattr fsetxattr \
    fstat fstatfs fsync ftruncate futimesat getcwd getdents getdents64 getxattr getxattrat \
    inotify_add_watch inotify_init inotify_init1 inotify_rm_watch ioctl lchown lgetxattr link \
    linkat listxattr listxattrat llistxattr lremovexattr lseek lsetxattr lstat mkdir mkdirat mknod \
    mknodat name_to_handle_at newfstatat open openat openat2 pipe pipe2 pread64 preadv preadv2 \
    pwrite64 pwritev pwritev2 read readahead readlink readlinkat readv removexattr removexattrat \
    rename renameat renameat2 rmdir sendfile setxattr setxattrat splice stat statfs statx symlink \
    symlinkat sync sync_file_range syncfs tee truncate umask unlink unlinkat utime utimensat utimes \
    vmsplice write writev";
const WAITING: &str = "epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 \
    epoll_wait epoll_wait_old eventfd eventfd2 io_cancel io_destroy io_getevents io_pgetevents \
    io_setup io_submit pause poll ppoll pselect6 select signalfd signalfd4";
const MEMORY: &str = "brk madvise map_shadow_stack membarrier memfd_create memfd_secret mincore \
    mlock mlock2 mlockall mmap mprotect mremap mseal msync munlock munlockall munmap pkey_alloc \
    pkey_free pkey_mprotect process_mrelease remap_file_pages";
const NETWORK: &str = "accept accept4 bind connect getpeername getsockname getsockopt listen \
    recvfrom recvmmsg recvmsg sendmmsg sendmsg sendto setsockopt shutdown socketpair";
const MESSAGES: &str = "mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedsend mq_unlink \
    msgctl msgget msgrcv msgsnd semctl semget semop semtimedop shmat shmctl shmdt shmget";
const PROCESSES: &str = "arch_prctl capget capset execve execveat exit exit_group fork getcpu \
    getpgid getpgrp getpid getppid getpriority getrlimit getrusage getsid gettid get_robust_list \
    get_thread_area ioprio_get ioprio_set modify_ldt pidfd_open prctl prlimit64 process_vm_readv \
    process_vm_writev ptrace rseq sched_getaffinity sched_getattr sched_getparam \
    sched_getscheduler sched_get_priority_max sched_get_priority_min sched_rr_get_interval \
    sched_setaffinity sched_setattr sched_setparam sched_setscheduler sched_yield setpgid \
    setpriority setrlimit setsid set_robust_list set_thread_area set_tid_address sysinfo uname \
    uretprobe vfork wait4 waitid";
const IDENTITY: &str = "getegid geteuid getgid getgroups getresgid getresuid getuid setfsgid \
    setfsuid setgid setgroups setregid setresgid setresuid setreuid setuid";
const SIGNALS_AND_LOCKS: &str = "futex futex_requeue futex_wait futex_waitv futex_wake kill \
    pidfd_send_signal restart_syscall rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo \
    rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_tgsigqueueinfo sigaltstack tgkill tkill";
const TIME: &str = "adjtimex alarm clock_adjtime clock_getres clock_gettime clock_nanosleep \
    getitimer gettimeofday nanosleep setitimer time timer_create timer_delete timer_getoverrun \
    timer_gettime timer_settime timerfd_create timerfd_gettime timerfd_settime times";
const RANDOM_AND_CONFINEMENT: &str = "getrandom landlock_add_rule landlock_create_ruleset \
    landlock_restrict_self seccomp";

const EVERYONE: [&str; 10] = [
    FILES,
    WAITING,
    MEMORY,
    NETWORK,
    MESSAGES,
    PROCESSES,
    IDENTITY,
    SIGNALS_AND_LOCKS,
    TIME,
    RANDOM_AND_CONFINEMENT,
];

/// What a capability adds.
const WITH_CAPABILITY: [(Capability, &str); 14] = [
    (Capability::DacReadSearch, "open_by_handle_at"),
    (
        Capability::SysAdmin,
        "bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie mount \
         mount_setattr move_mount open_tree perf_event_open quotactl quotactl_fd setdomainname \
         sethostname setns syslog umount2 unshare",
    ),
    (Capability::SysBoot, "reboot"),
    (Capability::SysChroot, "chroot"),
    (
        Capability::SysModule,
        "delete_module finit_module init_module",
    ),
    (Capability::SysPacct, "acct"),
    (Capability::SysPtrace, "kcmp pidfd_getfd process_madvise"),
    (Capability::SysRawio, "ioperm iopl"),
    (Capability::SysTime, "clock_settime settimeofday"),
    (Capability::SysTtyConfig, "vhangup"),
    (
        Capability::SysNice,
        "get_mempolicy mbind set_mempolicy set_mempolicy_home_node",
    ),
    (Capability::Syslog, "syslog"),
    (Capability::Bpf, "bpf"),
    (Capability::Perfmon, "perf_event_open"),
];

/// Which sockets a container has not: vsock is not namespaced, so it would reach past its network.
const AF_VSOCK: u64 = 40;

/// Every CLONE_NEW* that a clone could ask for: mount, cgroup, uts, ipc, user, pid and net.
const NEW_NAMESPACES: u64 = 0x7e02_0000;

/// Linux, the same with a 32-bit machine's name, both with an old kernel's version, and the question for the present one.
const PERSONALITIES: [u64; 5] = [0, 0x8, 0x2_0000, 0x2_0008, 0xffff_ffff];

/// Of a call that is not made, and of one that is not there.
const EPERM: u32 = 1;
const ENOSYS: u32 = 38;

/// The profile (`linux.seccomp`) of a container that is granted these capabilities.
#[must_use]
pub fn default_profile(granted: &Capabilities) -> Value {
    let added = WITH_CAPABILITY
        .iter()
        .filter(|(capability, _)| granted.contains(capability))
        .map(|(_, names)| *names);
    let names: Vec<&str> = EVERYONE
        .into_iter()
        .chain(added)
        .flat_map(str::split_whitespace)
        .collect();
    let mut calls = vec![
        json!({"names": names, "action": "SCMP_ACT_ALLOW"}),
        allow(
            "socket",
            &json!({"index": 0, "op": "SCMP_CMP_NE", "value": AF_VSOCK}),
        ),
    ];
    for personality in PERSONALITIES {
        let known = json!({"index": 0, "op": "SCMP_CMP_EQ", "value": personality});
        calls.push(allow("personality", &known));
    }
    if !granted.contains(&Capability::SysAdmin) {
        let shared =
            json!({"index": 0, "op": "SCMP_CMP_MASKED_EQ", "value": NEW_NAMESPACES, "valueTwo": 0});
        calls.push(allow("clone", &shared));
        // Its flags are in memory, where a filter cannot look: the C library falls back to clone.
        calls.push(json!({"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": ENOSYS}));
    }
    json!({
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": EPERM,
        "architectures": ["SCMP_ARCH_X86_64"],
        "syscalls": calls,
    })
}

/// Allows a call when an argument passes.
fn allow(name: &str, arg: &Value) -> Value {
    json!({"names": [name], "action": "SCMP_ACT_ALLOW", "args": [arg]})
}
