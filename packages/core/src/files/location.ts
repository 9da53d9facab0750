import { atFlags } from "../addon/flags.generated.ts";
import { options as checkOptions, optionalBoolean, wrongType, wrongValue } from "../arguments.ts";
import { FileDescriptor, numberOf } from "./descriptor.ts";
import { isAbsolute, type PathLike, pathText } from "./path.ts";

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

/** How the last component of a {@link Location} is looked up. */
export interface LocationOptions {
	/** Follows a symbolic link at the end. Default: true. A call that has no flag against it, such as mount(2), refuses. */
	symlinks?: boolean;
	/** Triggers an automount at the end, where the call has a flag against it; openat2(2) has none. Default: true. */
	automount?: boolean;
	/** An empty path means the directory itself (`AT_EMPTY_PATH`). Default: true. */
	emptyPath?: boolean;
}

/**
 * A place in a tree of files: a directory that is open, and a path from there.
 *
 * Nobody can move it by renaming a directory above. The descriptor stays its owner's to close; after that a use of the
 * location throws `ClosedError`, and never falls back to the working directory. A path that begins with `/` begins at
 * the root, wherever the directory is: only openat2 with `beneath` or `inRoot` keeps it inside.
 *
 * @example
 * ```ts
 * using etc = openat2("/etc", { flags: ["path", "directory"] });
 * using file = openat2(new Location(etc, "hostname"));
 * console.log(file.read(64).toString());
 * ```
 */
export class Location {
	/** Where the path begins; `undefined`: the working directory. */
	readonly directory: FileDescriptor | undefined;
	/** The path from there. */
	readonly path: string | Uint8Array;
	/** Whether a symbolic link at the end is followed. */
	readonly symlinks: boolean;
	/** Whether an automount at the end is triggered. */
	readonly automount: boolean;
	/** Whether an empty path means the directory itself. */
	readonly emptyPath: boolean;

	/**
	 * @param directory - An open directory, or `undefined` for the working directory.
	 * @param path - A path from there; empty: the directory itself.
	 * @throws `TypeError` a NUL byte, or something that is not a path.
	 */
	constructor(directory: FileDescriptor | undefined, path: PathLike = "", options?: LocationOptions) {
		if (directory !== undefined && !(directory instanceof FileDescriptor)) {
			throw wrongType("directory", "a FileDescriptor or undefined", directory);
		}
		const { symlinks, automount, emptyPath } = checkOptions(options);
		this.directory = directory;
		this.path = pathText(path);
		this.symlinks = optionalBoolean(symlinks, "symlinks") ?? true;
		this.automount = optionalBoolean(automount, "automount") ?? true;
		this.emptyPath = optionalBoolean(emptyPath, "emptyPath") ?? true;
	}

	/**
	 * Goes on from here: the same directory and options, and a longer path.
	 *
	 * The text is put together and nothing else. `..` stays for the kernel to walk, since it is not always the way back:
	 * what keeps it inside is openat2 with `beneath` or `inRoot`. A part that begins with `/` goes on from here too, as in
	 * Node's `path.join`, and an empty part changes nothing.
	 *
	 * @param parts - Text, or bytes as they are.
	 * @returns A new location, which shares the descriptor; its path is a `Buffer` where this one's or a part is.
	 * @throws `TypeError` a NUL byte, or something that is neither text nor bytes
	 * @example
	 * ```ts
	 * using root = openat2("/", { flags: ["path", "directory"] });
	 * const etc = new Location(root, "etc");
	 * using file = openat2(etc.join("hostname"));
	 * ```
	 */
	join(...parts: (string | Buffer)[]): Location {
		const path = parts.reduce<string | Uint8Array>((path, part, index) => {
			const name = `parts[${index}]`;
			if ((part as unknown) instanceof URL) throw wrongType(name, "a string or a Buffer", part);
			return append(path, pathText(part, name));
		}, this.path);
		const { symlinks, automount, emptyPath } = this;
		return new Location(this.directory, path as string | Buffer, { symlinks, automount, emptyPath });
	}
}

/** What the addon takes for a location, in the current task. */
export function toAt(location: LocationLike, name = "path"): At {
	if (location instanceof FileDescriptor) return { at: numberOf(location), path: "", flags: atFlags.emptyPath };
	if (location instanceof Location) {
		const { directory, path, symlinks, automount, emptyPath } = location;
		const flags =
			(symlinks ? 0 : atFlags.symlinkNofollow) |
			(automount ? 0 : atFlags.noAutomount) |
			(emptyPath ? atFlags.emptyPath : 0);
		return { at: directory ? numberOf(directory) : cwd, path, flags };
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

function append(path: string | Uint8Array, part: string | Uint8Array): string | Uint8Array {
	if (typeof path === "string" && typeof part === "string") {
		const rest = part.replace(/^\/+/, "");
		return rest === "" ? path : path === "" ? rest : path.endsWith("/") ? path + rest : `${path}/${rest}`;
	}
	// A character for each byte, which Latin-1 has: so that both are put together alike.
	const [head = "", tail = ""] = [path, part].map((text) => Buffer.from(text as Uint8Array).toString("latin1"));
	return Buffer.from(append(head, tail) as string, "latin1");
}
