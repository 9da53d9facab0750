import { atFlags } from "../addon/flags.generated.ts";
import { options as checkOptions, optionalBoolean, wrongType, wrongValue } from "../arguments.ts";
import { FileDescriptor, numberOf } from "./descriptor.ts";
import { isAbsolute, type PathLike, pathText } from "./path.ts";

/** Every place that takes a path takes a path, an open file or directory itself, or a {@link Location}. */
export type LocationLike = PathLike | FileDescriptor | Location;

/** A location in the form that the `*at` calls take. */
export interface At {
	/** The number of the directory, or {@link cwd}. */
	readonly at: number;
	/** The path from the directory, without NUL bytes. */
	readonly path: string | Uint8Array;
	/** `AT_EMPTY_PATH`, `AT_SYMLINK_NOFOLLOW` and `AT_NO_AUTOMOUNT`, as the location says. */
	readonly flags: number;
}

/** `AT_FDCWD`: a relative path begins at the working directory. */
export const cwd = -100;

/** How the last component of a {@link Location} is looked up. */
export interface LocationOptions {
	/**
	 * Whether a symbolic link at the end is followed. Default: true. A call that always follows links, such as mount(2),
	 * refuses a location with `symlinks: false`.
	 */
	symlinks?: boolean;
	/**
	 * Whether an automount at the end is triggered. Default: true. False has no effect on calls without a flag against
	 * automounts, such as openat2(2).
	 */
	automount?: boolean;
	/** Whether an empty path means the directory itself (`AT_EMPTY_PATH`). Default: true. */
	emptyPath?: boolean;
}

/**
 * A place in a tree of files: an open directory, and a path that begins there.
 *
 * Renaming a directory above the open one does not move the place. The location does not own the descriptor: after the
 * owner has closed the descriptor, using the location throws `ClosedError`, and never falls back to the working
 * directory. A path that begins with `/` begins at the root of the task, wherever the directory is. Only openat2(2) with
 * `beneath` or `inRoot` keeps a path inside the directory.
 *
 * @example
 * ```ts
 * using etc = openat2("/etc", { flags: ["path", "directory"] });
 * using file = openat2(new Location(etc, "hostname"));
 * console.log(file.read(64).toString());
 * ```
 * @see openat(2), "Rationale for openat()"
 */
export class Location {
	/** The directory in which the path begins. `undefined` stands for the working directory. */
	readonly directory: FileDescriptor | undefined;
	/** The path from the directory. */
	readonly path: string | Uint8Array;
	/** Whether a symbolic link at the end is followed. */
	readonly symlinks: boolean;
	/** Whether an automount at the end is triggered. */
	readonly automount: boolean;
	/** Whether an empty path means the directory itself. */
	readonly emptyPath: boolean;

	/**
	 * @param directory - An open directory, or `undefined` for the working directory.
	 * @param path - A path from there. Default: empty, which means the directory itself.
	 * @param options - How the last component is looked up. Default: links are followed, automounts are triggered, and an
	 * empty path means the directory itself.
	 * @throws `TypeError` `directory` is no descriptor, `path` is no path or holds a NUL byte, or an option has the wrong type.
	 */
	constructor(directory: FileDescriptor | undefined, path: PathLike = "", options?: LocationOptions) {
		if (directory !== undefined && !(directory instanceof FileDescriptor)) {
			throw wrongType("directory", "a FileDescriptor or undefined", directory);
		}
		const { symlinks, automount, emptyPath } = checkOptions(options, ["symlinks", "automount", "emptyPath"]);
		this.directory = directory;
		this.path = pathText(path);
		this.symlinks = optionalBoolean(symlinks, "symlinks") ?? true;
		this.automount = optionalBoolean(automount, "automount") ?? true;
		this.emptyPath = optionalBoolean(emptyPath, "emptyPath") ?? true;
	}

	/**
	 * Returns the location at the end of a longer path, with the same directory and options.
	 *
	 * The parts are joined as text. The kernel walks `..`, which does not always lead back: openat2(2) with `beneath` or
	 * `inRoot` keeps a path inside the directory. As in Node's `path.join`, a part that begins with `/` is appended to the
	 * path, and an empty part changes nothing.
	 *
	 * @param parts - Text, or bytes that are taken as they are.
	 * @returns A new location for the same descriptor. Its path is a `Buffer` if this path or a part is one.
	 * @throws `TypeError` A part is neither text nor a Buffer, or holds a NUL byte.
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

const locationTypes = "a string, a Buffer, a URL, a FileDescriptor or a Location";

/** Converts a location for an `*at` call of the current task. */
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
	return { at: cwd, path: pathText(location, name, locationTypes), flags: 0 };
}

/**
 * Converts a location for a call of the current task that takes a path alone. A location that begins at an open file
 * becomes a path below `/proc/self/fd`.
 */
export function toPath(location: LocationLike, name = "path"): string | Uint8Array {
	if (!(location instanceof FileDescriptor) && !(location instanceof Location)) {
		return pathText(location, name, locationTypes);
	}
	const { at, path, flags } = toAt(location, name);
	if (path.length === 0 && !(flags & atFlags.emptyPath)) return path;
	if (at === cwd) return path.length === 0 ? "." : path;
	if (isAbsolute(path)) return path;
	if (at < 0)
		throw wrongValue(
			name,
			"a path, or a descriptor that is open already: one that this batch opens has no path before the batch has run",
			location,
		);
	const folder = `/proc/self/fd/${at}`;
	if (path.length === 0) return folder;
	return typeof path === "string" ? `${folder}/${path}` : Buffer.concat([Buffer.from(`${folder}/`), path]);
}

/**
 * Converts a location for a call that takes a path alone and always follows a link at its end. A location with
 * `symlinks: false` is refused.
 */
export function followedPath(location: LocationLike, name: string): string | Uint8Array {
	if (location instanceof Location) refuseNotFollowed(location, name);
	return toPath(location, name);
}

/** Refuses a location with `symlinks: false` for a call that always follows a link at the end. */
export function refuseNotFollowed(location: Location, name: string): void {
	if (location.symlinks || location.path.length === 0) return;
	throw wrongValue(
		name,
		"a path, or a location without `symlinks: false`: this call always follows a link at the end",
		location,
	);
}

function append(path: string | Uint8Array, part: string | Uint8Array): string | Uint8Array {
	if (typeof path === "string" && typeof part === "string") {
		const rest = part.replace(/^\/+/, "");
		return rest === "" ? path : path === "" ? rest : path.endsWith("/") ? path + rest : `${path}/${rest}`;
	}
	// Latin-1 maps each byte to one character and back, so that bytes are joined as text is.
	const [head = "", tail = ""] = [path, part].map((text) => Buffer.from(text as Uint8Array).toString("latin1"));
	return Buffer.from(append(head, tail) as string, "latin1");
}
