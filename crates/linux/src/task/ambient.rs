//! What a child of the calling thread would inherit, as far as the zygote cannot share it: compared before each clone.

use crate::calls::caps;
use crate::calls::prctl::PR_GET_SPECULATION_CTRL;
use crate::wait::own_descriptor::above_stdio;
use nix::errno::Errno;
use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt};

/// A fingerprint; equal ones make equal children.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ambient {
    ids: [u32; 6],
    groups: Vec<u32>,
    capabilities: [[u8; 8]; 3],
    bounding: u64,
    ambient: u64,
    numbers: [i64; 13],
    scheduling: [u8; 56],
    seccomp_filters: Vec<u8>,
    limits: [(u64, u64); LIMITS as usize],
    affinity: [u8; 128],
    memory_policy: [u8; 136],
    files: [Vec<u8>; FILES],
    namespaces: [[u8; 32]; 7],
}

const LIMITS: u32 = 16;
// What the libc crate does not have.
const IOPRIO_WHO_PROCESS: i64 = 1;
const PR_SPEC_STORE_BYPASS: i64 = 0;
const PR_SPEC_INDIRECT_BRANCH: i64 = 1;
const KEYCTL_GET_KEYRING_ID: i64 = 0;
const KEY_SPEC_SESSION_KEYRING: i64 = -3;

/// Those that a thread can change for its children. Its own pid and time namespace are for ever, and so is the user
/// namespace of a process with more than one thread.
const NAMESPACES: [&std::ffi::CStr; 7] =
    [c"cgroup", c"ipc", c"mnt", c"net", c"pid_for_children", c"time_for_children", c"uts"];

/// What of `/proc` the calling thread is asked for, opened once: path walks would cost more than all the rest.
struct Proc {
    namespaces: Option<File>,
    files: [Option<File>; FILES],
}

/// Cgroup, OOM score, filter of core dumps, and the label of the security module.
const FILES: usize = 4;

thread_local! {
    static PROC: Proc = Proc {
        // Only to walk from: a process that has changed its user may not read the folder.
        namespaces: open("/proc/thread-self/ns", libc::O_PATH),
        files: [
            open("/proc/thread-self/cgroup", 0),
            open("/proc/self/oom_score_adj", 0),
            open("/proc/self/coredump_filter", 0),
            open("/proc/thread-self/attr/current", 0),
        ],
    };
    /// Asked only where it has something to say.
    static STATUS: Option<File> = open("/proc/thread-self/status", 0);
}

fn open(path: &str, flags: i32) -> Option<File> {
    let file = File::options().read(true).custom_flags(flags).open(path).ok()?;
    above_stdio(file.into()).ok().map(File::from)
}

impl Ambient {
    /// The calling thread's. What `/proc` would say is empty where there is none.
    pub fn now() -> Self {
        let capabilities = caps::capget(0).near().unwrap_or_default();
        let inheritable = capabilities[2] != [0; 8];
        let numbers = numbers();
        let filtered = numbers[SECCOMP] == SECCOMP_MODE_FILTER;
        PROC.with(|proc| Ambient {
            ids: ids(),
            groups: groups(),
            capabilities,
            bounding: each_capability(libc::PR_CAPBSET_READ, None),
            // What is ambient is inheritable: mostly nothing has to be asked.
            ambient: if inheritable {
                each_capability(libc::PR_CAP_AMBIENT, Some(libc::PR_CAP_AMBIENT_IS_SET))
            } else {
                0
            },
            numbers,
            scheduling: scheduling(),
            seccomp_filters: if filtered { seccomp_filters() } else { Vec::new() },
            limits: std::array::from_fn(|resource| limit(resource as u32)),
            affinity: affinity(),
            memory_policy: memory_policy(),
            files: proc.files.each_ref().map(|file| file.as_ref().map(whole).unwrap_or_default()),
            namespaces: proc.namespaces.as_ref().map(links).unwrap_or_default(),
        })
    }
}

fn ids() -> [u32; 6] {
    let (uids, gids) = (nix::unistd::getresuid(), nix::unistd::getresgid());
    let (uids, gids) = (uids.expect("getresuid cannot fail"), gids.expect("getresgid cannot fail"));
    [uids.real, uids.effective, uids.saved]
        .map(|uid| uid.as_raw())
        .into_iter()
        .chain([gids.real, gids.effective, gids.saved].map(|gid| gid.as_raw()))
        .collect::<Vec<_>>()
        .try_into()
        .expect("three and three")
}

/// A bit for each capability of which prctl(2) says 1.
fn each_capability(option: i32, operation: Option<i32>) -> u64 {
    let mut set = 0;
    for capability in 0..64 {
        let (first, second) = operation.map_or((capability, 0), |operation| (operation as i64, capability));
        // SAFETY: takes numbers and gives one back.
        match unsafe { libc::syscall(libc::SYS_prctl, option as i64, first, second, 0i64, 0i64) } {
            1 => set |= 1 << capability,
            0 => {}
            _ => break, // the kernel knows no more of them
        }
    }
    set
}

fn groups() -> Vec<u32> {
    let mut groups = [0; 64];
    // SAFETY: the kernel writes at most as many ids as it is told there is room for.
    match unsafe { libc::getgroups(groups.len() as i32, groups.as_mut_ptr()) } {
        count @ 0.. => groups[..count as usize].to_vec(),
        // More than those.
        _ => nix::unistd::getgroups().unwrap_or_default().into_iter().map(|gid| gid.as_raw()).collect(),
    }
}

/// The place of the seccomp mode in [`numbers`].
const SECCOMP: usize = 0;
const SECCOMP_MODE_FILTER: i64 = libc::SECCOMP_MODE_FILTER as i64;

/// What one number says; -1 where the kernel does not know what it is asked.
fn numbers() -> [i64; 13] {
    let call = |nr, a: i64, b: i64| {
        // SAFETY: takes numbers and gives one back.
        unsafe { libc::syscall(nr, a, b, 0, 0, 0) }
    };
    let prctl = |option: i32, of: i64| call(libc::SYS_prctl, option.into(), of);
    [
        prctl(libc::PR_GET_SECCOMP, 0),
        prctl(libc::PR_GET_SECUREBITS, 0),
        prctl(libc::PR_GET_NO_NEW_PRIVS, 0),
        prctl(libc::PR_GET_TIMERSLACK, 0),
        prctl(libc::PR_GET_THP_DISABLE, 0),
        prctl(PR_GET_SPECULATION_CTRL, PR_SPEC_STORE_BYPASS),
        prctl(PR_GET_SPECULATION_CTRL, PR_SPEC_INDIRECT_BRANCH),
        call(libc::SYS_getpriority, libc::PRIO_PROCESS as i64, 0),
        call(libc::SYS_ioprio_get, IOPRIO_WHO_PROCESS, 0),
        call(libc::SYS_getpgid, 0, 0),
        call(libc::SYS_getsid, 0, 0),
        call(libc::SYS_personality, 0xffff_ffff, 0),
        call(libc::SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING),
    ]
}

/// `struct sched_attr`: policy, priority, clamps.
fn scheduling() -> [u8; 56] {
    let mut attr = [0; 56];
    // SAFETY: the kernel writes at most the given number of bytes of `attr`.
    unsafe { libc::syscall(libc::SYS_sched_getattr, 0, attr.as_mut_ptr(), attr.len(), 0) };
    attr
}

/// Their number as `/proc` writes it: each thread may add to its own, and never takes one away.
fn seccomp_filters() -> Vec<u8> {
    let status = STATUS.with(|status| status.as_ref().map(whole).unwrap_or_default());
    let mut lines = status.split(|byte| *byte == b'\n');
    lines.find(|line| line.starts_with(b"Seccomp_filters:")).unwrap_or_default().to_vec()
}

fn limit(resource: u32) -> (u64, u64) {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the kernel writes the struct, which outlives the call.
    let result = unsafe { libc::syscall(libc::SYS_prlimit64, 0, resource, 0, &raw mut limit) };
    debug_assert_eq!(Errno::result(result), Ok(0));
    (limit.rlim_cur, limit.rlim_max)
}

fn affinity() -> [u8; 128] {
    let mut mask = [0; 128];
    // SAFETY: the kernel writes at most the given number of bytes of the mask. On a machine of more than 1024 CPUs it
    // refuses, and the mask is equal to every other.
    unsafe { libc::syscall(libc::SYS_sched_getaffinity, 0, mask.len(), mask.as_mut_ptr()) };
    mask
}

/// The mode, and a bit for each node of memory.
fn memory_policy() -> [u8; 136] {
    let mut policy = [0u8; 136];
    let (mode, nodes) = policy.split_at_mut(8);
    // SAFETY: the kernel writes an `int` into the first half, and at most 1024 bits into the other. It refuses where it
    // knows no policies, or has more nodes, and every policy is equal then.
    unsafe { libc::syscall(libc::SYS_get_mempolicy, mode.as_mut_ptr(), nodes.as_mut_ptr(), 1024, 0, 0) };
    policy
}

/// The text of a file that the kernel makes anew for whoever reads it from the start.
fn whole(file: &File) -> Vec<u8> {
    let mut text = vec![0; 1024];
    let mut length = 0;
    // A failure ends the text as the end does: the next clone compares with the same.
    while let Ok(more @ 1..) = file.read_at(&mut text[length..], length as u64) {
        length += more;
        if length < text.len() {
            break;
        }
        text.resize(2 * length, 0);
    }
    text.truncate(length);
    text
}

fn links(folder: &File) -> [[u8; 32]; 7] {
    NAMESPACES.map(|name| {
        let mut link = [0u8; 32];
        // SAFETY: the kernel reads the name and writes at most the given number of bytes of `link`, which stays all
        // zero where it refuses.
        unsafe { libc::readlinkat(folder.as_raw_fd(), name.as_ptr(), link.as_mut_ptr().cast(), link.len()) };
        link
    })
}
