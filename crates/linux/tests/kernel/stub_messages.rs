//! Messages that are cut off, memfds that hold no sequence, and descriptors that were lost on the way.

use crate::raw::{step, Raw};
use crate::stub::{getppid, prlimit64, Stub};
use crate::stub_refuses::{clone, good, refused, EINVAL, EPROTO};
use nearfar_linux::wire;
use nix::sys::memfd::{memfd_create, MFdFlags};
use nix::unistd::pipe;
use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::FileExt;

fn memfd(bytes: &[u8]) -> OwnedFd {
    let file = File::from(memfd_create("sequence", MFdFlags::MFD_CLOEXEC).unwrap());
    file.write_all_at(bytes, 0).unwrap();
    file.into()
}

#[test]
fn the_stub_replies_to_messages_of_any_length() {
    let (stub, bytes) = (Stub::start(), good().bytes());
    for length in 1..bytes.len() {
        // The buffer still has the header of the message before, which must not stand in for the missing part.
        let status = if length < size_of::<wire::Header>() { EPROTO } else { EINVAL };
        refused(&stub, &format!("{length} bytes"), status, &bytes[..length], &[]);
    }
    let long = [bytes, vec![0; wire::LONGEST]].concat();
    refused(&stub, "a message that is cut off", EINVAL, &long, &[]);
}

#[test]
fn an_empty_sequence_succeeds() {
    let stub = Stub::start();
    assert_eq!(stub.ask(&Raw::new(vec![], vec![], vec![]), &[]).summary(), (0, 0, &[][..]));
    let answer = stub.ask(&Raw::new(vec![], vec![7; 16], vec![]), &[]);
    assert_eq!((answer.header.status, answer.header.done, answer.header.out), (0, 0, 16));
    stub.works();
}

#[test]
fn a_memfd_has_to_hold_the_sequence() {
    let stub = Stub::start();
    let mut raw = good();
    raw.header.flags = wire::LARGE;
    let bytes = raw.bytes();
    let header = &bytes[..size_of::<wire::Header>()];
    let (read, write) = pipe().unwrap();
    let null = File::open("/dev/null").unwrap();
    for short in [0, header.len(), bytes.len() - 1] {
        refused(&stub, "a memfd that is too short", EINVAL, header, &[memfd(&bytes[..short]).as_raw_fd()]);
    }
    refused(&stub, "a pipe", EINVAL, header, &[read.as_raw_fd()]);
    refused(&stub, "an empty device", EINVAL, header, &[null.as_raw_fd()]);
    let whole = memfd(&bytes);
    let path = format!("/proc/self/fd/{}", whole.as_raw_fd());
    let to_read = File::open(path).unwrap();
    refused(&stub, "a memfd to read", -libc::EACCES, header, &[to_read.as_raw_fd()]);
    raw.steps[2] = step(getppid(), &[(wire::FD, 2)]);
    refused(&stub, "a spoilt sequence in a memfd", EINVAL, header, &[memfd(&raw.bytes()).as_raw_fd()]);
    raw.steps[2] = step(wire::CLONE, &clone());
    refused(&stub, "a clone in a memfd", EINVAL, header, &[memfd(&raw.bytes()).as_raw_fd()]);
    stub.send(header, &[]);
    assert_eq!(stub.receive().summary(), (EINVAL, 0, &[][..]), "no memfd at all");
    assert_eq!(stub.ask(&good(), &[write.as_raw_fd()]).header.status, 0);
    stub.assert_memfds_are_unmapped();
}

#[test]
fn lost_descriptors_are_reported() {
    let stub = Stub::start();
    let null = File::open("/dev/null").unwrap();
    let many = vec![null.as_raw_fd(); wire::DESCRIPTORS];
    refused(&stub, "one descriptor too many", -libc::EMFILE, &good().bytes(), &many);
    refused(&stub, "as many as the kernel passes on", -libc::EMFILE, &good().bytes(), &vec![null.as_raw_fd(); 252]);
    // With RLIMIT_NOFILE 4 the stub may have the descriptors 0 to 3 alone, and has all of them.
    let limit = [4u64, 4].map(u64::to_ne_bytes).concat();
    let args = [(wire::NUMBER, 0), (wire::NUMBER, libc::RLIMIT_NOFILE as u64), (wire::BLOB, 0), (wire::NUMBER, 0)];
    assert_eq!(stub.ask(&Raw::new(vec![step(prlimit64(), &args)], limit, vec![]), &[]).summary(), (0, 1, &[0][..]));
    refused(&stub, "no room in the table", -libc::EMFILE, &good().bytes(), &[]);
}
