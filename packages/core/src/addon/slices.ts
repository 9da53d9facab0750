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

/** Returns a function that resolves files as `@nearfar/core` in `folder` would. */
export function resolverOf(folder: string): Resolve {
	const require = process.getBuiltinModule("node:module").createRequire(`${folder}package.json`);
	return (file) => {
		try {
			return require.resolve(file);
		} catch (error) {
			if ((error as { code?: string }).code === "MODULE_NOT_FOUND") return undefined;
			throw error;
		}
	};
}

/** Returns the names of the installed packages with slices, of all platforms. */
export function installedPackages(resolve: Resolve): string[] {
	return all.map(({ packageName }) => packageName).filter((name) => resolve(`${name}/package.json`) !== undefined);
}
