//! A program of classic BPF that is made from its end.

use std::collections::BTreeMap;

/// How many instructions there are from a place to the end of the program.
pub(super) type Place = usize;

/// How the loaded word is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Test {
    Equal = 0x15,
    Greater = 0x25,
    GreaterOrEqual = 0x35,
}

const LOAD: u16 = 0x20; // BPF_LD | BPF_W | BPF_ABS
const AND: u16 = 0x54; // BPF_ALU | BPF_AND | BPF_K
const JUMP: u16 = 0x05; // BPF_JMP | BPF_JA
const RETURN: u16 = 0x06; // BPF_RET | BPF_K

/// The longest way of a jump that compares: its two distances have 8 bits.
const FAR: usize = u8::MAX as usize;

/// The instructions so far, the last one of the program first.
#[derive(Debug, Default)]
pub(super) struct Program {
    instructions: Vec<[u8; 8]>,
    /// Where the program returns an action, for each action that was returned last.
    answers: BTreeMap<u32, Place>,
}

impl Program {
    /// Returns a place that returns an action.
    pub(super) fn answer(&mut self, action: u32) -> Place {
        match self.answers.get(&action) {
            Some(place) if self.distance(*place) < FAR / 2 => *place,
            // Another return is as short as a jump to a far one.
            _ => {
                let place = self.add(RETURN, [0, 0], action);
                self.answers.insert(action, place);
                place
            }
        }
    }

    /// Adds a comparison of the loaded word with a number.
    pub(super) fn jump(&mut self, test: Test, number: u32, yes: Place, no: Place) -> Place {
        let yes = self.within(FAR - 1, yes); // `no` may add one instruction in between
        let no = self.within(FAR, no);
        let distances = [yes, no].map(|place| self.distance(place) as u8);
        self.add(test as u16, distances, number)
    }

    /// Adds a mask for the loaded word, unless all bits count.
    pub(super) fn mask(&mut self, mask: u32, next: Place) -> Place {
        if mask == u32::MAX {
            return next;
        }
        self.add_before(next, AND, mask)
    }

    /// Adds a load of the word at an offset of `struct seccomp_data`.
    pub(super) fn load(&mut self, offset: u32, next: Place) -> Place {
        self.add_before(next, LOAD, offset)
    }

    /// Returns the bytes of the program, in the order of the instructions.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.instructions.into_iter().rev().flatten().collect()
    }

    /// Adds an instruction that goes on at `next`.
    fn add_before(&mut self, next: Place, code: u16, number: u32) -> Place {
        self.within(0, next);
        self.add(code, [0, 0], number)
    }

    /// Returns the place, or that of a jump to it, at most `most` instructions after the next one that is added.
    fn within(&mut self, most: usize, place: Place) -> Place {
        match self.distance(place) {
            distance if distance <= most => place,
            distance => self.add(JUMP, [0, 0], distance as u32),
        }
    }

    /// Returns how many instructions the next one that is added skips if it goes to `place`.
    fn distance(&self, place: Place) -> usize {
        self.instructions.len() - place
    }

    /// Adds a `struct sock_filter`.
    fn add(&mut self, code: u16, [yes, no]: [u8; 2], number: u32) -> Place {
        let ([a, b], [c, d, e, f]) = (code.to_ne_bytes(), number.to_ne_bytes());
        self.instructions.push([a, b, yes, no, c, d, e, f]);
        self.instructions.len()
    }
}
