import { atFlags } from "../addon/flags.generated.ts";
import { wrongType, wrongValue } from "../arguments.ts";
import { FileDescriptor } from "./descriptor.ts";
import { Location } from "./location.ts";

/** A path: text, the bytes themselves, or a `file:` URL. A NUL byte is a `TypeError`. */
export type PathLike = string | Buffer | URL;

/** Wherever a path goes: a path, an open file or directory itself, or a {@link Location}. */
export type LocationLike = PathLike | FileDescriptor | Location;

/** A location as the `*at` calls take it. */
export interface At {
	/** Directory's number, -100 (`AT_FDCWD`): the working directory. */
	readonly at: number;
	readonly path: string | Uint8Array;
	/** `AT_EMPTY_PATH`, `AT_SYMLINK_NOFOLLOW` and `AT_NO_AUTOMOUNT`, as the location says. */
	readonly flags: number;
}

/** `AT_FDCWD`. */
export const cwd = -100;

const SLASH = 0x2f;

/** What the addon takes for a path. */
export function pathText(path: PathLike, name = "path"): string | Uint8Array {
	if (path instanceof URL) return pathText(process.getBuiltinModule("node:url").fileURLToPath(path), name);
	if (typeof path === "string") {
		if (path.includes("\0")) throw wrongValue(name, "a path without NUL bytes", path);
		return path;
	}
	if (!(path instanceof Uint8Array)) throw wrongType(name, "a string, a Buffer or a URL", path);
	if (path.includes(0)) throw wrongValue(name, "a path without NUL bytes", path);
	return path;
}

/** The same as a `Buffer`, to put together with others. */
export function pathBytes(path: PathLike, name = "path"): Buffer {
	const text = pathText(path, name);
	return typeof text === "string" ? Buffer.from(text) : Buffer.from(text);
}

/** What the addon takes for a location, in the current task. */
export function toAt(location: LocationLike, name = "path"): At {
	if (location instanceof FileDescriptor) return { at: location.number(), path: "", flags: atFlags.emptyPath };
	if (location instanceof Location) {
		const { directory, path, symlinks, automount, emptyPath } = location;
		const flags =
			(symlinks ? 0 : atFlags.symlinkNofollow) |
			(automount ? 0 : atFlags.noAutomount) |
			(emptyPath ? atFlags.emptyPath : 0);
		return { at: directory ? directory.number() : cwd, path, flags };
	}
	return { at: cwd, path: pathText(location, name), flags: 0 };
}

/** A location for a call that takes a path and nothing else: through `/proc/self/fd` where it begins at an open file. */
export function toPath(location: LocationLike, name = "path"): string | Uint8Array {
	if (!(location instanceof FileDescriptor) && !(location instanceof Location)) return pathText(location, name);
	const { at, path, flags } = toAt(location, name);
	if (path.length === 0 && !(flags & atFlags.emptyPath)) return path;
	if (at === cwd) return path.length === 0 ? "." : path;
	if (isAbsolute(path)) return path;
	if (at < 0) throw wrongValue(name, "an open descriptor: one that a batch still has to make has no path", location);
	const folder = `/proc/self/fd/${at}`;
	if (path.length === 0) return folder;
	return typeof path === "string" ? `${folder}/${path}` : Buffer.concat([Buffer.from(`${folder}/`), path]);
}

/** The path of a call that follows links whatever it is told, so that a location that forbids it has to be refused. */
export function followedPath(location: LocationLike, name: string): string | Uint8Array {
	if (location instanceof Location && !location.symlinks && location.path.length > 0) {
		throw wrongValue(name, "a location whose link at the end is followed: this call has no flag against it", location);
	}
	return toPath(location, name);
}

/** Whether the kernel ignores where the path begins. */
function isAbsolute(path: string | Uint8Array): boolean {
	return typeof path === "string" ? path.startsWith("/") : path[0] === SLASH;
}
