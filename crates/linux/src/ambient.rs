//! What a child of the calling thread would inherit, as far as the zygote cannot share it: compared before each clone.

use crate::caps;
use nix::errno::Errno;
use std::cell::RefCell;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsRawFd, OwnedFd};

/// A fingerprint; equal ones make equal children.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ambient {
    ids: [u32; 6],
    groups: Vec<u32>,
    capabilities: Vec<u8>,
    bits: [i64; 8],
    limits: [(u64, u64); LIMITS as usize],
    affinity: [u8; 128],
    cgroup: Vec<u8>,
    namespaces: [Vec<u8>; 10],
}

const LIMITS: u32 = 16;
const NAMESPACES: [&std::ffi::CStr; 10] = [
    c"cgroup",
    c"ipc",
    c"mnt",
    c"net",
    c"pid",
    c"pid_for_children",
    c"time",
    c"time_for_children",
    c"user",
    c"uts",
];

thread_local! {
    /// The calling thread's `/proc/thread-self/ns`, opened once: a path walk for each namespace would cost more.
    static NS: RefCell<Option<OwnedFd>> = const { RefCell::new(None) };
}

impl Ambient {
    /// The calling thread's. What `/proc` would say is empty where there is none.
    pub fn now() -> Self {
        Ambient {
            ids: ids(),
            groups: nix::unistd::getgroups().unwrap_or_default().into_iter().map(|gid| gid.as_raw()).collect(),
            capabilities: caps::capget(0).near().map(|sets| sets.concat()).unwrap_or_default(),
            bits: bits(),
            limits: std::array::from_fn(|resource| limit(resource as u32)),
            affinity: affinity(),
            cgroup: read("/proc/thread-self/cgroup"),
            namespaces: namespaces(),
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

/// What a number says: securebits, no_new_privs, ambient and seccomp modes, nice value, group, session, scheduler.
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

fn read(path: &str) -> Vec<u8> {
    let mut text = Vec::with_capacity(512);
    match File::open(path).and_then(|mut file| file.read_to_end(&mut text)) {
        Ok(_) => text,
        Err(_) => Vec::new(),
    }
}

fn namespaces() -> [Vec<u8>; 10] {
    NS.with_borrow_mut(|folder| {
        if folder.is_none() {
            *folder = File::open("/proc/thread-self/ns").ok().map(OwnedFd::from);
        }
        let Some(folder) = folder else { return Default::default() };
        NAMESPACES.map(|name| {
            let mut link = [0u8; 48];
            // SAFETY: the kernel reads the name and writes at most the given number of bytes of `link`.
            let length = unsafe {
                libc::readlinkat(folder.as_raw_fd(), name.as_ptr(), link.as_mut_ptr().cast(), link.len())
            };
            link[..length.max(0) as usize].to_vec()
        })
    })
}
