// `node scripts/aarch64-check.mjs` checks on an x64 machine what can be checked of arm64. The crates are type-checked for
// aarch64. The stub is built for aarch64, and qemu-user runs it against the tests of its protocol. CI does not run this
// script: if rustup has no such target, the script fetches Debian's compiler (150 MB, into target/aarch64).
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root, run, stop } from "./run.mjs";

const triple = "aarch64-unknown-linux-gnu";
const folder = join(root, "target/aarch64");
const unpacked = join(folder, "root");
const protocol = ["stub_descriptors", "stub_fuzz", "stub_messages", "stub_refuses", "stub_runs"];
/** Tests that qemu-user cannot run: it emulates clone(2) only as fork, and does not truncate control messages. */
const beyond = ["stub_clones", "lost_descriptors"];

if (process.arch !== "x64") stop("this is for x64; on arm64, `cargo test` is the real thing");
const { rustc, qemu } = ours() ?? debians();
const env = { RUSTC: rustc, CARGO_TARGET_DIR: join(folder, "target") };
run("cargo", ["check", "--workspace", "--lib", "--bins", "--target", triple], { env });
run("cargo", ["check", "--package", "nearfar-linux", "--test", "kernel", "--target", triple], { env });
console.log(`checked for ${triple} with ${run(rustc, ["--version"]).trim()}`);

const stub = join(env.CARGO_TARGET_DIR, triple, "nearfar-stub/aarch64/nearfar-stub");
const only = [...protocol, ...beyond.flatMap((name) => ["--skip", name])];
const tests = spawnSync("cargo", ["test", "--package", "nearfar-linux", "--test", "kernel", "--", ...only], {
	cwd: root,
	stdio: "inherit",
	env: { ...process.env, NEARFAR_TEST_STUB: `${qemu} ${stub}` },
});
console.log(`not run, for qemu-user cannot: ${beyond.join(", ")}`);
process.exit(tests.status ?? 1);

/** Returns the toolchain in use, if it has the target and an emulator is installed. */
function ours() {
	const libraries = run("rustc", ["--print", "target-libdir", "--target", triple]).trim();
	const emulator = spawnSync("which", ["qemu-aarch64"], { encoding: "utf8" }).stdout.trim();
	return existsSync(libraries) && emulator ? { rustc: "rustc", qemu: emulator } : undefined;
}

/** Unpacks Debian's compiler, standard library and emulator, with wrappers so that they find each other. */
function debians() {
	const lists = join(folder, "lists");
	const packages = join(folder, "packages");
	const done = join(folder, "done");
	if (!existsSync(done)) {
		for (const path of [join(lists, "partial"), packages, unpacked]) mkdirSync(path, { recursive: true });
		const options = ["-o", "APT::Architectures::=amd64", "-o", "APT::Architectures::=arm64"];
		options.push("-o", `Dir::State::lists=${lists}`, "-o", `Dir::Cache=${folder}`, "-o", "APT::Sandbox::User=root");
		run("apt-get", [...options, "update"]);
		const needs = (name) =>
			[...run("apt-cache", [...options, "depends", name]).matchAll(/Depends: (lib\S+)/g)].map((found) => found[1]);
		const wanted = /^lib(std-rust-web|llvm|z3|xml2|edit|capstone|uring|numa)/;
		const names = new Set(["rustc-web", "qemu-user"]);
		for (const name of names) for (const other of needs(name)) if (wanted.test(other)) names.add(other);
		run("apt-get", [...options, "download", ...names, "libstd-rust-web-dev:arm64"], { cwd: packages });
		for (const file of readdirSync(packages)) run("dpkg", ["-x", join(packages, file), unpacked]);
		writeFileSync(done, "");
	}
	// Debian's compiler has no linker for aarch64. The LLD of the toolchain links for every architecture.
	const host = "x86_64-unknown-linux-gnu";
	const linker = join(run("rustc", ["--print", "sysroot"]).trim(), "lib/rustlib", host, "bin/rust-lld");
	if (!existsSync(linker)) stop(`there is no ${linker}: install the toolchain with rustup`);
	const bin = join(unpacked, "usr/lib/rustlib", host, "bin");
	mkdirSync(bin, { recursive: true });
	wrap(join(bin, "rust-lld"), linker);
	const libraries = `LD_LIBRARY_PATH=${join(unpacked, "usr/lib/x86_64-linux-gnu")} `;
	return {
		rustc: wrap(join(folder, "rustc"), join(unpacked, "usr/bin/rustc"), libraries),
		qemu: wrap(join(folder, "qemu-aarch64"), join(unpacked, "usr/bin/qemu-aarch64"), libraries),
	};
}

function wrap(path, program, variables = "") {
	writeFileSync(path, `#!/bin/sh\n${variables}exec ${program} "$@"\n`);
	chmodSync(path, 0o755);
	return path;
}
