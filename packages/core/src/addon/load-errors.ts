// The errors of loading the addon. Each says what was found, and what to do. docs/installing.md has a section for each code.
import { LoadError } from "../errors.ts";
import { shellWord } from "../shell-word.ts";
import type { ElfHeaders } from "./elf.ts";
import { glibcVersion } from "./libc.ts";
import { installedPackages, OLDEST_GLIBC, type Resolve, type Slice } from "./slices.ts";

/** Returns the error for a package that is not installed. */
export function notInstalled(slice: Slice, resolve: Resolve): LoadError {
	const { packageName, cpu, libc } = slice;
	const installed = installedPackages(resolve);
	const details = { packageName, installed };
	if (installed.length === 0 && process.permission?.has("fs.read") === false) {
		const where = `the folders of @nearfar/core and ${packageName}`;
		return new LoadError(
			"PERMISSION",
			`${packageName} is not among the files that Node may read`,
			[`start Node with --allow-fs-read for ${where}`, "install the package, if it is missing"],
			details,
		);
	}
	const lockfile =
		"rm -rf node_modules package-lock.json && npm install, if npm 10 or older wrote the lockfile (npm/cli#4828)";
	const forThis = installFor(slice);
	if (installed.length === 0) {
		return new LoadError(
			"NOT_INSTALLED",
			`${packageName} is not installed, nor the package with the addon for another platform`,
			["npm install --include=optional", forThis, lockfile],
			details,
		);
	}
	return new LoadError(
		"NOT_INSTALLED",
		`${packageName} is not installed, and this process runs on ${cpu} with ${libc}; installed is ${installed.join(", ")}`,
		[forThis, lockfile],
		details,
	);
}

/** Returns the error for a package that is installed without the file of its addon. */
export function addonMissing({ packageName, addon }: Slice, manifest: string): LoadError {
	const folder = manifest.slice(0, manifest.lastIndexOf("/"));
	return new LoadError(
		"DAMAGED",
		`${packageName} is installed without the file ${addon}`,
		folder.includes("/node_modules/") ? reinstall(folder) : ["npm run setup, in the clone of nearfar"],
		{ packageName, path: `${folder}/${addon}` },
	);
}

/** Returns the error for a file that no process on this CPU could load. `elf` are its headers, if it has any. */
export function addonDamaged({ packageName, cpu }: Slice, path: string, elf: ElfHeaders | undefined): LoadError {
	const found = !elf ? "is no addon" : elf.cpu === cpu ? "ends too early" : `is for ${elf.cpu}, and not for ${cpu}`;
	const folder = path.slice(0, path.lastIndexOf("/"));
	return new LoadError("DAMAGED", `${path} ${found}`, reinstall(folder), { packageName, path });
}

/** Returns the error for a package whose package.json is no JSON, or no object. Node says so in words of its own. */
export function manifestDamaged({ packageName }: Slice, cause: unknown): LoadError {
	return new LoadError(
		"DAMAGED",
		`the package.json of ${packageName} cannot be read (${(cause as Error).message})`,
		["delete node_modules and install again"],
		{ packageName, cause },
	);
}

/** Returns the error for a package of another version than `@nearfar/core`. */
export function otherVersion(
	{ packageName }: Slice,
	{ path, version, wanted }: { path: string; version: unknown; wanted: string },
): LoadError {
	return new LoadError(
		"VERSION_MISMATCH",
		`@nearfar/core is ${wanted}, and ${packageName} is ${version}, in ${path}`,
		[
			`npm install @nearfar/core@${wanted}`,
			"delete node_modules and install again",
			`remove ${packageName} from the dependencies and overrides of package.json, and install again`,
		],
		{ packageName, path },
	);
}

/** Returns the error for a file of nearfar that the permission model of Node or of Deno does not let this process read. */
export function accessRefused(error: unknown): LoadError {
	const { resource, message } = error as { resource?: string; message: string };
	if (process.versions.deno) return denoRefused(error);
	return new LoadError(
		"PERMISSION",
		`Node may not read ${resource ?? `the files of @nearfar/core (${message})`}`,
		["start Node with --allow-fs-read for the folders of @nearfar/core and of its addon, and with --allow-addons"],
		{ ...(resource !== undefined && { path: resource }), cause: error },
	);
}

/** Returns the error for a file or a folder of the package whose permissions forbid this user to read it. */
export function userRefused({ packageName }: Slice, path: string, cause?: unknown): LoadError {
	const at = path.lastIndexOf(packageName); // a linked package lies in a folder of another name
	const folder = at < 0 ? path.slice(0, path.lastIndexOf("/")) : path.slice(0, at + packageName.length);
	return new LoadError(
		"PERMISSION",
		`the user of this process may not read ${path}`,
		[`chmod -R a+rX ${shellWord(folder)}, as the owner of that folder`, "install nearfar as the user that runs it"],
		{ packageName, path, ...(cause !== undefined && { cause }) },
	);
}

/** Returns the error for an addon that the runtime or the dynamic loader has refused. */
export function notLoaded(slice: Slice, file: string, error: unknown): LoadError {
	const { code, message } = error as { code?: string; message: string };
	const details = { packageName: slice.packageName, path: file, cause: error };
	if (process.versions.deno && (error as Error).name === "NotCapable") return denoRefused(error);
	if (code === "ERR_DLOPEN_DISABLED") {
		return new LoadError(
			"PERMISSION",
			"Node may not load addons, and nearfar is one",
			["start Node with --allow-addons beside --permission, and without --no-addons"],
			details,
		);
	}
	if (/failed to map segment|Operation not permitted/.test(message)) {
		return new LoadError(
			"PERMISSION",
			`the system forbids to execute code of ${file} (${message})`,
			["install nearfar on a file system that is mounted without noexec", "look for a refusal in the log of SELinux"],
			details,
		);
	}
	return describeLibc(slice, message, details) ?? describeOther(message, details);
}

/** Returns the error for a C library that does not fit, or `undefined` where the message of the loader is about something else. */
function describeLibc(slice: Slice, message: string, details: { path: string }): LoadError | undefined {
	const needed = /GLIBC_([\d.]+)/.exec(message)?.[1];
	const version = glibcVersion();
	if (needed !== undefined && version !== undefined) {
		return new LoadError(
			"WRONG_LIBC",
			`the addon needs glibc ${OLDEST_GLIBC} or later, and this process runs on glibc ${version} (${message})`,
			["run on a distribution with a newer glibc, such as Debian 10, Ubuntu 20.04 or RHEL 8, or later"],
			details,
		);
	}
	if (!/\b(libc\.so|libc\.musl|ld-musl|ld-linux|libm\.so|libgcc_s)|symbol|GLIBC_/.test(message)) return undefined;
	const folder = details.path.slice(0, details.path.lastIndexOf("/"));
	return new LoadError(
		"WRONG_LIBC",
		`${details.path} does not fit the C library of this process, ${version ? `glibc ${version}` : slice.libc} (${message})`,
		[
			`rm -rf ${shellWord(folder)} && ${installFor(slice)}`,
			"run a Node that was built for the C library of this system, and none on a stand-in such as gcompat",
		],
		details,
	);
}

function describeOther(message: string, details: object): LoadError {
	return new LoadError(
		"NOT_LOADED",
		`cannot load the addon of nearfar (${message})`,
		["delete node_modules and install again"],
		details,
	);
}

/** Returns the error for what Deno does not permit. Without a flag Deno asks at a terminal, and refuses elsewhere. */
function denoRefused(error: unknown): LoadError {
	const { message } = error as Error;
	return new LoadError(
		"PERMISSION",
		`Deno does not permit to load the addon of nearfar (${message})`,
		["start Deno with --allow-ffi --allow-read --allow-env"],
		{ cause: error },
	);
}

/** Returns the command that installs the package for a platform, also on a machine of another one. */
function installFor({ cpu, libc }: Slice): string {
	return `npm install --os=linux --cpu=${cpu} --libc=${libc}`;
}

function reinstall(folder: string): string[] {
	return [`rm -rf ${shellWord(folder)} && npm install`, "delete node_modules and install again"];
}
