//! Making sure that a descriptor is of the file that was looked at before.

use crate::call::Arg;
use crate::calls::descriptor::statx;
use crate::calls::stub::expect;
use crate::error::{Failure, Result};
use crate::sequence::list::Sequence;
use crate::target::{Target, CURRENT};
use nix::errno::Errno;

/// Offsets in a `struct statx`.
const INODE: u32 = std::mem::offset_of!(libc::statx, stx_ino) as u32;
const MAJOR: u32 = std::mem::offset_of!(libc::statx, stx_dev_major) as u32;
const MINOR: u32 = std::mem::offset_of!(libc::statx, stx_dev_minor) as u32;

/// Collects in a batch the look whether a descriptor is of the file with this device and inode. Otherwise the batch fails there
/// with ESTALE. `path` is what the error names.
pub fn expect_file(fd: i32, [major, minor]: [u32; 2], inode: u64, path: &[u8]) -> Result<()> {
    CURRENT.with_borrow_mut(|target| match target {
        Target::Batch(batch) => batch.push_steps("statx", |sequence| {
            add_expectations(sequence, fd, [major, minor], inode, path);
            Ok(())
        }),
        _ => Err(Failure::Internal("a file is compared in a batch alone")),
    })
}

/// Adds statx(2) and a comparison of each half of the number of the inode, and of the two numbers of the device.
fn add_expectations(sequence: &mut Sequence, fd: i32, [major, minor]: [u32; 2], inode: u64, path: &[u8]) {
    let flags = (libc::AT_EMPTY_PATH | libc::AT_STATX_DONT_SYNC) as u32;
    let found = sequence.step(statx(fd, b"", flags, libc::STATX_INO)) as u32;
    let low = if cfg!(target_endian = "little") { [INODE, INODE + 4] } else { [INODE + 4, INODE] };
    let halves = [(low[0], inode as u32), (low[1], (inode >> 32) as u32)];
    sequence.aside(|sequence| {
        for (at, number) in halves.into_iter().chain([(MAJOR, major), (MINOR, minor)]) {
            let number = Arg::Number(number.into());
            sequence.step(expect("statx", Arg::WrittenAt(found, at), number, Errno::ESTALE).about(path));
        }
    });
}
