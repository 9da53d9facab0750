import { isAccessRefused } from "../package-folder.ts";
import type { Libc } from "./libc.ts";

/** A platform that an addon and a stub are built for, and the package that has both. */
export interface Slice {
	/** The CPU, as `process.arch` and npm name it. */
	readonly cpu: string;
	/** The C library, as npm names it. */
	readonly libc: "glibc" | "musl";
	readonly packageName: string;
	/** The name of the file with the addon. */
	readonly addon: string;
}

/** The oldest glibc that the addon loads with. */
export const OLDEST_GLIBC = "2.28";

/** The CPUs that have slices. */
export const cpus: readonly string[] = ["x64", "arm64"];
const all = cpus.flatMap((cpu) => [sliceOf(cpu, "gnu"), sliceOf(cpu, "musl")]);

/** Returns the slice for a CPU and a C library. */
export function sliceOf(cpu: string, libc: Libc): Slice {
	const platform = `linux-${cpu}-${libc}`;
	return {
		cpu,
		libc: libc === "gnu" ? "glibc" : libc,
		packageName: `@nearfar/core-${platform}`,
		addon: `nearfar.${platform}.node`,
	};
}

/** Resolves a file of another package. Returns `undefined` where there is no such package or file. */
export type Resolve = (file: string) => string | undefined;

function requireIn(folder: string): NodeJS.Require {
	return process.getBuiltinModule("node:module").createRequire(`${folder}package.json`);
}

/** Returns a function that resolves files as `@nearfar/core` in `folder` would. */
export function resolverOf(folder: string): Resolve {
	const require = requireIn(folder);
	return (file) => {
		try {
			return require.resolve(file);
		} catch (error) {
			if ((error as { code?: string }).code === "MODULE_NOT_FOUND") return undefined;
			throw error;
		}
	};
}

/** Returns the names of the installed packages with slices, of all platforms. A package whose manifest is damaged is one of them. */
export function installedPackages(resolve: Resolve): string[] {
	const isThere = (name: string) => {
		try {
			return resolve(`${name}/package.json`) !== undefined;
		} catch (error) {
			if (isAccessRefused(error)) throw error;
			return true;
		}
	};
	return all.map(({ packageName }) => packageName).filter(isThere);
}

/** Returns the folder of a package that is there, and that this user may not look into. Node takes such a package for missing. */
export function closedFolder(folder: string, packageName: string): string | undefined {
	const { accessSync, constants, lstatSync } = process.getBuiltinModule("node:fs");
	const isClosed = (path: string) => {
		try {
			// A folder above may be closed too, such as the home of another user: what is in there need not be a package.
			lstatSync(path);
		} catch {
			return false;
		}
		try {
			accessSync(path, constants.R_OK | constants.X_OK);
			return false;
		} catch (error) {
			return (error as { code?: string }).code === "EACCES";
		}
	};
	const places = requireIn(folder).resolve.paths?.(packageName) ?? [];
	return places.map((place) => `${place}/${packageName}`).find(isClosed);
}
