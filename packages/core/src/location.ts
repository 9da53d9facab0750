import { options as checkOptions, optionalBoolean, wrongType } from "./arguments.ts";
import { FileDescriptor } from "./descriptor.ts";
import type { PathLike } from "./path.ts";
import { pathText } from "./path.ts";

/** How the last component of a {@link Location} is looked up. */
export interface LocationOptions {
	/** Follows a symbolic link at the end. Default: true. */
	symlinks?: boolean;
	/** Triggers an automount at the end. Default: true. */
	automount?: boolean;
	/** An empty path means the directory itself (`AT_EMPTY_PATH`). Default: true. */
	emptyPath?: boolean;
}

/**
 * A place in a tree of files: a directory that is open, and a path from there.
 *
 * Nobody can move it by renaming a directory above. The descriptor stays its owner's to close; after that a use of the
 * location throws `ClosedError`, and never falls back to the working directory.
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
}
