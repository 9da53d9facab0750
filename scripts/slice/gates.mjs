// The gates of a slice: what its package has to be before it may be published.
import * as fs from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { highestGlibc, readElf } from "../elf.mjs";
import { addonName } from "../platforms.mjs";
import { root } from "../run.mjs";

/** The largest addon. Each client of npm fetches one. */
const LARGEST_ADDON = 1024 * 1024;
const LARGEST_STUB = 16 * 1024;
/** The libraries that an addon may need. Node has all of them loaded. */
const libraries = {
	glibc: {
		x64: ["libc.so.6", "libm.so.6", "libdl.so.2", "libpthread.so.0", "librt.so.1", "ld-linux-x86-64.so.2"],
		arm64: ["libc.so.6", "libm.so.6", "libdl.so.2", "libpthread.so.0", "librt.so.1", "ld-linux-aarch64.so.1"],
	},
	musl: { x64: ["libc.so"], arm64: ["libc.so"] },
};
const RESTORE = "restore it from git";
const again = (name) => `run \`node scripts/slice.mjs ${name}\``;

/**
 * Returns what is wrong with a slice, in sentences that say what to do. An empty list means that the slice may be published.
 *
 * @param {string} folder - The folder of the package.
 * @param {object} platform - A row of scripts/platforms.mjs.
 */
export function checkSlice(folder, platform) {
	const addon = addonName(platform);
	const build = again(platform.name);
	const wanted = ["LICENSE", "README.md", "THIRD-PARTY.md", addon, "nearfar-stub", "package.json"];
	if (fs.existsSync(join(folder, "CHANGELOG.md"))) wanted.push("CHANGELOG.md");
	if (!fs.existsSync(folder)) return ["the folder is missing: restore it from git"];
	const found = fs.readdirSync(folder);
	const advice = (name) => ([addon, "nearfar-stub"].includes(name) ? build : RESTORE);
	const faults = [
		...wanted.filter((name) => !found.includes(name)).map((name) => `${name} is missing: ${advice(name)}`),
		...found.filter((name) => !wanted.includes(name)).map((name) => `${name} is no part of a slice: remove it`),
	];
	const present = wanted.filter((name) => found.includes(name));
	const isFile = (name) => fs.lstatSync(join(folder, name)).isFile();
	faults.push(...present.filter((name) => !isFile(name)).map((name) => `${name} is no regular file: ${advice(name)}`));
	const has = (name) => present.includes(name) && isFile(name);
	if (has("package.json")) faults.push(...manifestFaults(join(folder, "package.json"), platform));
	const contents = {};
	for (const [name, mode, limit] of [
		[addon, 0o644, LARGEST_ADDON],
		["nearfar-stub", 0o755, LARGEST_STUB],
	]) {
		if (!has(name)) continue;
		const status = fs.lstatSync(join(folder, name));
		const octal = (status.mode & 0o7777).toString(8);
		if ((status.mode & 0o7777) !== mode)
			faults.push(`${name} has mode ${octal}: run \`chmod ${mode.toString(8)} ${name}\``);
		if (status.size > limit)
			faults.push(`${name} has ${status.size} bytes, and the limit is ${limit}: look for what has grown`);
		const bytes = fs.readFileSync(join(folder, name));
		contents[name] = bytes;
		faults.push(...pathFaults(bytes).map((path) => `${name} names ${path}, a folder of this machine: ${build}`));
		try {
			const elf = readElf(bytes);
			if (elf.cpu !== platform.cpu) faults.push(`${name} is for ${elf.cpu}, and not for ${platform.cpu}: ${build}`);
			faults.push(
				...(name === addon ? addonFaults : stubFaults)(elf, platform).map((fault) => `${name} ${fault}: ${build}`),
			);
		} catch (error) {
			faults.push(`${name} cannot be read (${error.message}): ${build}`);
		}
	}
	// Where the kernel executes no memory files, the addon executes the file, and refuses one that differs from its own copy.
	if (contents[addon] && contents["nearfar-stub"] && !contents[addon].includes(contents["nearfar-stub"]))
		faults.push(`nearfar-stub is not the stub inside of ${addon}: ${build}`);
	return faults;
}

function addonFaults(elf, { cpu, libc, glibc }) {
	const faults = elf.isShared && elf.interpreter === undefined ? [] : ["is no shared object"];
	for (const name of elf.needed) {
		if (!libraries[libc][cpu].includes(name)) faults.push(`needs ${name}, which machines with ${libc} need not have`);
	}
	if (!elf.needed.some((name) => /^libc\.so/.test(name))) faults.push(`does not need the C library ${libc}`);
	if (elf.runPath !== undefined) faults.push(`looks for libraries in ${elf.runPath}`);
	// Other versions are marks: GLIBC_ABI_DT_RELR asks for glibc 2.36, and GLIBC_PRIVATE for exactly one glibc.
	for (const version of elf.versions.filter((each) => !/^GLIBC_\d+\.\d+(\.\d+)?$/.test(each)))
		faults.push(`needs ${version}, which is no version of a public symbol of glibc`);
	const [major, minor] = highestGlibc(elf) ?? [];
	const [most, least] = (glibc ?? "0.0").split(".").map(Number);
	if (major > most || (major === most && minor > least))
		faults.push(
			`needs glibc ${major}.${minor}, and ${glibc ? `at most ${glibc} is allowed` : "this slice is for musl"}`,
		);
	return faults;
}

function stubFaults(elf) {
	if (elf.interpreter !== undefined || elf.needed.length > 0 || elf.isShared) return ["is not static"];
	return [];
}

/** Returns the folders of this machine that a file names: the tree, the homes, and where compilers lie. */
function pathFaults(bytes) {
	const text = bytes.toString("latin1");
	const own = [root, fs.realpathSync(root), homedir(), process.env.CARGO_HOME, process.env.RUSTUP_HOME].filter(Boolean);
	const likely = ["/home", "/root", "/Users", "/.cargo", "/.rustup", "/usr/src"];
	const folders = new Set([...own, ...likely].map((path) => path.replace(/\/*$/, "/")));
	return [...folders].filter((path) => path !== "/" && text.includes(path));
}

/** Returns what is wrong with the manifest of a slice. */
function manifestFaults(file, platform) {
	let manifest;
	try {
		manifest = JSON.parse(fs.readFileSync(file, "utf8")) ?? {};
	} catch (error) {
		return [`package.json is no JSON (${error.message}): ${RESTORE}`];
	}
	const core = JSON.parse(fs.readFileSync(join(root, "packages/core/package.json"), "utf8"));
	const wanted = {
		name: `@nearfar/core-linux-${platform.name}`,
		version: core.version,
		main: addonName(platform),
		type: "commonjs",
		os: ["linux"],
		cpu: [platform.cpu],
		libc: [platform.libc],
		files: [addonName(platform), "nearfar-stub", "THIRD-PARTY.md"],
		engines: core.engines,
	};
	const faults = [];
	for (const [key, value] of Object.entries(wanted)) {
		const [is, should] = [manifest[key], value].map((each) => JSON.stringify(each));
		if (is !== should) faults.push(`package.json: ${key} is ${is} and has to be ${should}`);
	}
	if (JSON.stringify(manifest.publishConfig?.executableFiles) !== '["./nearfar-stub"]')
		faults.push(
			'package.json: publishConfig.executableFiles has to be ["./nearfar-stub"], or pnpm drops the execute bit',
		);
	return faults;
}
