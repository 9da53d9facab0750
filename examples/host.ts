// The files of this host that a program in the sandbox sees.
import { existsSync, lstatSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { dirname } from "node:path";

/** A file or a directory of the host. */
export interface Shown {
	/** The path in the sandbox. */
	readonly path: string;
	/** The path on the host. */
	readonly source: string;
	readonly isDirectory: boolean;
	readonly isDevice: boolean;
}

const folders = ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64"];
const files = ["/etc/alternatives", "/etc/ld.so.cache"];
const devices = ["null", "zero", "full", "random", "urandom", "tty"].map((name) => `/dev/${name}`);
const system = [...folders, ...files, ...devices].filter((path) => existsSync(path));

/** Symbolic links: their targets, by path. */
export const links = new Map(system.filter(isLink).map((path) => [path, readlinkSync(path)]));

/** Programs, libraries and devices. */
export const shown = system.filter((path) => !isLink(path)).map((path) => show(path, path));

/** Describes a file or directory of the host that the sandbox shows at `path`. */
export function show(path: string, source: string): Shown {
	return { path, source, isDirectory: statSync(source).isDirectory(), isDevice: devices.includes(path) };
}

/** Returns every directory that has to be made for these files, the outer ones first. */
export function foldersFor(files: readonly Pick<Shown, "path" | "isDirectory">[]): Set<string> {
	return new Set(files.flatMap(({ path, isDirectory }) => withParents(isDirectory ? path : dirname(path))));
}

/** The home directory of the caller; `/etc` for a caller without one, because the sandbox has an `/etc` of its own. */
export function homeOfCaller(): string {
	return [process.env.HOME, "/etc"].find((path) => path && existsSync(path)) ?? "/";
}

/** An id that no user and no group has. Root's own id would give the program access to every file of root. */
export function spareId(): number {
	const last = Math.min(...["uid_map", "gid_map"].map(lastId));
	if (last === 0) throw new Error("root is the only id in this user namespace: none is left for the command");
	return Math.min(100_000, last);
}

function lastId(map: string): number {
	const ranges = readFileSync(`/proc/self/${map}`, "utf8").trim().split("\n");
	return Math.max(
		...ranges.map((range) => range.trim().split(/ +/).map(Number)).map(([id = 0, , count = 0]) => id + count - 1),
	);
}

function withParents(path: string): string[] {
	return path === "/" ? [] : [...withParents(dirname(path)), path];
}

function isLink(path: string): boolean {
	return lstatSync(path).isSymbolicLink();
}
