//! The flags agree with the C headers, with each other, and with the generated TypeScript.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use nearfar_linux::flags::{families, Family, Flag, Kind, NumberedCall, CALLS, LANDLOCK_ABIS, NONE};

/// Flags that contain another one on purpose, and which.
const COMPOSITES: &[(&str, &str)] = &[("O_SYNC", "O_DSYNC"), ("O_TMPFILE", "O_DIRECTORY")];

/// How many constants at least must be compared, so that the test cannot pass empty. Linux 6.1 has 261.
const FLOOR: usize = 250;

#[test]
fn values_are_those_of_the_c_headers() {
    let scratch = Scratch::new("flags");
    let (mut compared, mut skipped, mut wrong) = (0, 0, Vec::new());
    for Family { header, flags, .. } in families() {
        let answers = scratch.evaluate(header, &scratch.known(header, flags));
        for flag in *flags {
            let (name, here) = (flag.c, flag.value());
            match answers.get(name) {
                None => {
                    println!("skipped {name}: the installed <{header}> does not have it yet");
                    skipped += 1;
                }
                Some(&c) if c != here => wrong.push(format!("{name} is {c:#x} in <{header}>, {here:#x} here")),
                Some(_) => compared += 1,
            }
        }
    }
    println!("compared {compared}, skipped {skipped}");
    assert!(wrong.is_empty(), "wrong values:\n{}", wrong.join("\n"));
    assert!(
        compared >= FLOOR,
        "compared only {compared} constants, expected at least {FLOOR}; are the kernel headers installed?"
    );
}

#[test]
fn flags_of_a_family_share_no_bits() {
    let both: [fn(&Flag) -> u64; 2] = [|flag| flag.x86_64, |flag| flag.aarch64];
    let mut shared = HashSet::new();
    for family in families().filter(|family| family.kind == Kind::Bits) {
        for value in both {
            for (index, first) in family.flags.iter().enumerate() {
                for second in &family.flags[index + 1..] {
                    if value(first) & value(second) != 0 {
                        shared.insert(sorted(first.c, second.c));
                    }
                }
            }
        }
    }
    let expected = COMPOSITES.iter().map(|&(whole, part)| sorted(whole, part)).collect();
    assert_eq!(shared, expected);
}

#[test]
fn names_and_numbers_are_unique() {
    let mut exports = HashSet::new();
    for family in families() {
        for export in [family.table, family.union] {
            assert!(exports.insert(export), "{export} is exported twice");
        }
        let mut seen = HashSet::new();
        for flag in family.flags {
            assert!(seen.insert(family.js_name(flag)), "{} has {} twice", family.table, family.js_name(flag));
        }
        let numbers: HashSet<_> = family.flags.iter().map(Flag::value).collect();
        assert!(numbers.len() == family.flags.len(), "{} has a number twice", family.table);
    }
}

#[test]
fn the_generated_typescript_is_fresh() {
    for (option, file) in [
        ("--print", "packages/core/src/addon/flags.generated.ts"),
        ("--print-calls", "packages/seccomp/src/calls.generated.ts"),
        ("--print-abis", "packages/landlock/src/abis.generated.ts"),
    ] {
        let output =
            Command::new(env!("CARGO_BIN_EXE_generate-flags")).arg(option).output().expect("the generator starts");
        assert!(output.status.success(), "the generator failed: {}", String::from_utf8_lossy(&output.stderr));
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(file);
        let committed = std::fs::read(&path).expect("the committed file is readable");
        assert!(committed == output.stdout, "{file} is stale: run `cargo run -p nearfar-linux --bin generate-flags`");
    }
}

#[test]
fn each_right_of_landlock_came_with_one_version_of_the_abi() {
    let bits_of = |table: &str| {
        let family = families().find(|family| family.table == table).expect("the table is there");
        family.flags.iter().map(Flag::value).collect::<Vec<_>>()
    };
    type Added = fn(&nearfar_linux::flags::LandlockAbi) -> u64;
    let added: [(&str, Added); 4] = [
        ("landlockFsRights", |version| version.fs.bits()),
        ("landlockNetRights", |version| version.net.bits()),
        ("landlockScopes", |version| version.scope.bits()),
        ("landlockRestrictFlags", |version| version.restrict.bits().into()),
    ];
    for (table, added) in added {
        let named = bits_of(table).into_iter().fold(0, |all, bit| all | bit);
        assert_eq!(LANDLOCK_ABIS.iter().fold(0, |all, version| all | added(version)), named, "{table}");
        for bit in bits_of(table) {
            assert_eq!(LANDLOCK_ABIS.iter().filter(|version| added(version) & bit != 0).count(), 1, "{table} {bit:#x}");
        }
    }
    assert!(LANDLOCK_ABIS.iter().map(|version| version.abi).eq(1..=LANDLOCK_ABIS.len() as u32));
}

/// What the generic header wants to know before it names the calls of aarch64.
const OF_AARCH64: &[&str] = &[
    "-D__BITS_PER_LONG=64",
    "-D__ARCH_WANT_MEMFD_SECRET",
    "-D__ARCH_WANT_NEW_STAT",
    "-D__ARCH_WANT_RENAMEAT",
    "-D__ARCH_WANT_SET_GET_RLIMIT",
    "-D__ARCH_WANT_SYS_CLONE3",
];

#[test]
fn the_numbers_of_calls_are_those_of_the_c_headers() {
    let scratch = Scratch::new("calls");
    let compare = |header: &str, options: &[&str], number: fn(&NumberedCall) -> i32| {
        let numbers = scratch.call_numbers(header, options);
        assert!(numbers.len() > 300, "only {} calls in <{header}>", numbers.len());
        for (name, theirs) in numbers {
            let ours = CALLS.iter().find(|(ours, ..)| *ours == name).map(number);
            assert_eq!(ours, Some(theirs), "{name} in <{header}>");
        }
    };
    compare("asm-generic/unistd.h", OF_AARCH64, |call| call.2);
    if cfg!(target_arch = "x86_64") {
        compare("asm/unistd_64.h", &[], |call| call.1);
    }
}

#[test]
fn calls_are_sorted_and_have_numbers_of_their_own() {
    assert!(CALLS.is_sorted_by(|(one, ..), (other, ..)| one < other));
    let numbers: [fn(&NumberedCall) -> i32; 2] = [|call| call.1, |call| call.2];
    for number in numbers {
        let all: Vec<i32> = CALLS.iter().map(number).filter(|number| *number != NONE).collect();
        assert!(all.iter().all(|number| (0..512).contains(number))); // from 512 on they are those of x32
        assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len());
    }
}

fn sorted<'a>(first: &'a str, second: &'a str) -> (&'a str, &'a str) {
    if first < second {
        (first, second)
    } else {
        (second, first)
    }
}

fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|letter: char| letter != '_' && !letter.is_ascii_alphanumeric())
}

/// A directory for C programs, removed at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("nearfar-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("the temporary directory is writable");
        Self(path)
    }

    /// The flags that a header has, be they macros or enumerators: the compiler complains about the others.
    fn known<'a>(&self, header: &str, flags: &'a [Flag]) -> Vec<&'a Flag> {
        let mut known: Vec<&Flag> = flags.iter().collect();
        loop {
            let uses = known.iter().map(|flag| format!("int use_{0}(void) {{ return (int)({0}); }}\n", flag.c));
            let Err(complaints) = self.compile(header, &uses.collect::<String>(), &["-fsyntax-only"]) else {
                return known;
            };
            let unknown: HashSet<&str> =
                complaints.lines().filter(|line| line.contains("undeclared")).flat_map(words).collect();
            let before = known.len();
            known.retain(|flag| !unknown.contains(flag.c));
            assert!(known.len() < before, "<{header}> does not compile:\n{complaints}");
        }
    }

    /// What the C compiler says the constants are.
    fn evaluate(&self, header: &str, flags: &[&Flag]) -> BTreeMap<String, u64> {
        let lines =
            flags.iter().map(|flag| format!("  printf(\"%s %llu\\n\", \"{0}\", (unsigned long long)({0}));\n", flag.c));
        let body = format!(
            "int printf(const char *, ...);\nint main(void) {{\n{}  return 0;\n}}\n",
            lines.collect::<String>()
        );
        let program = self.0.join("program");
        let output = program.to_str().expect("the temporary directory has a UTF-8 name");
        self.compile(header, &body, &["-o", output])
            .unwrap_or_else(|complaints| panic!("<{header}> does not compile:\n{complaints}"));
        let output = Command::new(&program).output().expect("the compiled program starts");
        let text = String::from_utf8(output.stdout).expect("the compiled program prints ASCII");
        text.lines()
            .map(|line| line.split_once(' ').expect("a line is a name and a number"))
            .map(|(name, value)| (name.to_owned(), value.parse().expect("a value is a number")))
            .collect()
    }

    /// Returns the system calls of a header with their numbers.
    fn call_numbers(&self, header: &str, options: &[&str]) -> Vec<(String, i32)> {
        let options: Vec<&str> = ["-E", "-dM"].iter().chain(options).copied().collect();
        let text = self.compile(header, "", &options).unwrap_or_else(|complaints| panic!("<{header}>:\n{complaints}"));
        let defined: BTreeMap<&str, &str> =
            text.lines().filter_map(|line| line.strip_prefix("#define ")?.split_once(' ')).collect();
        let others = ["syscalls", "arch_specific_syscall"];
        let mut calls = Vec::new();
        for (definition, mut value) in &defined {
            while let Some(other) = defined.get(value) {
                value = other;
            }
            let name = definition.strip_prefix("__NR_").filter(|name| !others.contains(name));
            calls.extend(name.map(str::to_owned).zip(value.parse().ok()));
        }
        calls
    }

    /// Compiles `body` with one header of its own, since some headers exclude each other. Returns what the compiler prints.
    fn compile(&self, header: &str, body: &str, options: &[&str]) -> Result<String, String> {
        let source = self.0.join("program.c");
        // linux/mount.h uses O_CLOEXEC without including it; the C library's headers exclude the kernel's.
        let first = if header.starts_with("linux/") { "#include <linux/fcntl.h>\n" } else { "" };
        let text = format!("{first}#include <{header}>\n{body}");
        std::fs::write(&source, text).expect("the temporary directory is writable");
        let output = Command::new("cc").env("LC_ALL", "C").args(options).arg(&source).output();
        let output = output.unwrap_or_else(|error| panic!("this test needs a C compiler named `cc`: {error}"));
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if output.status.success() {
            Ok(text(&output.stdout))
        } else {
            Err(text(&output.stderr))
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
