import { Buffer } from "node:buffer";
import {
	type FileDescriptor,
	Location,
	type LocationLike,
	openat2,
	type Statx,
	SyscallError,
	statx,
} from "@nearfar/core";
import { adoptDescriptor, native, numberOf, openFlags, taskOf, toAt, withFile } from "@nearfar/core/internal";

const CWD = -100; // AT_FDCWD

/**
 * The place of a pin: an open directory, and the name of a file in it. The directory is looked up once, so that a link which
 * another process puts on the way meanwhile leads nowhere else.
 */
export class PinPlace implements Disposable {
	/** The path as the caller has given it, for errors. */
	readonly text: string;
	readonly #directory: FileDescriptor;
	readonly #name: string | Buffer;

	/** Called by {@link openPlace}. */
	constructor(text: string, directory: FileDescriptor, name: string | Buffer) {
		this.text = text;
		this.#directory = directory;
		this.#name = name;
	}

	/** Makes the file, which must not exist. */
	create(mode: number): FileDescriptor {
		return openat2(this.#location, { flags: ["creat", "excl", "nofollow", "nonblock", "noctty"], mode });
	}

	/** Opens what is at the place: the topmost mount, and a link itself. Nothing happens to the file. */
	look(): FileDescriptor {
		return openat2(this.#location, { flags: ["path", "nofollow"] });
	}

	/** Removes the name. */
	remove(): void {
		native().unlinkat(numberOf(this.#directory), this.#name, false);
	}

	/** Removes the name if it still is that of the open file. */
	removeIfSame(file: FileDescriptor): void {
		const [mine, there] = [file, this.#location].map((at) => statx(at, { mask: ["ino", "type"] })) as [Statx, Statx];
		const same = mine.ino === there.ino && mine.dev.major === there.dev.major && mine.dev.minor === there.dev.minor;
		if (same) this.remove();
	}

	get #location(): Location {
		return new Location(this.#directory, this.#name, { symlinks: false });
	}

	[Symbol.dispose](): void {
		this.#directory.close();
	}
}

/**
 * Opens the directory of a place.
 *
 * @param at - The place.
 * @returns `undefined` for an open file, which has no place.
 */
export function openPlace(at: LocationLike): PinPlace | undefined {
	const place = toAt(at, "at");
	if (place.path.length === 0 && place.at !== CWD) return undefined;
	const path = typeof place.path === "string" ? place.path : Buffer.from(place.path);
	const slash = path.lastIndexOf("/") + 1;
	const name = typeof path === "string" ? path.slice(slash) : path.subarray(slash);
	const parent = typeof path === "string" ? path.slice(0, slash) : path.subarray(0, slash);
	// A path that ends with a slash or with dots names a directory, and the kernel refuses the whole of it.
	const whole = ["", ".", ".."].includes(`${name}`);
	const flags = openFlags.path | openFlags.directory | openFlags.cloexec;
	const from = whole || parent.length === 0 ? "." : parent;
	const open = () => adoptDescriptor(native().openat2(place.at, from, flags, 0, 0));
	const directory = withFile(`${path}`, open);
	return new PinPlace(`${path}`, directory, whole ? path : name);
}

/** Returns whether a file may be a leftover of a pin: an empty regular file, on which nothing is mounted. */
export function isLeftover(file: FileDescriptor): boolean {
	const { type, size, attributes } = statx(file, { mask: ["type", "size"] });
	return type === "file" && size === 0n && attributes.mountRoot !== true;
}

/** Makes an error that the kernel's own answer does not cover. */
export function placeError(code: "EEXIST" | "EINVAL", syscall: string, path: string, hint: string): SyscallError {
	return new SyscallError({ code, errno: code === "EEXIST" ? 17 : 22, syscall }, { path, hint, ...taskOf() });
}
