// What is linked into an addon or a stub without being a crate of Cargo.lock: the standard library with its own crates, and
// what the linker adds. The toolchain decides the versions. The texts are the files of this folder. scripts/slice.mjs builds std
// without its feature `backtrace`: otherwise addr2line, adler2, gimli, memchr, miniz_oxide and object would be linked too.

/** The parts. `licence` is what was chosen of the licenses that a part offers, and `text` a file of this folder. */
export const parts = [
	{
		name: "std",
		about: "Rust's standard library: core, alloc, std, std_detect, panic_unwind, unwind",
		licence: "MIT",
		url: "https://github.com/rust-lang/rust",
		text: "rust.txt",
	},
	{
		name: "Unicode",
		about: "the tables of characters in core",
		licence: "Unicode-3.0",
		url: "https://www.unicode.org/copyright.html",
		text: "unicode.txt",
	},
	{
		name: "memchr",
		about: "part of core, Copyright 2015 Andrew Gallant, bluss and Nicolas Koch",
		licence: "MIT",
		url: "https://github.com/rust-lang/rust",
		text: "rust.txt",
	},
	{
		name: "backtrace",
		about: "part of std",
		licence: "MIT",
		url: "https://github.com/rust-lang/backtrace-rs",
		text: "alex-crichton.txt",
	},
	{
		name: "crossbeam-channel",
		about: "part of std",
		licence: "MIT",
		url: "https://github.com/crossbeam-rs/crossbeam",
		text: "crossbeam.txt",
	},
	{
		name: "cfg-if",
		about: "a crate that std uses",
		licence: "MIT",
		url: "https://github.com/rust-lang/cfg-if",
		text: "alex-crichton.txt",
	},
	{
		name: "hashbrown",
		about: "a crate that std uses",
		licence: "MIT",
		url: "https://github.com/rust-lang/hashbrown",
		text: "hashbrown.txt",
	},
	{
		name: "libc",
		about: "a crate that std uses",
		licence: "MIT",
		url: "https://github.com/rust-lang/libc",
		text: "libc.txt",
	},
	{
		name: "rustc-demangle",
		about: "a crate that std uses",
		licence: "MIT",
		url: "https://github.com/rust-lang/rustc-demangle",
		text: "alex-crichton.txt",
	},
	{
		name: "compiler-builtins",
		about: "a crate that std uses",
		licence: "MIT AND Apache-2.0 WITH LLVM-exception",
		url: "https://github.com/rust-lang/compiler-builtins",
		text: "compiler-builtins.txt",
	},
	{
		name: "libm",
		about: "part of compiler-builtins",
		licence: "MIT",
		url: "https://github.com/rust-lang/libm",
		text: "libm.txt",
	},
	{
		name: "libunwind",
		about: "of LLVM, which the linker of zig adds",
		licence: "Apache-2.0 WITH LLVM-exception",
		url: "https://github.com/llvm/llvm-project",
		text: "libunwind.txt",
	},
	{
		name: "compiler_rt",
		about: "of zig, which the linker of zig adds",
		licence: "MIT",
		url: "https://ziglang.org",
		text: "zig.txt",
	},
];

/** The crates whose archive holds no text: the text is that of their repository. */
export const crateTexts = { napi: "napi-rs.txt", "napi-sys": "napi-rs.txt" };
