//! The table of system calls: what the server asks of the kernel once it runs, and what for.
//!
//! Its source is what the servers of the suites e2e, interop, cli, hostile and faults really call after they entered the
//! sandbox, in both protocols, with TLS, users, reloads and stops: `scripts/calls.sh` has strace(1) write it down and names
//! what was refused. Besides these there are the same calls by other names ([`KIN`], `OLD_NAMES`), which another C library or another
//! kernel may have the standard library use.

use self::When::{Always, Has, Is, Lacks, Own, Stream, Thread};

/// Which of a call's forms pass.
#[derive(Debug)]
pub(super) enum When {
    /// All.
    Always,
    /// An argument, an `int`, has one of these values.
    Is(u8, &'static [u32]),
    /// All of these bits of an argument are set.
    Has(u8, u64),
    /// None of these bits of an argument is set.
    Lacks(u8, u64),
    /// The first argument is this process.
    Own,
    /// It is about the calling thread (setpriority(2)).
    Thread,
    /// It is about a stream over IPv4 or IPv6.
    Stream,
}

/// Some calls, which of their forms pass, and what they are for.
pub(super) type Row = (&'static [i64], When, &'static str);

/// `PR_GET_AUXV` (prctl(2)), which the C library's bindings do not name yet.
const PR_GET_AUXV: u32 = 0x4155_5856;

/// What was seen.
pub(super) const SEEN: &[Row] = &[
    (
        &[
            libc::SYS_read,
            libc::SYS_write,
            libc::SYS_writev,
            libc::SYS_pread64,
            libc::SYS_pwrite64,
            libc::SYS_preadv2,
            libc::SYS_sendfile,
            libc::SYS_close,
        ],
        Always,
        "files, sockets, the log, the bells of the loops",
    ),
    (
        &[
            libc::SYS_openat,
            libc::SYS_openat2,
            libc::SYS_statx,
            libc::SYS_fstatfs,
            libc::SYS_getdents64,
            libc::SYS_mkdirat,
            libc::SYS_unlinkat,
            libc::SYS_renameat,
            libc::SYS_renameat2,
            libc::SYS_linkat,
        ],
        Always,
        "files by name: Landlock holds where",
    ),
    (
        &[
            libc::SYS_flock,
            libc::SYS_ftruncate,
            libc::SYS_fallocate,
            libc::SYS_fadvise64,
            libc::SYS_fchmod,
            libc::SYS_utimensat,
            libc::SYS_fgetxattr,
            libc::SYS_fsetxattr,
            libc::SYS_fremovexattr,
            libc::SYS_fsync,
            libc::SYS_fdatasync,
            libc::SYS_syncfs,
        ],
        Always,
        "files that are open: partials, modes, times, durability",
    ),
    (
        &[libc::SYS_fcntl],
        Is(
            1,
            &[
                libc::F_GETFD as u32,
                libc::F_GETFL as u32,
                libc::F_SETFL as u32,
                libc::F_DUPFD_CLOEXEC as u32,
            ],
        ),
        "sockets that do not block, a second handle",
    ),
    (
        &[libc::SYS_socket],
        Stream,
        "data connections; nothing local, nothing raw",
    ),
    (
        &[
            libc::SYS_accept4,
            libc::SYS_bind,
            libc::SYS_listen,
            libc::SYS_connect,
            libc::SYS_getsockname,
            libc::SYS_getpeername,
            libc::SYS_getsockopt,
            libc::SYS_setsockopt,
            libc::SYS_recvfrom,
            libc::SYS_sendto,
            libc::SYS_sendmsg,
            libc::SYS_shutdown,
        ],
        Always,
        "connections",
    ),
    (
        &[
            libc::SYS_epoll_create1,
            libc::SYS_epoll_ctl,
            libc::SYS_epoll_pwait,
            libc::SYS_eventfd2,
        ],
        Always,
        "the loops and their bells",
    ),
    (
        &[libc::SYS_mmap, libc::SYS_mprotect],
        Lacks(2, libc::PROT_EXEC as u64),
        "memory and stacks of threads; nothing new is ever code",
    ),
    (
        &[
            libc::SYS_munmap,
            libc::SYS_mremap,
            libc::SYS_madvise,
            libc::SYS_brk,
        ],
        Always,
        "memory",
    ),
    (
        &[libc::SYS_clone],
        Has(0, libc::CLONE_THREAD as u64),
        "threads, but no process",
    ),
    (
        &[
            libc::SYS_futex,
            libc::SYS_set_robust_list,
            libc::SYS_rseq,
            libc::SYS_gettid,
            libc::SYS_sched_yield,
            libc::SYS_sched_getaffinity,
            libc::SYS_sigaltstack,
            libc::SYS_exit,
            libc::SYS_exit_group,
        ],
        Always,
        "threads, from their start to their end",
    ),
    (
        &[libc::SYS_getpriority, libc::SYS_setpriority],
        Thread,
        "threads that check strangers' passwords step back",
    ),
    (
        &[libc::SYS_prctl],
        Is(0, &[libc::PR_SET_NAME as u32, PR_GET_AUXV]),
        "names of threads; what the kernel told this process at its start",
    ),
    (
        &[
            libc::SYS_rt_sigaction,
            libc::SYS_rt_sigprocmask,
            libc::SYS_rt_sigreturn,
        ],
        Always,
        "signals",
    ),
    (
        &[libc::SYS_getrandom],
        Always,
        "keys, names of temporary files",
    ),
    (&[libc::SYS_geteuid], Always, "whose files they are"),
    (&[libc::SYS_uname], Always, "the name in a certificate"),
    // Looked at, never set.
    (
        &[libc::SYS_prlimit64],
        Is(2, &[0]),
        "how many descriptors there are",
    ),
];

/// What another C library, standard library or kernel would call instead of something that was seen.
pub(super) const KIN: &[Row] = &[
    (
        &[
            libc::SYS_readv,
            libc::SYS_preadv,
            libc::SYS_pwritev,
            libc::SYS_pwritev2,
            libc::SYS_recvmsg,
            libc::SYS_lseek,
        ],
        Always,
        "files and sockets",
    ),
    (
        &[
            libc::SYS_fstat,
            libc::SYS_newfstatat,
            libc::SYS_statfs,
            libc::SYS_readlinkat,
            libc::SYS_getcwd,
            libc::SYS_faccessat2,
            libc::SYS_fchmodat,
        ],
        Always,
        "files by name, and what they are",
    ),
    (
        &[libc::SYS_ioctl],
        Is(1, &[libc::FIONBIO as u32]),
        "sockets that do not block",
    ),
    (&[libc::SYS_ppoll], Always, "waiting for signals"),
    (
        &[
            libc::SYS_clock_gettime,
            libc::SYS_gettimeofday,
            libc::SYS_clock_nanosleep,
            libc::SYS_nanosleep,
            libc::SYS_restart_syscall,
        ],
        Always,
        "time, where it is no memory that the kernel shares",
    ),
    (
        &[
            libc::SYS_getpid,
            libc::SYS_getuid,
            libc::SYS_getgid,
            libc::SYS_getegid,
        ],
        Always,
        "who this is",
    ),
    (&[libc::SYS_tgkill], Own, "an abort"),
];

/// The same by older names, where the architecture has them.
#[cfg(target_arch = "x86_64")]
pub(super) const OLD_NAMES: &[Row] = &[
    (
        &[
            libc::SYS_open,
            libc::SYS_stat,
            libc::SYS_lstat,
            libc::SYS_access,
            libc::SYS_readlink,
            libc::SYS_rename,
            libc::SYS_link,
            libc::SYS_unlink,
            libc::SYS_rmdir,
            libc::SYS_mkdir,
            libc::SYS_chmod,
        ],
        Always,
        "files by name: Landlock holds where",
    ),
    (
        &[libc::SYS_epoll_wait, libc::SYS_poll],
        Always,
        "the loops, waiting for signals",
    ),
    (&[libc::SYS_time], Always, "time"),
    (
        &[libc::SYS_getrlimit],
        Always,
        "how many descriptors there are",
    ),
];
#[cfg(not(target_arch = "x86_64"))]
pub(super) const OLD_NAMES: &[Row] = &[];

/// All rows.
pub(super) fn rows() -> impl Iterator<Item = &'static Row> {
    SEEN.iter().chain(KIN).chain(OLD_NAMES)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_call_is_in_one_row_and_what_is_dangerous_in_none() {
        let mut seen = BTreeSet::new();
        for (calls, _, reason) in rows() {
            assert!(!reason.is_empty() && !calls.is_empty());
            for call in *calls {
                assert!(seen.insert(*call), "call {call} is in two rows");
            }
        }
        for never in [
            libc::SYS_execve,
            libc::SYS_execveat,
            libc::SYS_ptrace,
            libc::SYS_clone3,
            libc::SYS_unshare,
            libc::SYS_setns,
            libc::SYS_mount,
            libc::SYS_chroot,
            libc::SYS_bpf,
            libc::SYS_io_uring_setup,
            libc::SYS_process_vm_writev,
            libc::SYS_kexec_load,
            libc::SYS_keyctl,
            libc::SYS_userfaultfd,
            libc::SYS_perf_event_open,
            libc::SYS_setuid,
            libc::SYS_kill,
            libc::SYS_truncate,
            libc::SYS_symlinkat,
            libc::SYS_mknodat,
            libc::SYS_fchownat,
            libc::SYS_seccomp,
        ] {
            assert!(!seen.contains(&never), "call {never} is let through");
        }
    }
}
