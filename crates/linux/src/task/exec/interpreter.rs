//! The interpreter that an executable file names: that of a script, or the dynamic loader of an ELF file.

/// How many bytes of a file are read to find its interpreter. The kernel reads 256 of a script. In an ELF file the name
/// follows the table of program headers.
pub(super) const HEAD: u32 = 1024;

/// The longest name that the kernel reads in the first line of a script.
const LONGEST_LINE: usize = 256;

const PT_INTERP: u64 = 3;

/// True when a file that begins with these bytes is a script with an interpreter.
pub(super) fn is_script(head: &[u8]) -> bool {
    head.starts_with(b"#!")
}

/// Returns the path of the interpreter, for a message. `None`: the file has none, or the bytes do not tell.
pub(super) fn interpreter(head: &[u8]) -> Option<String> {
    let path = of_script(head).or_else(|| of_elf(head)).filter(|path| !path.is_empty())?;
    // The bytes are those of any file, and go into a message: a control character could change a terminal.
    Some(String::from_utf8_lossy(path).escape_debug().to_string())
}

fn of_script(head: &[u8]) -> Option<&[u8]> {
    let line = head.strip_prefix(b"#!")?;
    let line = line.get(..LONGEST_LINE).unwrap_or(line);
    line.split(|byte| matches!(byte, b'\n' | 0))
        .next()?
        .split(|byte| matches!(byte, b' ' | b'\t'))
        .find(|word| !word.is_empty())
}

fn of_elf(head: &[u8]) -> Option<&[u8]> {
    let is_64 = match head.get(..6)? {
        [0x7f, b'E', b'L', b'F', 1, 1] => false,
        [0x7f, b'E', b'L', b'F', 2, 1] => true,
        _ => return None,
    };
    // The places in Elf64_Ehdr and Elf64_Phdr, and in their 32-bit forms.
    let (word, table, size, count, offset, length) =
        if is_64 { (8, 32, 54, 56, 8, 32) } else { (4, 28, 42, 44, 4, 16) };
    let number = |at: usize, width: usize| {
        let bytes = head.get(at..at.checked_add(width)?)?;
        usize::try_from(bytes.iter().rev().fold(0, |number: u64, byte| number << 8 | u64::from(*byte))).ok()
    };
    let (table, size) = (number(table, word)?, number(size, 2)?);
    let header = (0..number(count, 2)?)
        .map_while(|index| table.checked_add(size.checked_mul(index)?))
        .take_while(|header| *header < head.len())
        .find(|header| number(*header, 4) == Some(PT_INTERP as usize))?;
    let start = number(header.checked_add(offset)?, word)?;
    let path = head.get(start..start.checked_add(number(header.checked_add(length)?, word)?)?)?;
    path.split(|byte| *byte == 0).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_word_after_the_mark_is_the_interpreter_of_a_script() {
        let of = |text: &str| interpreter(text.as_bytes());
        assert_eq!(of("#!/bin/sh\n"), Some("/bin/sh".into()));
        assert_eq!(of("#! \t/bin/sh -e\nx"), Some("/bin/sh".into()));
        assert_eq!(of("#!/bin/sh\r\n"), Some("/bin/sh\\r".into()));
        assert_eq!(of(&format!("#!/{}", "x".repeat(1000))).map(|path| path.len()), Some(LONGEST_LINE));
        for text in ["", "#", "#!", "#!\n/bin/sh", "#!  ", "echo"] {
            assert_eq!(of(text), None, "{text:?}");
        }
    }

    #[test]
    fn the_loader_of_a_dynamic_program_is_found() {
        let head = std::fs::read("/proc/self/exe").unwrap();
        let head = head.get(..HEAD as usize).unwrap();
        let loader = interpreter(head);
        assert!(loader.is_none_or(|loader| std::path::Path::new(&loader).exists()));
    }

    #[test]
    fn no_bytes_of_a_broken_file_end_the_search_with_a_panic() {
        let mut head = std::fs::read("/proc/self/exe").unwrap();
        head.truncate(HEAD as usize);
        for at in 0..200 {
            for byte in [0, 1, 0x7f, 0xff] {
                let mut broken = head.clone();
                broken[at] = byte;
                let _ = interpreter(&broken);
                let _ = interpreter(&broken[..at]);
            }
        }
    }
}
