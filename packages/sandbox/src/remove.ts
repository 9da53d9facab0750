import { randomUUID } from "node:crypto";
import {
	chmod,
	type FileDescriptor,
	Location,
	type LocationLike,
	openat2,
	readdir,
	rename,
	rmdir,
	statx,
	unlink,
} from "@nearfar/core";

const ALL_OF_OWNER = 0o700;

/**
 * Removes a file, or a folder with everything in it, in steps. No link is followed.
 *
 * @param folder - The folder that it lies in.
 * @param name - Its name there.
 * @param refuse - Called before a file or a folder is removed or gets another name. What it throws ends the removal.
 * @returns Nothing: each step is one file or folder.
 */
export function* removing(folder: FileDescriptor, name: string, refuse: (file: LocationLike) => void): Generator<void> {
	const place = new Location(folder, name, { symlinks: false });
	if (statx(place, { mask: ["type"] }).type !== "directory") {
		unlink(place);
		return;
	}
	{
		using inside = openToEmpty(place);
		yield* emptying(inside, refuse);
	}
	rmdir(place);
}

/**
 * Empties a folder. What lies deeper is moved up and then removed: a program may have made more folders in folders than descriptors
 * can be open.
 */
function* emptying(folder: FileDescriptor, refuse: (file: LocationLike) => void): Generator<void> {
	const prefix = randomUUID();
	let moved = 0;
	for (let names = namesIn(folder); names.length > 0; names = namesIn(folder)) {
		for (const name of names) {
			yield;
			const place = new Location(folder, name, { symlinks: false });
			refuse(place);
			if (statx(place, { mask: ["type"] }).type !== "directory") {
				unlink(place);
				continue;
			}
			using inside = openToEmpty(place);
			for (const child of namesIn(inside)) {
				yield;
				const from = new Location(inside, child, { symlinks: false });
				refuse(from); // it would get another name
				if (statx(from, { mask: ["type"] }).type === "directory") openToEmpty(from).close();
				rename(new Location(inside, child), new Location(folder, `${prefix}-${moved++}`), { flags: ["noreplace"] });
			}
			rmdir(place);
		}
	}
}

/** Opens a folder. A program may have taken the permissions of its owner away, without which the folder is neither emptied nor moved. */
function openToEmpty(place: Location): FileDescriptor {
	using path = openat2(place, { flags: ["path", "directory", "nofollow"] });
	const { mode = 0 } = statx(path, { mask: ["mode"] });
	if ((mode & ALL_OF_OWNER) !== ALL_OF_OWNER) chmod(`/proc/self/fd/${path.fd}`, ALL_OF_OWNER);
	return openat2(new Location(path, "."), { flags: ["directory", "nofollow"] });
}

function namesIn(folder: FileDescriptor): Buffer[] {
	return readdir(folder, { encoding: "buffer" }).map(({ name }) => name);
}
