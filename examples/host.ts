// What of this machine a program in the sandbox sees.
import { existsSync, lstatSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { dirname } from "node:path";

/** A file or a directory of the host. */
export interface Shown {
	/** Where it is inside. */
	readonly path: string;
	/** Where it is outside. */
	readonly source: string;
	readonly isDirectory: boolean;
	readonly isDevice: boolean;
}

const folders = ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64"];
const files = ["/etc/alternatives", "/etc/ld.so.cache"];
const devices = ["null", "zero", "full", "random", "urandom", "tty"].map((name) => `/dev/${name}`);
const system = [...folders, ...files, ...devices].filter((path) => existsSync(path));

/** Links: what they say, by path. */
export const links = new Map(system.filter(isLink).map((path) => [path, readlinkSync(path)]));

/** Programs, libraries and devices. */
export const shown = system.filter((path) => !isLink(path)).map((path) => show(path, path));

/** One more. */
export function show(path: string, source: string): Shown {
	return { path, source, isDirectory: statSync(source).isDirectory(), isDevice: devices.includes(path) };
}

/** Every directory that has to be made for these, the outer ones first. */
export function foldersFor(files: readonly Shown[], ...folders: string[]): Set<string> {
	const needed = files.map(({ path, isDirectory }) => (isDirectory ? path : dirname(path)));
	return new Set([...needed, ...folders].flatMap(withParents));
}

/** The home directory of the caller. A caller without one has /etc in its place: there is another one inside. */
export function homeOfCaller(): string {
	return [process.env.HOME, "/etc"].find((path) => path && existsSync(path)) ?? "/";
}

/** An id of users and groups that nobody has; root's own would be obeyed by every file of root's. */
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
