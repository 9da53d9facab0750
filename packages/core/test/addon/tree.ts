// Makes a tree of node_modules with the built @nearfar/core and with packages for platforms, as a package manager does.
import { copyFileSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { libcOfProcess } from "../../src/addon/libc.ts";

const core = fileURLToPath(new URL("../..", import.meta.url));
const libc = libcOfProcess();
/** The platform of this machine, as in the names of its files. */
export const here = `linux-${process.arch}-${libc}`;
/** The same CPU with the other C library. */
export const otherLibc = `linux-${process.arch}-${libc === "gnu" ? "musl" : "gnu"}`;
/** The other CPU with the same C library. */
export const otherCpu = `linux-${process.arch === "x64" ? "arm64" : "x64"}-${libc}`;

/** The addon that was built on this machine. */
export const builtAddon = `${core}native/nearfar.${here}.node`;
/** The stub that was built on this machine. */
export const builtStub = `${core}native/nearfar-stub`;

/** A tree in the temporary folder, which `await using` removes. */
export class Tree implements Disposable {
	readonly path: string;

	/** Installs `@nearfar/core` without the addon that lies beside its sources. `name` begins the name of the folder. */
	constructor(version = "1.2.3", name = "nearfar-tree-") {
		this.path = mkdtempSync(join(tmpdir(), name));
		const folder = this.#folder("@nearfar/core");
		cpSync(`${core}dist`, join(folder, "dist"), { recursive: true });
		const manifest = JSON.parse(readFileSync(`${core}package.json`, "utf8"));
		writeFileSync(join(folder, "package.json"), JSON.stringify({ ...manifest, version }));
	}

	/** Installs the package of a platform with the addon and the stub of this machine, and returns the folder. */
	install(platform: string, { version = "1.2.3", addon = builtAddon } = {}): string {
		const folder = this.#folder(`@nearfar/core-${platform}`);
		const manifest = { name: `@nearfar/core-${platform}`, version, type: "commonjs", main: `nearfar.${platform}.node` };
		writeFileSync(join(folder, "package.json"), JSON.stringify(manifest));
		copyFileSync(addon, join(folder, `nearfar.${platform}.node`));
		copyFileSync(builtStub, join(folder, "nearfar-stub"));
		return folder;
	}

	#folder(name: string): string {
		const folder = join(this.path, "node_modules", name);
		mkdirSync(folder, { recursive: true });
		return folder;
	}

	[Symbol.dispose](): void {
		rmSync(this.path, { recursive: true, force: true });
	}
}
