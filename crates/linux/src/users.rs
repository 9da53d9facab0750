//! The users and groups of this machine, as the C library of Node knows them: from files and from directory services.
//!
//! The C library is asked in the calling thread, also while a task or a batch is current. In a task the root may have other
//! files, and a module of the root would run with the privileges of the task.

use crate::error::{refused, Result};
use nix::errno::Errno;
use std::ffi::{c_char, c_int, CStr, CString};
use std::mem::MaybeUninit;
use std::ptr::null_mut;

/// The first size of the buffer for an entry, in bytes.
const FIRST_BUFFER: usize = 1024;
/// The largest buffer. The files have one line for each entry, and no entry is this long.
const LARGEST_BUFFER: usize = 64 << 20;
/// The longest name that the C library is asked for. Modules of it copy the name onto the stack, and a name of some million bytes
/// ends the process. A user name has up to 32 bytes, and one of a directory service some hundred.
const LONGEST_NAME: usize = 4096;
/// The first size of the list of groups.
const FIRST_GROUPS: usize = 64;

/// How the caller knows a user.
#[derive(Clone, Copy, Debug)]
pub enum Key<'a> {
    /// By the name.
    Name(&'a [u8]),
    /// By the user id.
    Id(u32),
}

/// The name and the ids of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ids {
    /// The name, with U+FFFD for bytes that are not UTF-8.
    pub name: String,
    /// The user id.
    pub uid: u32,
    /// The group id.
    pub gid: u32,
    /// The groups, ascending and without duplicates. Empty if they were not asked for.
    pub groups: Vec<u32>,
}

/// Returns the ids of a user, or `None` if no user has the name or the id.
///
/// `gid` takes the place of the user's own group id. `groups` says that the C library is asked for the groups, too.
pub fn resolve(key: Key, gid: Option<u32>, groups: bool) -> Result<Option<Ids>> {
    let Some(entry) = find(key)? else { return Ok(None) };
    let gid = gid.unwrap_or(entry.gid);
    let groups = if groups { groups_of(&entry.name, gid)? } else { Vec::new() };
    Ok(Some(Ids { name: entry.name.to_string_lossy().into_owned(), uid: entry.uid, gid, groups }))
}

struct Entry {
    name: CString,
    uid: u32,
    gid: u32,
}

/// Asks getpwnam_r(3) or getpwuid_r(3), with a buffer that grows.
fn find(key: Key) -> Result<Option<Entry>> {
    let name = match key {
        Key::Name(name) if !is_name(name) => return Ok(None),
        Key::Name(name) => CString::new(name).ok(),
        Key::Id(_) => None,
    };
    let mut buffer: Vec<c_char> = Vec::new();
    let mut length = FIRST_BUFFER;
    loop {
        resize(&mut buffer, length, "getpwnam")?;
        let mut place = MaybeUninit::uninit();
        let mut found = null_mut();
        let (place, start) = (place.as_mut_ptr(), buffer.as_mut_ptr());
        let status = match (&name, key) {
            // SAFETY: The name ends with a NUL. `place`, `found` and the `length` bytes of the buffer live beyond the call,
            // and no other code has them.
            (Some(name), _) => unsafe { libc::getpwnam_r(name.as_ptr(), place, start, length, &mut found) },
            // SAFETY: As above.
            (None, Key::Id(uid)) => unsafe { libc::getpwuid_r(uid, place, start, length, &mut found) },
            (None, Key::Name(_)) => return Ok(None),
        };
        match status {
            libc::ERANGE if length < LARGEST_BUFFER => length *= 2,
            libc::EINTR => {}
            0 if !found.is_null() => {
                // SAFETY: The C library has filled the struct that `found` points to, which is `place`.
                let entry = unsafe { &*found };
                // SAFETY: The name lies in the buffer, ends with a NUL, and is copied before the buffer is freed.
                let name = unsafe { CStr::from_ptr(entry.pw_name) }.to_owned();
                return Ok(Some(Entry { name, uid: entry.pw_uid, gid: entry.pw_gid }));
            }
            // By the man page, services report in these ways that they do not have the user.
            0 | libc::ENOENT | libc::ESRCH | libc::EBADF | libc::EPERM => return Ok(None),
            errno => return Err(refused("getpwnam", Errno::from_raw(errno))),
        }
    }
}

/// True for a name that a user can have. The C library is not asked for other names, because a line of the file may match: with
/// `+` or `-` a line begins that includes or excludes users of a service, and a line without a name is broken.
fn is_name(name: &[u8]) -> bool {
    let first = !matches!(name.first(), None | Some(b'+' | b'-'));
    first && name.len() <= LONGEST_NAME && !name.iter().any(|byte| matches!(byte, b':' | b'\n' | 0))
}

/// Asks getgrouplist(3), with a list that grows.
fn groups_of(name: &CStr, gid: u32) -> Result<Vec<u32>> {
    let mut groups: Vec<u32> = Vec::new();
    let mut room = FIRST_GROUPS;
    loop {
        resize(&mut groups, room, "getgrouplist")?;
        let mut count = room as c_int;
        Errno::clear();
        // SAFETY: The name ends with a NUL, the list has `count` places, and both live beyond the call.
        let answer = unsafe { libc::getgrouplist(name.as_ptr(), gid, groups.as_mut_ptr(), &mut count) };
        let wanted = usize::try_from(count).unwrap_or(0);
        if answer >= 0 {
            groups.truncate(wanted);
            groups.sort_unstable();
            groups.dedup();
            return Ok(groups);
        }
        if wanted <= room {
            // The list was not too short. The C library failed, for want of memory or of a file that it may read.
            let errno = Errno::last_raw();
            return Err(refused("getgrouplist", Errno::from_raw(if errno == 0 { libc::EIO } else { errno })));
        }
        room = wanted;
    }
}

/// Makes a buffer that long, or fails with ENOMEM.
fn resize<T: Copy + Default>(buffer: &mut Vec<T>, length: usize, syscall: &'static str) -> Result<()> {
    buffer.try_reserve_exact(length.saturating_sub(buffer.len())).map_err(|_| refused(syscall, Errno::ENOMEM))?;
    buffer.resize(length, T::default());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_is_found_by_name_and_by_id() {
        let by_name = resolve(Key::Name(b"root"), None, true).unwrap().unwrap();
        assert_eq!((by_name.uid, by_name.gid), (0, 0));
        assert!(by_name.groups.contains(&0));
        assert_eq!(resolve(Key::Id(0), None, true).unwrap().unwrap(), by_name);
    }

    #[test]
    fn a_group_id_takes_the_place_of_the_user_s_own() {
        let ids = resolve(Key::Id(0), Some(4_000_000), true).unwrap().unwrap();
        assert_eq!(ids.gid, 4_000_000);
        assert!(ids.groups.contains(&4_000_000));
        let root = Ids { name: "root".into(), uid: 0, gid: 7, groups: Vec::new() };
        assert_eq!(resolve(Key::Id(0), Some(7), false).unwrap().unwrap(), root);
    }

    #[test]
    fn names_that_no_user_can_have_are_unknown() {
        let long = "x".repeat(10_000_000);
        for name in ["", "+", "+root", "-root", "root:", "root\n", "ro\0ot", "0", "no such user", &long] {
            assert_eq!(resolve(Key::Name(name.as_bytes()), None, true).unwrap(), None, "{:?}", name.get(..20));
        }
        assert_eq!(resolve(Key::Id(u32::MAX - 1), None, true).unwrap(), None);
    }
}
