//! Rings of io_uring(7), which go on with the credentials that this process had: a thread of the kernel that polls a ring has
//! those of the ring's maker, and a registered personality those of its registration. `/proc` shows neither, and so every ring
//! stands in the way.

use super::procfs::{each_name, read_link, Procfs, Raw, Text};
use std::ffi::CStr;
use std::os::fd::AsRawFd;

const RING: &[u8] = b"anon_inode:[io_uring]";

/// Where a ring was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ring {
    /// An open descriptor.
    Descriptor(i32),
    /// The memory of a ring whose descriptor is closed.
    Mapping,
}

/// Looks for a ring of this process. Allocates nothing.
pub(super) fn find(procfs: &Procfs, text: &mut Text) -> Raw<Option<Ring>> {
    match find_descriptor(procfs, text)? {
        None if find_mapping(procfs, text)? => Ok(Some(Ring::Mapping)),
        found => Ok(found.map(Ring::Descriptor)),
    }
}

fn find_descriptor(procfs: &Procfs, text: &mut Text) -> Raw<Option<i32>> {
    let folder = procfs.open_own(c"self/fd", libc::O_RDONLY | libc::O_DIRECTORY)?;
    let mut found = None;
    each_name(&folder, text, |name| -> Raw<()> {
        let Some(fd) = std::str::from_utf8(name).ok().and_then(|name| name.parse::<i32>().ok()) else { return Ok(()) };
        let mut path = [0u8; 16];
        path.iter_mut().zip(name).for_each(|(place, byte)| *place = *byte);
        let path = CStr::from_bytes_until_nul(&path).unwrap_or(c"");
        let mut target = [0u8; RING.len() + 1];
        // Another thread may have closed the descriptor in between.
        let length = read_link(folder.as_raw_fd(), path, &mut target).unwrap_or(0);
        if target.get(..length) == Some(RING) {
            found = Some(fd);
        }
        Ok(())
    })?;
    Ok(found)
}

fn find_mapping(procfs: &Procfs, text: &mut Text) -> Raw<bool> {
    let maps = procfs.open_own(c"self/maps", libc::O_RDONLY)?;
    let mut found = false;
    text.each_piece(&maps, RING.len(), |piece| {
        // The path of a file begins with a slash, and so follows no blank here.
        found |= piece.windows(RING.len() + 1).any(|bytes| bytes.split_first() == Some((&b' ', RING)));
    })?;
    Ok(found)
}
