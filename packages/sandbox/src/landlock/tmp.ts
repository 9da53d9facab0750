import { readdirSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import {
	type FileDescriptor,
	flock,
	Location,
	mkdir,
	openat2,
	rename,
	rmdir,
	SyscallError,
	statx,
	Task,
} from "@nearfar/core";
import { SandboxError } from "../errors.ts";
import { sameFile } from "../paths/given.ts";
import type { Blueprint } from "../plan.ts";
import { removing } from "../remove.ts";

/** The names of the folders. The plan makes them up. */
const pattern = /^nearfar-[0-9a-f]{12}$/;
/** The files that are removed before other events have their turn. */
const AT_ONCE = 256;

/** The folder inside for the home directory. */
const HOME = "home";

const swept = new Set<string>();

/**
 * The folder of a sandbox for its temporary files, and for its home directory: a folder of the host, which is removed at the end.
 *
 * It is locked as long as this process lives. After a SIGKILL the next process of the same user that makes one removes it.
 */
export class TemporaryFolder {
	readonly #folder: FileDescriptor;
	readonly #above: FileDescriptor;
	readonly #name: string;

	private constructor(above: FileDescriptor, folder: FileDescriptor, name: string) {
		this.#above = above;
		this.#folder = folder;
		this.#name = name;
	}

	/** Makes the folder, whose path is not taken yet. */
	static make(path: string): TemporaryFolder {
		const name = basename(path);
		let [above, folder]: (FileDescriptor | undefined)[] = [];
		let made: Location | undefined;
		try {
			above = openat2(dirname(path), { flags: ["path", "directory"], resolve: ["noSymlinks"] });
			// Under its own name it is locked from the first moment on.
			const [first, last] = [new Location(above, `${name}.new`), new Location(above, name)];
			mkdir(first, { mode: 0o700 });
			made = first;
			folder = openat2(first, { flags: ["directory", "nofollow"] });
			flock(folder, "exclusive");
			rename(first, last, { flags: ["noreplace"] });
			made = last;
			mkdir(new Location(folder, HOME), { mode: 0o700 });
			return new TemporaryFolder(above, folder, name);
		} catch (error) {
			if (made) removeEmpty(made);
			folder?.close();
			above?.close();
			if (!(error instanceof SyscallError)) throw error;
			const message = `cannot make ${path} for the temporary files of a sandbox: ${error.message}. TMPDIR names the folder in which it is made: this process has to be able to write it`;
			throw new SandboxError("PATH", message, { cause: error, step: "tmp" });
		}
	}

	/** The folder, for a rule. */
	get descriptor(): FileDescriptor {
		return this.#folder;
	}

	/** Removes the folder at once, which no program has had. */
	discard(): void {
		removeEmpty(new Location(this.#folder, HOME));
		removeEmpty(new Location(this.#above, this.#name));
		this.#folder.close();
		this.#above.close();
	}

	/** Removes the folder with everything in it. Another folder that has its name by now stays. */
	async remove(): Promise<void> {
		try {
			const { dev, ino = 0n } = statx(this.#folder, { mask: ["ino"] });
			using present = openat2(new Location(this.#above, this.#name), { flags: ["path", "nofollow"] });
			if (!sameFile(present, { device: dev, inode: ino })) return;
			await removeFrom(this.#above, this.#name);
		} catch (error) {
			if (!(error instanceof SyscallError) || error.code !== "ENOENT") throw error; // somebody else has removed it
		} finally {
			Task.near.run(() => {
				this.#folder.close();
				this.#above.close();
			});
		}
	}
}

/** Removes an empty folder. One that cannot be removed stays: the error of what has failed before says more. */
function removeEmpty(place: Location): void {
	try {
		rmdir(place);
	} catch (error) {
		if (!(error instanceof SyscallError)) throw error;
	}
}

async function removeFrom(above: FileDescriptor, name: string): Promise<void> {
	const steps = removing(above, name, () => {});
	for (let done = false; !done; ) {
		Task.near.run(() => {
			for (let count = 0; count < AT_ONCE && !done; count++) done = steps.next().done === true;
		});
		if (!done) await new Promise((resolve) => setImmediate(resolve));
	}
}

/** Removes the folders that a process of this user has left behind because it was killed. Each process does this once. */
export async function sweep({ confined }: Blueprint): Promise<void> {
	const above = dirname(confined?.tmp ?? "/");
	if (swept.has(above)) return;
	swept.add(above);
	for (const name of namesIn(above)) {
		if (!pattern.test(name)) continue;
		try {
			await removeAbandoned(above, name);
		} catch (error) {
			if (!(error instanceof SyscallError)) throw error; // another process removes it at the same time, or this one may not
		}
	}
}

/** Returns the names in a folder. A folder that cannot be listed may be one in which files can be made: the attempt to make one tells. */
function namesIn(path: string): string[] {
	try {
		return readdirSync(path);
	} catch (error) {
		if (error instanceof Error && "syscall" in error) return [];
		throw error;
	}
}

async function removeAbandoned(above: string, name: string): Promise<void> {
	using folder = openat2(join(above, name), { flags: ["directory", "nofollow"] });
	const { uid } = statx(folder, { mask: ["uid"] });
	if (uid !== process.geteuid?.()) return;
	flock(folder, "exclusive"); // EWOULDBLOCK: its owner lives
	using parent = openat2(above, { flags: ["path", "directory"] });
	await removeFrom(parent, name);
}
