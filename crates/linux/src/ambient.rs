//! What a child of the calling thread would inherit, as far as the zygote cannot share it: compared before each clone.

use crate::caps;
use crate::descriptor::above_stdio;
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
    bits: [i64; 8],
    limits: [(u64, u64); LIMITS as usize],
    affinity: [u8; 128],
    cgroup: Vec<u8>,
    namespaces: [[u8; 32]; 7],
}

const LIMITS: u32 = 16;
/// Those that a thread can change for its children. Its own pid and time namespace are for ever, and so is the user
/// namespace of a process with more than one thread.
const NAMESPACES: [&std::ffi::CStr; 7] =
    [c"cgroup", c"ipc", c"mnt", c"net", c"pid_for_children", c"time_for_children", c"uts"];

/// What of `/proc` the calling thread is asked for, opened once: path walks would cost more than all the rest.
struct Proc {
    namespaces: Option<File>,
    cgroup: Option<File>,
}

thread_local! {
    static PROC: Proc = Proc {
        // Only to walk from: a process that has changed its user may not read the folder.
        namespaces: open("/proc/thread-self/ns", libc::O_PATH),
        cgroup: open("/proc/thread-self/cgroup", 0),
    };
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
        Ambient {
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
            bits: bits(),
            limits: std::array::from_fn(|resource| limit(resource as u32)),
            affinity: affinity(),
            cgroup: PROC.with(|proc| proc.cgroup.as_ref().map(whole).unwrap_or_default()),
            namespaces: PROC.with(|proc| proc.namespaces.as_ref().map(links).unwrap_or_default()),
        }
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

/// What a number says: securebits, no_new_privs, seccomp mode, nice value, group, session, scheduler, personality.
fn bits() -> [i64; 8] {
    let call = |nr, a: i64, b: i64| {
        // SAFETY: takes numbers and gives one back.
        unsafe { libc::syscall(nr, a, b, 0, 0, 0) }
    };
    [
        call(libc::SYS_prctl, libc::PR_GET_SECUREBITS as i64, 0),
        call(libc::SYS_prctl, libc::PR_GET_NO_NEW_PRIVS as i64, 0),
        call(libc::SYS_prctl, libc::PR_GET_SECCOMP as i64, 0),
        call(libc::SYS_getpriority, libc::PRIO_PROCESS as i64, 0),
        call(libc::SYS_getpgid, 0, 0),
        call(libc::SYS_getsid, 0, 0),
        call(libc::SYS_sched_getscheduler, 0, 0),
        call(libc::SYS_personality, 0xffff_ffff, 0),
    ]
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
