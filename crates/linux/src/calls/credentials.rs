//! User and group ids, process groups, sessions.

use crate::call::{Call, Short};

/// The id that stands for "unchanged" in calls that set ids.
pub const UNCHANGED: u32 = u32::MAX;

/// getuid(2).
pub const GETUID: Short = Short::new("getuid", libc::SYS_getuid);
/// geteuid(2).
pub const GETEUID: Short = Short::new("geteuid", libc::SYS_geteuid);
/// getgid(2).
pub const GETGID: Short = Short::new("getgid", libc::SYS_getgid);
/// getegid(2).
pub const GETEGID: Short = Short::new("getegid", libc::SYS_getegid);
/// getpid(2).
pub const GETPID: Short = Short::new("getpid", libc::SYS_getpid);
/// getppid(2).
pub const GETPPID: Short = Short::new("getppid", libc::SYS_getppid);
/// gettid(2).
pub const GETTID: Short = Short::new("gettid", libc::SYS_gettid);

fn id(short: Short) -> Call<u32> {
    short.call().value(|answer| answer.result as u32)
}

fn three(name: &'static str, nr: i64) -> Call<[u32; 3]> {
    Call::new(name, nr).output(4).output(4).output(4).value(|answer| [0, 8, 16].map(|at| answer.u32(at)))
}

/// `getuid()`: the real user id.
pub fn getuid() -> Call<u32> {
    id(GETUID)
}

/// `geteuid()`: the effective user id.
pub fn geteuid() -> Call<u32> {
    id(GETEUID)
}

/// `getgid()`: the real group id.
pub fn getgid() -> Call<u32> {
    id(GETGID)
}

/// `getegid()`: the effective group id.
pub fn getegid() -> Call<u32> {
    id(GETEGID)
}

/// `getresuid(&real, &effective, &saved)`.
pub fn getresuid() -> Call<[u32; 3]> {
    three("getresuid", libc::SYS_getresuid)
}

/// `getresgid(&real, &effective, &saved)`.
pub fn getresgid() -> Call<[u32; 3]> {
    three("getresgid", libc::SYS_getresgid)
}

/// `getgroups(room, list)`: the supplementary groups, of which the kernel allows 65536.
pub fn getgroups(room: u32) -> Call<Vec<u32>> {
    let call = Call::new("getgroups", libc::SYS_getgroups).number(room).output(4 * room as usize);
    call.at_most(room).value(|answer| {
        answer
            .out
            .as_chunks()
            .0
            .iter()
            .take(usize::try_from(answer.result).unwrap_or(0))
            .map(|gid| u32::from_ne_bytes(*gid))
            .collect()
    })
}

/// `getgroups(0, NULL)`: how many there are.
pub fn getgroups_count() -> Call<u32> {
    Call::new("getgroups", libc::SYS_getgroups).value(|answer| answer.result as u32)
}

/// `getpid()`, in the caller's pid namespace.
pub fn getpid() -> Call<u32> {
    id(GETPID)
}

/// `getppid()`; 0 where the parent is in another pid namespace.
pub fn getppid() -> Call<u32> {
    id(GETPPID)
}

/// `gettid()`: the calling thread.
pub fn gettid() -> Call<u32> {
    id(GETTID)
}

/// `getpgid(pid)`; 0: the caller.
pub fn getpgid(pid: i32) -> Call<u32> {
    Call::new("getpgid", libc::SYS_getpgid).number(pid).value(|answer| answer.result as u32)
}

/// `getsid(pid)`; 0: the caller.
pub fn getsid(pid: i32) -> Call<u32> {
    Call::new("getsid", libc::SYS_getsid).number(pid).value(|answer| answer.result as u32)
}

/// `setpgid(pid, pgid)`; 0: the caller, and its own pid.
pub fn setpgid(pid: i32, group: i32) -> Call<()> {
    Call::new("setpgid", libc::SYS_setpgid).number(pid).number(group)
}

/// `setsid()`: a new session. The id that the kernel returns is the pid of the caller. This call leaves it out, so that a
/// batch can collect the call.
pub fn setsid() -> Call<()> {
    Call::new("setsid", libc::SYS_setsid)
}

/// `setuid(uid)`.
pub fn setuid(uid: u32) -> Call<()> {
    Call::new("setuid", libc::SYS_setuid).number(uid).one_thread().clears_death_signal()
}

/// `setgid(gid)`.
pub fn setgid(gid: u32) -> Call<()> {
    Call::new("setgid", libc::SYS_setgid).number(gid).one_thread().clears_death_signal()
}

/// `setreuid(real, effective)`.
pub fn setreuid(real: u32, effective: u32) -> Call<()> {
    Call::new("setreuid", libc::SYS_setreuid).number(real).number(effective).one_thread().clears_death_signal()
}

/// `setregid(real, effective)`.
pub fn setregid(real: u32, effective: u32) -> Call<()> {
    Call::new("setregid", libc::SYS_setregid).number(real).number(effective).one_thread().clears_death_signal()
}

/// `setfsuid(-1)`: returns the id, and changes nothing.
pub fn getfsuid() -> Call<u32> {
    Call::new("setfsuid", libc::SYS_setfsuid).number(UNCHANGED).one_thread().value(|answer| answer.result as u32)
}

/// `setfsgid(-1)`: returns the id, and changes nothing.
pub fn getfsgid() -> Call<u32> {
    Call::new("setfsgid", libc::SYS_setfsgid).number(UNCHANGED).one_thread().value(|answer| answer.result as u32)
}

/// `setfsuid(uid)`: returns the former id, also where the kernel refuses the new one.
pub fn setfsuid(uid: u32) -> Call<u32> {
    Call::new("setfsuid", libc::SYS_setfsuid)
        .number(uid)
        .one_thread()
        .clears_death_signal()
        .value(|answer| answer.result as u32)
}

/// `setfsgid(gid)`: returns the former id, also where the kernel refuses the new one.
pub fn setfsgid(gid: u32) -> Call<u32> {
    Call::new("setfsgid", libc::SYS_setfsgid)
        .number(gid)
        .one_thread()
        .clears_death_signal()
        .value(|answer| answer.result as u32)
}

/// `setresuid(real, effective, saved)`.
pub fn setresuid(real: u32, effective: u32, saved: u32) -> Call<()> {
    Call::new("setresuid", libc::SYS_setresuid)
        .number(real)
        .number(effective)
        .number(saved)
        .one_thread()
        .clears_death_signal()
}

/// `setresgid(real, effective, saved)`.
pub fn setresgid(real: u32, effective: u32, saved: u32) -> Call<()> {
    Call::new("setresgid", libc::SYS_setresgid)
        .number(real)
        .number(effective)
        .number(saved)
        .one_thread()
        .clears_death_signal()
}

/// `setgroups(count, list)`: the supplementary groups. With `go_on` a sequence goes on after a refusal.
pub fn setgroups(groups: &[u32], go_on: bool) -> Call<()> {
    let list: Vec<u8> = groups.iter().flat_map(|group| group.to_ne_bytes()).collect();
    let call = Call::new("setgroups", libc::SYS_setgroups).number(groups.len() as u64).input(&list).one_thread();
    if go_on {
        call.go_on()
    } else {
        call
    }
}
