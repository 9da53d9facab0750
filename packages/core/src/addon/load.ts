import type * as Binding from "../../native/binding.js";
import { NearfarError, UnsupportedPlatformError } from "../errors.ts";
import { isAccessRefused, ownPackage } from "../package-folder.ts";
import { readElf } from "./elf.ts";
import { libcOfProcess } from "./libc.ts";
import {
	accessRefused,
	addonDamaged,
	addonMissing,
	manifestDamaged,
	notInstalled,
	notLoaded,
	otherVersion,
	userRefused,
} from "./load-errors.ts";
import { closedFolder, cpus, type Resolve, resolverOf, type Slice, sliceOf } from "./slices.ts";

/** The functions of the addon, which take and return numbers, text and bytes. */
export type Native = typeof Binding;

// The global `process`, because importing "node:process" opens stdin, stdout and stderr, and makes them nonblocking for all
// processes that share them. This package imports no other module of Node either: each would slow down the import of
// @nearfar/core, and most programs need few of them. Functions that need a module call `process.getBuiltinModule`.
const { arch, platform } = process;

/** Loads the addon from its file. The stub lies beside that file. Throws the errors of `native()`. */
export function loadAddon(): { readonly addon: Native; readonly stub: string } {
	if (platform !== "linux" || !cpus.includes(arch)) {
		throw new UnsupportedPlatformError(
			`cannot make system calls on ${platform} ${arch}: nearfar needs Linux on x64 or arm64`,
		);
	}
	const slice = sliceOf(arch, libcOfProcess());
	const file = findAddon(slice);
	try {
		const addon: Native = process.getBuiltinModule("node:module").createRequire(file)(file);
		return { addon, stub: `${file.slice(0, file.lastIndexOf("/"))}/nearfar-stub` };
	} catch (error) {
		throw notLoaded(slice, file, error);
	}
}

/** Returns the file of the addon: in a clone of nearfar the one that was built there, else that of the installed package. */
function findAddon(slice: Slice): string {
	const { packageName } = slice;
	const { existsSync } = process.getBuiltinModule("node:fs");
	try {
		const own = ownPackage();
		if (own === undefined) throw bundledError();
		const built = `${own.folder}native/${slice.addon}`;
		if (existsSync(built)) return built;
		const resolve = resolverOf(own.folder);
		const manifest = readManifest(slice, resolve);
		if (manifest === undefined) {
			const closed = closedFolder(own.folder, packageName);
			throw closed === undefined ? notInstalled(slice, resolve) : userRefused(slice, closed);
		}
		const file = resolve(`${packageName}/${slice.addon}`);
		if (file === undefined) throw addonMissing(slice, manifest.path);
		if (manifest.version !== own.version) throw otherVersion(slice, { ...manifest, wanted: own.version });
		// The dynamic loader maps a file that was cut off, and the process then dies of SIGBUS.
		const elf = readElf(file);
		if (elf?.cpu !== slice.cpu || !elf.complete) throw addonDamaged(slice, file, elf);
		return file;
	} catch (error) {
		if (isAccessRefused(error)) throw accessRefused(error);
		const { code, path } = error as { code?: string; path?: string };
		throw code === "EACCES" && path !== undefined ? userRefused(slice, path, error) : error;
	}
}

/** Returns the path and the version of the manifest of a slice, or `undefined` if there is no such package. */
function readManifest(slice: Slice, resolve: Resolve): { path: string; version: unknown } | undefined {
	const { readFileSync } = process.getBuiltinModule("node:fs");
	try {
		const path = resolve(`${slice.packageName}/package.json`);
		return path === undefined ? undefined : { path, version: JSON.parse(readFileSync(path, "utf8")).version };
	} catch (error) {
		// Node reads the manifest to resolve a file, and throws errors of its own: a SyntaxError or a TypeError, by its version.
		const isRefused = isAccessRefused(error) || (error as { syscall?: string }).syscall !== undefined;
		throw isRefused ? error : manifestDamaged(slice, error);
	}
}

function bundledError(): NearfarError {
	return new NearfarError(
		"BUNDLED",
		"this file was bundled: keep @nearfar/* external, because the addon lies beside the files of @nearfar/core; docs/bundling.md has the option of each bundler",
	);
}
