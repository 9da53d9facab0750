//! Classic BPF as the kernel checks and runs it for seccomp(2), as far as filters use it.

use crate::Data;

/// Checks a program as seccomp(2) does when it installs one.
pub fn check(program: &[u8]) {
    assert_eq!(program.len() % 8, 0);
    let count = program.len() / 8;
    let offsets: Vec<u32> = (0..16).map(|word| word * 4).collect();
    for (index, (code, yes, no, number)) in instructions(program).enumerate() {
        let left = count - index - 1;
        match code {
            0x20 => assert!(offsets.contains(&number), "{index}: a load from {number}"),
            0x54 => {}
            0x05 => assert!((number as usize) < left, "{index}: a jump over the end"),
            0x15 | 0x25 | 0x35 => assert!(yes.max(no) < left, "{index}: a jump over the end"),
            0x06 => {}
            _ => panic!("{index}: the code {code:#x}"),
        }
    }
    assert_eq!(instructions(program).last().map(|(code, ..)| code), Some(0x06));
}

/// Returns the action of a program for a call.
pub fn run(program: &[u8], data: &Data) -> u32 {
    let (mut loaded, mut skip) = (0u32, 0);
    for (code, yes, no, number) in instructions(program) {
        if skip > 0 {
            skip -= 1;
            continue;
        }
        let branch = |holds| if holds { yes } else { no };
        match code {
            0x20 => loaded = load(data, number),
            0x54 => loaded &= number,
            0x05 => skip = number as usize,
            0x15 => skip = branch(loaded == number),
            0x25 => skip = branch(loaded > number),
            0x35 => skip = branch(loaded >= number),
            0x06 => return number,
            _ => panic!("the code {code:#x}"),
        }
    }
    panic!("the program has no end")
}

fn instructions(program: &[u8]) -> impl Iterator<Item = (u16, usize, usize, u32)> + '_ {
    program.as_chunks().0.iter().map(|[a, b, yes, no, number @ ..]: &[u8; 8]| {
        (u16::from_ne_bytes([*a, *b]), (*yes).into(), (*no).into(), u32::from_ne_bytes(*number))
    })
}

fn load(data: &Data, offset: u32) -> u32 {
    match offset {
        0 => data.number,
        4 => data.arch,
        8 | 12 => 0x1234, // the instruction pointer
        _ => {
            let word = (offset as usize - 16) / 4;
            (data.args[word / 2] >> (word % 2 * 32)) as u32
        }
    }
}
