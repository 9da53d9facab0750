//! System calls by number.

use crate::throw::OrThrow;
use linux::call::Call;
use linux::calls::by_number::{self, Value, Word};
use napi::bindgen_prelude::{BigInt, Buffer, Either, Either3, Result, Uint8Array};
use napi_derive::napi;

/// The result of `syscall`.
#[napi(object)]
pub struct Syscalled {
    /// The return value.
    pub result: BigInt,
    /// The byte arguments, one after the other, each at a multiple of 8.
    pub out: Buffer,
}

/// One argument of a call by number: a number, or bytes that are passed by address.
pub type RawArg = Either3<i64, BigInt, Uint8Array>;

/// The call with these further arguments.
pub fn with_args(call: Call<()>, args: &[RawArg]) -> Call<()> {
    args.iter().fold(call, |call, arg| match arg {
        Either3::A(number) => call.number(*number),
        Either3::B(number) => call.number(number.get_i128().0),
        Either3::C(bytes) => call.inout(bytes),
    })
}

impl Syscalled {
    /// Makes the call in the current target. A batch collects the call, and the result is 0.
    pub fn of<T>(call: Call<T>) -> Result<Self> {
        let (result, out) = call.run_raw().or_throw()?;
        Ok(Syscalled { result: result.into(), out: out.into() })
    }
}

/// Any system call in the current target, by its number, or by a name of `by_number::NAMED`. Each four of `words` are the block
/// that holds a word, or -1 for an argument; the offset of the word, or the index of the argument; 1 for the address of a block
/// and 0 for a descriptor; the block or the descriptor.
#[napi]
pub fn syscall(
    nr: Either<i64, String>,
    args: Vec<Either<i64, BigInt>>,
    blocks: Vec<Uint8Array>,
    words: Vec<i32>,
    descriptor: bool,
) -> Result<Syscalled> {
    let args: Vec<u64> = args.iter().map(number).collect();
    let blocks: Vec<&[u8]> = blocks.iter().map(|block| block.as_ref()).collect();
    let words: Vec<Word> = words.as_chunks().0.iter().map(word).collect();
    let which = match &nr {
        Either::A(nr) => ("syscall", *nr),
        Either::B(name) => by_number::named(name),
    };
    let call = by_number::syscall(which, &args, &blocks, &words);
    if descriptor {
        Syscalled::of(call.descriptor())
    } else {
        Syscalled::of(call)
    }
}

fn number(arg: &Either<i64, BigInt>) -> u64 {
    match arg {
        Either::A(number) => *number as u64,
        Either::B(number) => number.get_i128().0 as u64,
    }
}

fn word([block, offset, kind, value]: &[i32; 4]) -> Word {
    let value = if *kind == 1 { Value::Address(*value as usize) } else { Value::Descriptor(*value) };
    Word { block: usize::try_from(*block).ok(), offset: *offset as u32, value }
}
