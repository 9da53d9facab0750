//! Sequences with one mistake each. The stub replies with a status, runs no step, and serves on.

use crate::raw::{reloc, step, taking, Raw};
use crate::stub::{getppid, write, Stub};
use nearfar_linux::wire::{self, Reloc};
use nix::unistd::pipe;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsRawFd, RawFd};

pub const EINVAL: i32 = -libc::EINVAL;
pub const EPROTO: i32 = -libc::EPROTO;

/// Returns a sequence without a mistake: three calls, a blob of 128 bytes and two relocations. The first call writes a byte to
/// descriptor 0 of the message, which shows whether the stub has run any step.
pub fn good() -> Raw {
    let write = step(write(), &[(wire::FD, 0), (wire::BLOB, 0), (wire::NUMBER, 1)]);
    let steps = vec![write, step(getppid(), &[]), step(getppid(), &[])];
    Raw::new(steps, vec![b'x'; 128], vec![reloc(120, 1, wire::NUMBER, 7, 8), reloc(116, 2, wire::RESULT, 1, 4)])
}

/// Returns the arguments of a clone step, right but for the child's first step: a sequence of three steps has none with the
/// index 3.
pub fn clone() -> [(u8, u64); 6] {
    let clone = [(wire::BLOB, 0), (wire::NUMBER, 88), (wire::FD, 0), (wire::NUMBER, 3)];
    [clone[0], clone[1], clone[2], clone[3], (wire::NUMBER, 0), (wire::NUMBER, 0)]
}

fn cloning(at: usize, kind: u8, value: u64) -> impl Fn(&mut Raw) {
    move |raw| {
        let mut args = clone();
        args[at] = (kind, value);
        raw.steps[1] = step(wire::CLONE, &args);
    }
}

fn supervising(at: usize, kind: u8, value: u64) -> impl Fn(&mut Raw) {
    move |raw| {
        let [number, blob] = [(wire::NUMBER, 1), (wire::BLOB, 0)];
        let mut args = [number, number, number, number, blob, blob];
        args[at] = (kind, value);
        raw.steps[1] = step(wire::SUPERVISE, &args);
    }
}

fn expecting(errno: (u8, u64)) -> impl Fn(&mut Raw) {
    move |raw| raw.steps[1] = step(wire::EXPECT, &[(wire::NUMBER, 1), (wire::NUMBER, 1), errno])
}

/// Makes step 1 take a number from one of its two arguments, of which the first is a number and the second is not.
fn taken(takes: u8) -> impl Fn(&mut Raw) {
    move |raw| raw.steps[1] = taking(step(getppid(), &[(wire::NUMBER, 0), (wire::FD, 0)]), takes)
}

fn arg(kind: u8, value: u64) -> impl Fn(&mut Raw) {
    move |raw| raw.steps[2] = step(getppid(), &[(wire::NUMBER, 0), (kind, value)])
}

fn relocated(index: usize, reloc: Reloc) -> impl Fn(&mut Raw) {
    move |raw| raw.relocs[index] = reloc
}

type Spoil = Box<dyn Fn(&mut Raw)>;

fn spoilt() -> Vec<(&'static str, i32, Spoil)> {
    vec![
        ("another version", EPROTO, Box::new(|raw| raw.header.version += 1)),
        ("more steps than there are", EINVAL, Box::new(|raw| raw.header.steps += 1)),
        ("fewer steps than there are", EINVAL, Box::new(|raw| raw.header.steps -= 1)),
        ("no steps, but their bytes", EINVAL, Box::new(|raw| raw.header.steps = 0)),
        ("as many steps as can be written", EINVAL, Box::new(|raw| raw.header.steps = u32::MAX)),
        ("more relocations than there are", EINVAL, Box::new(|raw| raw.header.relocs += 1)),
        ("as many relocations as can be written", EINVAL, Box::new(|raw| raw.header.relocs = u32::MAX)),
        ("a longer blob than there is", EINVAL, Box::new(|raw| raw.header.blob += 8)),
        ("the longest blob", EINVAL, Box::new(|raw| raw.header.blob = u32::MAX - 7)),
        (
            "a blob that is no multiple of 8",
            EINVAL,
            Box::new(|raw| {
                raw.blob.push(0);
                raw.header.blob += 1;
            }),
        ),
        ("an output longer than the blob", EINVAL, Box::new(|raw| raw.header.out = raw.header.blob + 1)),
        ("the longest output", EINVAL, Box::new(|raw| raw.header.out = u32::MAX)),
        ("bytes after the end", EINVAL, Box::new(|raw| raw.relocs.push(Reloc::default()))),
        ("a missing end", EINVAL, Box::new(|raw| raw.relocs.truncate(1))),
        ("an unknown kind", EINVAL, Box::new(arg(6, 0))),
        ("the last kind", EINVAL, Box::new(arg(255, 0))),
        ("an offset past the blob", EINVAL, Box::new(arg(wire::BLOB, 129))),
        ("the largest offset", EINVAL, Box::new(arg(wire::BLOB, u64::MAX))),
        ("its own result", EINVAL, Box::new(arg(wire::RESULT, 2))),
        ("the result of a later step", EINVAL, Box::new(|raw| raw.steps[0] = step(getppid(), &[(wire::RESULT, 1)]))),
        ("the largest result", EINVAL, Box::new(arg(wire::RESULT, u64::MAX))),
        ("a descriptor that did not come", EINVAL, Box::new(arg(wire::FD, 1))),
        ("the largest descriptor", EINVAL, Box::new(arg(wire::FD, u64::MAX))),
        ("a number that begins too late", EINVAL, Box::new(arg(wire::LOAD, 125))),
        ("a number behind the blob", EINVAL, Box::new(arg(wire::LOAD, 128))),
        ("the largest number's offset", EINVAL, Box::new(arg(wire::LOAD, u64::MAX - 3))),
        ("a clone whose struct is no address", EINVAL, Box::new(cloning(0, wire::NUMBER, 0))),
        ("a clone whose struct is not aligned", EINVAL, Box::new(cloning(0, wire::BLOB, 4))),
        ("a clone whose struct is cut off", EINVAL, Box::new(cloning(0, wire::BLOB, 48))),
        ("a clone whose struct lies outside", EINVAL, Box::new(cloning(0, wire::BLOB, 136))),
        ("a clone whose block is no number", EINVAL, Box::new(cloning(4, wire::BLOB, 0))),
        ("a supervision whose answer is no address", EINVAL, Box::new(supervising(4, wire::NUMBER, 8))),
        ("a supervision whose answer is not aligned", EINVAL, Box::new(supervising(4, wire::BLOB, 4))),
        ("a supervision whose answer is cut off", EINVAL, Box::new(supervising(4, wire::BLOB, 8))),
        ("a supervision without room for others", EINVAL, Box::new(supervising(5, wire::BLOB, 0))),
        ("a clone whose channel did not come", EINVAL, Box::new(cloning(2, wire::FD, 1))),
        ("a clone that the child goes on before", EINVAL, Box::new(cloning(3, wire::NUMBER, 0))),
        ("a clone that the child goes on at", EINVAL, Box::new(cloning(3, wire::NUMBER, 1))),
        ("a clone that the child goes on after the end of", EINVAL, Box::new(cloning(3, wire::NUMBER, 4))),
        ("a clone that the child goes on somewhere in", EINVAL, Box::new(cloning(3, wire::BLOB, 2))),
        ("an expectation with error 0", EINVAL, Box::new(expecting((wire::NUMBER, 0)))),
        ("an expectation with an error that no kernel has", EINVAL, Box::new(expecting((wire::NUMBER, 4096)))),
        ("an expectation with a negative error", EINVAL, Box::new(expecting((wire::NUMBER, u64::MAX)))),
        ("an expectation whose error is an address", EINVAL, Box::new(expecting((wire::BLOB, 1)))),
        ("an expectation whose error is a result", EINVAL, Box::new(expecting((wire::RESULT, 0)))),
        (
            "an expectation about a later result",
            EINVAL,
            Box::new(|raw| {
                raw.steps[1] = step(wire::EXPECT, &[(wire::RESULT, 2), (wire::NUMBER, 1), (wire::NUMBER, 1)])
            }),
        ),
        ("a number that is taken from an argument that is none", EINVAL, Box::new(taken(2))),
        ("a number that is taken from a seventh argument", EINVAL, Box::new(taken(7))),
        ("a number that is taken from the last argument there can be", EINVAL, Box::new(taken(255))),
        ("an unknown policy", EINVAL, Box::new(|raw| raw.steps[2].policy = 3)),
        ("the last policy there can be", EINVAL, Box::new(|raw| raw.steps[2].policy = 255)),
        ("a relocation past the blob", EINVAL, Box::new(relocated(1, reloc(121, 2, wire::NUMBER, 7, 8)))),
        ("a short one past the blob", EINVAL, Box::new(relocated(1, reloc(125, 2, wire::NUMBER, 7, 4)))),
        ("the largest relocation", EINVAL, Box::new(relocated(1, reloc(u32::MAX, 2, wire::NUMBER, 7, 8)))),
        ("a relocation of no width", EINVAL, Box::new(relocated(0, reloc(0, 1, wire::NUMBER, 7, 0)))),
        ("a relocation of 16 bytes", EINVAL, Box::new(relocated(0, reloc(0, 1, wire::NUMBER, 7, 16)))),
        ("relocations out of order", EINVAL, Box::new(relocated(1, reloc(0, 0, wire::NUMBER, 7, 8)))),
        ("a relocation for no step", EINVAL, Box::new(relocated(1, reloc(0, 3, wire::NUMBER, 7, 8)))),
        ("a relocation of an unknown kind", EINVAL, Box::new(relocated(0, reloc(0, 1, 6, 0, 8)))),
        ("a relocation to outside", EINVAL, Box::new(relocated(0, reloc(0, 1, wire::BLOB, 129, 8)))),
        ("a relocation with a result to come", EINVAL, Box::new(relocated(0, reloc(0, 1, wire::RESULT, 1, 8)))),
        ("a relocation with no descriptor", EINVAL, Box::new(relocated(0, reloc(0, 1, wire::FD, 1, 4)))),
        ("a sequence in a memfd that is none", EINVAL, Box::new(|raw| raw.header.flags = wire::LARGE)),
    ]
}

/// Sends a sequence that the stub has to refuse, and asserts that the stub has run no step and kept no descriptor.
pub fn refused(stub: &Stub, what: &str, status: i32, bytes: &[u8], more: &[RawFd]) {
    let (read, write) = pipe().unwrap();
    let fds: Vec<RawFd> = [write.as_raw_fd()].into_iter().chain(more.iter().copied()).collect();
    stub.send(bytes, &fds);
    let answer = stub.receive();
    assert_eq!(answer.summary(), (status, 0, &[][..]), "{what}");
    assert_eq!(answer.header.version, wire::VERSION, "{what}");
    assert!(answer.out.is_empty() && answer.fds.is_empty(), "{what}");
    drop(write);
    stub.works(); // by then the stub has closed the descriptors of the message
    let mut written = Vec::new();
    File::from(read).read_to_end(&mut written).unwrap();
    assert_eq!(written, b"", "{what} was run");
}

#[test]
fn no_step_of_a_malformed_sequence_runs() {
    let stub = Stub::start();
    for (what, status, spoil) in spoilt() {
        let mut raw = good();
        spoil(&mut raw);
        refused(&stub, what, status, &raw.bytes(), &[]);
    }
    let (read, write) = pipe().unwrap();
    let parent = i64::from(std::process::id());
    assert_eq!(stub.ask(&good(), &[write.as_raw_fd()]).summary(), (0, 3, &[1, parent, parent][..]));
    drop((read, write));
}
