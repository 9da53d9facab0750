//! System calls by number, of which nothing else is known.

use crate::call::{Arg, Call, Pointer};

/// A word of a call by number whose value the process that makes the call alone knows.
#[derive(Clone, Copy, Debug)]
pub struct Word {
    /// The block that holds the word at `offset`. `None`: the word is the argument with this index.
    pub block: Option<usize>,
    /// Offset in bytes, or index.
    pub offset: u32,
    /// The value.
    pub value: Value,
}

/// The value of a [`Word`].
#[derive(Clone, Copy, Debug)]
pub enum Value {
    /// The address of the block with this index, in 8 bytes.
    Address(usize),
    /// A descriptor, in 4 bytes. In a batch this may be a slot.
    Descriptor(i32),
}

/// The calls that functions of nearfar make without a binding of their own. Their errors have these names.
const NAMED: [(&str, i64); 4] = [
    ("listns", 470), // every architecture, Linux 6.19; libc has no name for the number yet
    ("name_to_handle_at", libc::SYS_name_to_handle_at),
    ("open_by_handle_at", libc::SYS_open_by_handle_at),
    ("setdomainname", libc::SYS_setdomainname),
];

/// Returns the name of a call and its number. A name that is not in the table has the number -1, which the kernel refuses.
pub fn named(name: &str) -> (&'static str, i64) {
    NAMED.into_iter().find(|(known, _)| *known == name).unwrap_or(("syscall", -1))
}

/// `syscall(nr, …)`. The blocks are bytes that the kernel reads and writes.
pub fn syscall((name, nr): (&'static str, i64), args: &[u64], blocks: &[&[u8]], words: &[Word]) -> Call<()> {
    let mut call = args.iter().fold(Call::new(name, nr), |call, number| call.number(*number));
    let places: Vec<u32> = blocks.iter().map(|bytes| call.request.add_inout(bytes)).collect();
    for Word { block, offset, value } in words {
        let (to, width) = match value {
            Value::Address(block) => (places.get(*block).map(|at| Arg::Out(*at)), 8),
            Value::Descriptor(fd) => (Some(Arg::descriptor(*fd)), 4),
        };
        let Some(to) = to else { continue };
        match block {
            None => call.request.args.iter_mut().skip(*offset as usize).take(1).for_each(|arg| *arg = to),
            Some(block) => {
                let at = places.get(*block).map(|place| Arg::Out(place + offset));
                call.request.pointers.extend(at.map(|at| Pointer { at, to, width }));
            }
        }
    }
    call
}
