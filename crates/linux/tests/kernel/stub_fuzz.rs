//! Thousands of sequences with random mistakes, which are the same in each run. The stub replies to all of them.

use crate::random::Random;
use crate::raw::{reloc, step, Raw};
use crate::stub::{getppid, Stub};
use nearfar_linux::wire::{self, Header, Step};
use nix::sys::memfd::{memfd_create, MFdFlags};
use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;

const ROUNDS: u64 = 20_000;

impl Random {
    /// Returns an argument that is right in this step of a sequence with `fds` descriptors and a blob of `blob` bytes.
    fn arg(&mut self, step: u64, fds: u64, blob: u64) -> (u8, u64) {
        match self.below(6) as u8 {
            wire::BLOB => (wire::BLOB, self.below(blob + 1)),
            wire::RESULT if step > 0 => (wire::RESULT, self.below(step)),
            wire::FD if fds > 0 => (wire::FD, self.below(fds)),
            wire::LOAD if blob > 0 => (wire::LOAD, self.below(blob - 3)),
            wire::CHANNEL => (wire::CHANNEL, self.next()),
            _ => (wire::NUMBER, self.next()),
        }
    }

    /// Returns a sequence without a mistake. The calls are harmless, whatever their arguments.
    fn sequence(&mut self, fds: u64) -> Raw {
        let (count, blob) = (self.below(6), 8 * self.below(16));
        let nr = |random: &mut Self| if random.below(8) == 0 { wire::ATTACH } else { getppid() };
        let steps = (0..count).map(|index| {
            let args: [_; 6] = std::array::from_fn(|_| self.arg(index, fds, blob));
            Step { policy: self.below(2) as u8, ..step(nr(self), &args) }
        });
        let steps: Vec<Step> = steps.collect();
        let (mut relocs, mut before) = (Vec::new(), 0);
        for _ in 0..if count > 0 && blob > 0 { self.below(4) } else { 0 } {
            before += self.below(count - before);
            let ((kind, value), width) = (self.arg(before, fds, blob), 4 + 4 * self.below(2));
            relocs.push(reloc(self.below(blob - width + 1) as u32, before as u32, kind, value as u32, width as u8));
        }
        Raw::new(steps, vec![0; blob as usize], relocs)
    }

    fn spoil(&mut self, raw: &mut Raw) {
        let (steps, blob) = (raw.steps.len() as u64, raw.blob.len() as u64);
        let index = self.below(steps.max(1)) as usize;
        match (self.below(12), raw.steps.get_mut(index)) {
            (0, _) => raw.header.steps = self.number(steps) as u32,
            (1, _) => raw.header.relocs = self.number(raw.relocs.len() as u64) as u32,
            (2, _) => raw.header.blob = self.number(blob) as u32,
            (3, _) => raw.header.out = self.number(blob) as u32,
            (4, _) => raw.header.flags = self.number(2) as u32,
            (5, _) => raw.header.done = self.next() as u32,
            (6, Some(step)) => step.kinds[self.below(6) as usize] = self.number(6) as u8,
            (7, Some(step)) => step.args[self.below(6) as usize] = self.number(blob),
            (8, Some(step)) if self.below(2) == 0 => step.policy = self.next() as u8,
            (8, Some(step)) => step.takes = self.number(6) as u8,
            (9, Some(step)) => step.nr = if self.below(2) == 0 { wire::CLONE } else { wire::EXPECT },
            (10, _) if !raw.relocs.is_empty() => {
                let reloc = &mut raw.relocs[0];
                match self.below(5) {
                    0 => reloc.at = self.number(blob) as u32,
                    1 => reloc.step = self.number(steps) as u32,
                    2 => reloc.value = self.number(blob) as u32,
                    3 => reloc.kind = self.number(6) as u8,
                    _ => reloc.width = self.number(8) as u8,
                }
            }
            _ => raw.header.version ^= 1 << self.below(32),
        }
    }
}

/// Takes out the mistakes that would do harm: a step that closes a descriptor of the stub's own, or that clones a process.
fn tame(raw: &mut Raw) {
    for step in raw.steps.iter_mut().filter(|step| step.nr == wire::ATTACH) {
        step.kinds[1] = wire::NUMBER;
        step.args[1] = 0;
    }
    if raw.header.steps > raw.steps.len() as u32 && raw.header.steps < 1000 {
        // With a few steps more, the stub would read steps from the blob, which could be any system calls.
        raw.header.steps = u32::MAX;
    }
}

#[test]
fn the_stub_replies_to_every_sequence() {
    let stub = Stub::start();
    let mut random = Random(0x6e66);
    let null = File::open("/dev/null").unwrap();
    let (mut ran, mut refused) = (0, 0);
    for round in 0..ROUNDS {
        let count = random.below(4);
        let mut raw = random.sequence(count);
        for _ in 0..random.below(3) {
            random.spoil(&mut raw);
        }
        tame(&mut raw);
        let mut bytes = raw.bytes();
        // A clone needs a descriptor of the message. Without one, the stub has to refuse it.
        let clones = raw.steps.iter().any(|step| step.nr == wire::CLONE);
        let mut fds = vec![null.as_raw_fd(); if clones { 0 } else { count as usize }];
        let memfd = File::from(memfd_create("sequence", MFdFlags::MFD_CLOEXEC).unwrap());
        if raw.header.flags & wire::LARGE != 0 && !fds.is_empty() {
            memfd.write_all_at(&bytes, 0).unwrap();
            fds.push(memfd.as_raw_fd());
            bytes.truncate(size_of::<Header>());
        } else if random.below(16) == 0 {
            bytes.resize(1 + random.below(2 * bytes.len() as u64) as usize, random.next() as u8);
        }
        stub.send(&bytes, &fds);
        let (message, came) = stub.receive_bytes();
        assert!(message.len() >= size_of::<Header>(), "round {round}: the stub ended at {raw:?}");
        let answer = crate::raw::Answer::parse(&message, came);
        let (status, done, results) = answer.summary();
        assert_eq!(answer.header.version, wire::VERSION, "round {round}");
        if status == 0 {
            ran += 1;
            assert!(done as usize <= raw.steps.len(), "round {round}");
            let parent = i64::from(std::process::id());
            for (step, result) in raw.steps.iter().zip(results).take(done as usize) {
                assert!(step.nr != getppid() || *result == parent, "round {round}: {result} of {step:?}");
            }
        } else {
            refused += 1;
            assert!([-libc::EINVAL, -libc::EPROTO].contains(&status), "round {round}: status {status}");
            assert_eq!((done, message.len()), (0, size_of::<Header>()), "round {round}");
        }
        if round % 100 == 0 {
            stub.works();
        }
    }
    stub.works();
    println!("{ran} ran, {refused} were refused");
    assert!(ran > ROUNDS / 10 && refused > ROUNDS / 10, "{ran} ran, {refused} were refused");
}
