// Finds or fetches what builds the slices: a Rust compiler with the sources of its standard library, and zig, which links against
// the C library of each platform. Everything lies in target/toolchain and stays there. `node scripts/toolchain.mjs` fetches what is
// missing, and prints the versions.
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { homedir } from "node:os";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { root, run, stop } from "./run.mjs";
import { execute, makeFolder, unpack } from "./vm/debian.mjs";

const wheels = join(root, "scripts/toolchain.txt");
const hosts = { x64: "x86_64", arm64: "aarch64" };
const host = `${hosts[process.arch]}-unknown-linux-gnu`;
/** The stub is built for these, with the `core` that comes with the compiler. */
const stubTriples = ["x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu"];

/**
 * Returns the environment to build slices with, by cargo-zigbuild. It is the same for all platforms.
 *
 * @param {string} tree - The folder with the crates. The toolchain lies in its target/toolchain.
 * @param {string} target - The target folder of cargo.
 * @returns {Record<string, string>}
 */
export function toolchain(tree, target) {
	const folder = join(tree, "target/toolchain");
	const zig = fetchZig(folder);
	const { rustc, sources } = rustupCompiler() ?? fetchCompiler(folder);
	const cargoHome = process.env.CARGO_HOME ?? join(homedir(), ".cargo");
	// Of several prefixes that fit a path, rustc takes the last one.
	const prefixes = [
		[fs.realpathSync(tree), "/nearfar"],
		[tree.replace(/\/$/, ""), "/nearfar"],
		// Cargo names sources below the folder where it runs by a relative path.
		...sources.flatMap((path) => [path, relative(fs.realpathSync(tree), path)].map((from) => [from, "/rust"])),
		[target, "/target"],
		[cargoHome, "/cargo"],
	];
	const flags = ["-C", "target-feature=-crt-static"];
	for (const [from, to] of prefixes) flags.push(`--remap-path-prefix=${from}=${to}`);
	return {
		PATH: `${join(zig, "bin")}:${process.env.PATH}`,
		RUSTC: rustc,
		// The option -Z build-std is not stable yet.
		RUSTC_BOOTSTRAP: "1",
		CARGO_TARGET_DIR: target,
		CARGO_ENCODED_RUSTFLAGS: flags.join("\x1f"),
		CARGO_ZIGBUILD_ZIG_PATH: join(zig, "ziglang/zig"),
		CARGO_ZIGBUILD_CACHE_DIR: join(folder, "cache/cargo-zigbuild"),
		ZIG_GLOBAL_CACHE_DIR: join(folder, "cache/zig"),
		ZIG_LOCAL_CACHE_DIR: join(folder, "cache/zig"),
		// rustc begins the arguments with `-flavor gnu`, which is for LLD under another name.
		NEARFAR_STUB_LINKER: wrap(join(folder, "bin/ld.lld"), `shift 2\nexec '${join(zig, "ziglang/zig")}' ld.lld "$@"`),
	};
}

/** Returns the compiler in use, if it has the sources of the standard library and `core` for both architectures. */
function rustupCompiler() {
	const ask = (...args) => spawnSync("rustc", args, { encoding: "utf8" }).stdout?.trim();
	const sysroot = ask("--print", "sysroot");
	if (!sysroot) return undefined;
	const sources = join(sysroot, "lib/rustlib/src/rust");
	const needed = stubTriples.map((triple) => join(sysroot, "lib/rustlib", triple, "lib"));
	if (![join(sources, "library/Cargo.lock"), ...needed].every((path) => fs.existsSync(path))) return undefined;
	return { rustc: join(sysroot, "bin/rustc"), sources: [sources] };
}

function fetchCompiler(folder) {
	if (!hosts[process.arch]) stop(`slices are built on x64 and arm64, and this is ${process.arch}`);
	try {
		return debianCompiler(folder);
	} catch (error) {
		const own = `rustup component add rust-src && rustup target add ${stubTriples.join(" ")}`;
		return stop(`Debian's Rust compiler cannot be fetched (${error.message}). With rustup: ${own}`);
	}
}

/** Unpacks Debian's compiler, which is the same version on each machine. */
function debianCompiler(folder) {
	const release = "bookworm-security";
	const compiler = unpack("rust-1.96", {
		parent: folder,
		release,
		arch: process.arch,
		packages: ["rustc-web", "rust-web-src"],
		keep: (name) =>
			/^(rust|libstd-rust|libllvm|libz3|libxml2|libedit|libbsd|libmd|libicu|liblzma|libffi|libzstd|libtinfo)/.test(
				name,
			),
	});
	for (const arch of ["x64", "arm64"].filter((name) => name !== process.arch)) {
		const foreign = unpack(`rust-1.96-${arch}`, {
			parent: folder,
			release,
			arch,
			packages: ["libstd-rust-web-dev"],
			keep: (name) => name === "libstd-rust-web-dev",
		});
		const triple = `${hosts[arch]}-unknown-linux-gnu`;
		const rustlib = join(compiler, "usr/lib/rustlib");
		// The link is relative, so that the tree may be moved.
		const libraries = relative(rustlib, join(foreign, "usr/lib/rustlib", triple));
		if (!fs.existsSync(join(rustlib, triple))) fs.symlinkSync(libraries, join(rustlib, triple));
	}
	const program = join(compiler, "usr/bin/rustc");
	const libraries = join(compiler, "usr/lib", host.replace("unknown-", ""));
	const rustc = wrap(join(folder, "bin/rustc"), `LD_LIBRARY_PATH='${libraries}' exec '${program}' "$@"`);
	const version = run(rustc, ["--version"]).trim();
	if (!version.startsWith("rustc 1.96.")) stop(`Debian has ${version}: put that version into scripts/toolchain.mjs`);
	const link = join(compiler, "usr/lib/rustlib/src/rust");
	return { rustc, sources: [link, fs.realpathSync(link)] };
}

/** Fetches zig and cargo-zigbuild from PyPI, and returns their folder. */
function fetchZig(folder) {
	try {
		return makeFolder(join(folder, "zig-0.15.2"), (partial) => {
			const options = ["-q", "--disable-pip-version-check", "--root-user-action", "ignore", "--no-deps"];
			const args = ["-m", "pip", "install", ...options, "--require-hashes", "--target", partial, "-r", wheels];
			execute("python3", args);
		});
	} catch (error) {
		return stop(`zig is missing and cannot be fetched from PyPI: ${error.message}`);
	}
}

/** Writes a program of the shell, unless the file has the same text. Returns its path. */
function wrap(path, text) {
	const script = `#!/bin/sh\n${text}\n`;
	if (fs.existsSync(path) && fs.readFileSync(path, "utf8") === script) return path;
	fs.mkdirSync(dirname(path), { recursive: true });
	fs.writeFileSync(`${path}.${process.pid}`, script, { mode: 0o755 });
	fs.renameSync(`${path}.${process.pid}`, path);
	return path;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
	const env = toolchain(root, join(root, "target/slices"));
	console.log(run(env.RUSTC, ["--version"]).trim());
	console.log(`zig ${run(env.CARGO_ZIGBUILD_ZIG_PATH, ["version"]).trim()}`);
}
