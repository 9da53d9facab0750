import { readElf } from "./elf.ts";

/** A C library, in the word of Rust's targets, which the names of the packages have. */
export type Libc = "gnu" | "musl";

/** Returns the C library of this process. The dynamic loader that the running program asks for tells, in its name. */
export function libcOfProcess(): Libc {
	for (const path of programs()) {
		const libc = libcOfProgram(path);
		if (libc) return libc;
	}
	return glibcVersion() === undefined && libraries().some((path) => libcOfLoader(path) === "musl") ? "musl" : "gnu";
}

/**
 * Returns the version of the running glibc. `undefined` where there is none, and where the runtime does not tell, as in Deno. Node
 * takes several milliseconds for the report that has the version, and so this is for what cannot be read from files.
 */
export function glibcVersion(): string | undefined {
	return report()?.header?.glibcVersionRuntime;
}

/**
 * The paths of the running program, the surest first. `/proc/self/exe` is the program also after its file was replaced, and after
 * this program has changed `process.execPath`. Deno asks the user before it reads anything in /proc.
 */
function programs(): string[] {
	return process.versions.deno ? [process.execPath] : ["/proc/self/exe", process.execPath];
}

/**
 * Returns the C library that a program of this CPU is linked with. `undefined` where its headers do not tell: in a static program, in a
 * script, or where the file cannot be read.
 */
export function libcOfProgram(path: string): Libc | undefined {
	try {
		const elf = readElf(path);
		if (elf?.cpu !== process.arch) return undefined; // a script, or the emulator of another CPU
		if (elf.interpreter !== undefined) return libcOfLoader(elf.interpreter);
		// A loader that was started by hand, with the runtime as its argument, is itself the running program.
		return libcOfLoader(process.getBuiltinModule("node:fs").realpathSync(path));
	} catch {
		return undefined; // without /proc, after an update, or where the permission model forbids to read it
	}
}

/** Returns the C library that a dynamic loader belongs to. musl's loader is its C library, which Debian names libc.so. */
function libcOfLoader(path: string): Libc | undefined {
	const name = path.slice(path.lastIndexOf("/") + 1);
	if (/^ld-musl-|^libc\.musl-|^libc\.so$/.test(name)) return "musl";
	return /^ld-linux|^ld-\d|^ld64?\.so/.test(name) ? "gnu" : undefined;
}

/** What this file uses of Node's report, whose type says nothing of its contents. */
interface Report {
	readonly header?: { readonly glibcVersionRuntime?: string };
	readonly sharedObjects?: readonly string[];
}

function libraries(): readonly string[] {
	return report()?.sharedObjects ?? [];
}

/** Returns Node's report on itself, without looking up the names of network peers. Bun and Deno have none, or an empty one. */
function report(): Report | undefined {
	const { report } = process as { report?: NodeJS.ProcessReport & { excludeNetwork?: boolean } };
	if (!report?.getReport) return undefined;
	const { excludeNetwork } = report; // since Node 20.13
	try {
		if (excludeNetwork !== undefined) report.excludeNetwork = true;
		return report.getReport() as Report;
	} catch {
		return undefined;
	} finally {
		if (excludeNetwork !== undefined) report.excludeNetwork = excludeNetwork;
	}
}
