//! Rings of io_uring(7), which go on with the credentials that this process had: a thread of the kernel that polls a ring has
//! those of the ring's maker, and a registered personality those of its registration. `/proc` shows no personalities, and so every
//! ring stands in the way, but for those of libuv: Node has one for each event loop since Node 22, and adds descriptors to epoll(7)
//! with it. No thread polls these, and libuv registers nothing.

use super::files::{each_name, read_link, Raw, Text};
use super::procfs::{Memory, Procfs};
use super::raw;
use std::ffi::CStr;
use std::os::fd::{AsRawFd, OwnedFd};

const RING: &[u8] = b"anon_inode:[io_uring]";
/// The most bytes of a line of `maps` about a ring.
const LINE: usize = 128;
/// How many times a ring is looked at whose lock another thread holds.
const LOOKS: usize = 10_000;
/// What `fdinfo` says about a ring of libuv: 256 entries, and nothing that works for the ring or is registered.
const LIBUV: [&[u8]; 5] = [b"SqMask:\t0xff", b"CqMask:\t0x1ff", b"SqThread:\t-1", b"UserFiles:\t0", b"UserBufs:\t0"];

/// Where a ring was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ring {
    /// An open descriptor.
    Descriptor(i32),
    /// The memory of a ring whose descriptor is closed.
    Mapping,
}

/// Looks for a ring of this process that is not one of libuv. Allocates nothing. While other threads run, rings come and go, and so
/// only their descriptors can be looked at.
pub(super) fn find(procfs: &Procfs, memory: &mut Memory, standing_still: bool) -> Raw<Option<Ring>> {
    memory.rings.clear();
    match find_descriptor(procfs, memory)? {
        None if standing_still && find_mapping(procfs, memory)? => Ok(Some(Ring::Mapping)),
        found => Ok(found.map(Ring::Descriptor)),
    }
}

fn find_descriptor(procfs: &Procfs, memory: &mut Memory) -> Raw<Option<i32>> {
    let folder = procfs.open_own(c"self/fd", libc::O_RDONLY | libc::O_DIRECTORY)?;
    let about = procfs.open_own(c"self/fdinfo", libc::O_RDONLY | libc::O_DIRECTORY)?;
    let mut found = None;
    let Memory { names, text, rings, .. } = memory;
    each_name(&folder, names, |name| -> Raw<()> {
        let Some(fd) = std::str::from_utf8(name).ok().and_then(|name| name.parse::<i32>().ok()) else { return Ok(()) };
        let mut path = [0u8; 16];
        path.iter_mut().zip(name).for_each(|(place, byte)| *place = *byte);
        let path = CStr::from_bytes_until_nul(&path).unwrap_or(c"");
        let mut target = [0u8; RING.len() + 1];
        // Another thread may have closed the descriptor in between.
        let length = read_link(folder.as_raw_fd(), path, &mut target).unwrap_or(0);
        if target.get(..length) != Some(RING) {
            return Ok(());
        }
        if rings.len() == rings.capacity() || !is_of_libuv(&about, path, text)? {
            found = Some(fd);
        } else if let Some(inode) = inode(fd) {
            rings.push(inode); // within the capacity
        }
        Ok(())
    })?;
    Ok(found)
}

/// True when a ring is one of libuv, or is closed meanwhile.
fn is_of_libuv(about: &OwnedFd, path: &CStr, text: &mut Text) -> Raw<bool> {
    for _ in 0..LOOKS {
        let info = match Procfs::read_in(about, path, text) {
            Err(error) if error.errno == libc::ENOENT => return Ok(true),
            info => info?,
        };
        // The kernel shows the ring only if no other thread is making a call on the ring.
        if info.windows(7).any(|bytes| bytes == b"SqMask:") {
            let lines = || info.split(|byte| *byte == b'\n');
            let shows = |wanted: &[u8]| lines().any(|line| line == wanted);
            return Ok(LIBUV.iter().all(|line| shows(line)) && !lines().any(|line| line.starts_with(b"Personalities")));
        }
        raw::numbers(libc::SYS_sched_yield, [0; 4]);
    }
    Ok(false)
}

/// Returns the inode of an open file, which each ring has for itself.
fn inode(fd: i32) -> Option<u64> {
    let mut stat = [0u64; 18]; // struct stat has at most 144 bytes, and the inode is its second word
    let args = [fd as u64, stat.as_mut_ptr() as u64, 0, 0, 0, 0];
    // SAFETY: the kernel writes a `struct stat` to `stat`, which is as long and lives in this frame.
    let result = unsafe { raw::syscall(libc::SYS_fstat, args) };
    (result == 0).then_some(stat[1])
}

/// Looks for the memory of a ring that has no descriptor.
fn find_mapping(procfs: &Procfs, memory: &mut Memory) -> Raw<bool> {
    let maps = procfs.open_own(c"self/maps", libc::O_RDONLY)?;
    let Memory { text, rings, .. } = memory;
    let mut found = false;
    text.each_piece(&maps, LINE, |piece| {
        let ends = piece.windows(RING.len() + 1).enumerate();
        // The path of a file begins with a slash, and so follows no blank here.
        for (end, _) in ends.filter(|(_, bytes)| bytes.split_first() == Some((&b' ', RING))) {
            let before = piece.get(..end).unwrap_or_default();
            // A line whose beginning is not in this piece was whole in the last piece.
            let Some(begin) = before.iter().rposition(|byte| *byte == b'\n') else { continue };
            let line = before.get(begin + 1..).unwrap_or_default();
            let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
            let inode = words.nth(4).and_then(|word| std::str::from_utf8(word).ok()?.parse().ok());
            found |= !inode.is_some_and(|inode| rings.contains(&inode));
        }
    })?;
    Ok(found)
}
