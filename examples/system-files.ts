// What of this machine a program in the sandbox sees.
import { existsSync, lstatSync, readlinkSync, statSync } from "node:fs";
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

function withParents(path: string): string[] {
	return path === "/" ? [] : [...withParents(dirname(path)), path];
}

function isLink(path: string): boolean {
	return lstatSync(path).isSymbolicLink();
}
