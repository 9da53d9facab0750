import { BatchError, type FileDescriptor, Location, mkdir, openat2, rmdir, SyscallError, Task } from "@nearfar/core";
import { currentBatch, inHelper, native, numberOf, readAll, withFile } from "@nearfar/core/internal";
import { CgroupError } from "./errors.ts";

const CGROUP2_MAGIC = 0x63677270; // CGROUP2_SUPER_MAGIC

const SHORT_FILE = 4096; // bytes: more than `cgroup.events`, `memory.events` and the files of pressure have

/** No link and no mount of somebody else can lead a call out of the directory. */
const inside = ["beneath", "noSymlinks", "noXdev"] as const;

/** Runs `fn` in this process, whichever task is current. A batch has no value to return yet, and is refused. */
export function near<T>(what: string, fn: () => T): T {
	if (currentBatch()) {
		throw new BatchError(`cannot ${what} in a batch: a Cgroup is used in this process; call it before the batch`);
	}
	return Task.near.run(fn);
}

/** Returns whether an open file of this process lies on a cgroup2 file system. */
export function isOnCgroup2(file: FileDescriptor): boolean {
	return native().fileSystemType(numberOf(file)) === CGROUP2_MAGIC;
}

/** A directory of cgroup v2, held by a descriptor of this process. Every call is made near, and no path is looked up again. */
export class Directory {
	/** The path below the mount, for messages. */
	readonly path: string;

	readonly #fd: FileDescriptor;
	#ended = false;

	constructor(fd: FileDescriptor, path: string) {
		this.#fd = fd;
		this.path = path;
	}

	/** Opened with `path`. */
	get fd(): FileDescriptor {
		if (this.#ended) throw this.removedError();
		return this.#fd;
	}

	/** Whether {@link Directory.end} was called. */
	get ended(): boolean {
		return this.#ended;
	}

	/** The last component of the path. The root of a mount has an empty name. */
	get name(): string {
		return this.path.slice(this.path.lastIndexOf("/") + 1);
	}

	/** Whether the directory was removed. */
	get removed(): boolean {
		return this.#ended || near("look at a cgroup", () => !this.#exists());
	}

	/** Returns the text of a file. */
	read(file: string): string {
		return near(`read ${file}`, () =>
			this.#explained(file, () => {
				using opened = this.#open(file, []);
				return readAll(opened).toString();
			}),
		);
	}

	/** Returns the text of a file. `undefined`: the directory has no such file, because of its controllers or its kernel. */
	readIfThere(file: string): string | undefined {
		try {
			return this.read(file);
		} catch (error) {
			if (error instanceof SyscallError && error.code === "ENOENT") return undefined;
			throw error;
		}
	}

	/** Returns the text of a short file that is open, from its beginning. */
	readOpen(opened: FileDescriptor, file: string): string {
		return near(`read ${file}`, () => this.#explained(file, () => opened.read(SHORT_FILE, { position: 0 }).toString()));
	}

	/** Opens a file. The caller closes it. */
	open(file: string, flags: readonly ["rdwr" | "wronly"] | readonly []): FileDescriptor {
		return near(`open ${file}`, () => this.#explained(file, () => this.#open(file, flags)));
	}

	/** Writes a file in a task beside this process: the kernel may reclaim, kill or wait before the write returns. */
	async writeInHelper(file: string, text: string): Promise<void> {
		using opened = this.open(file, ["wronly"]);
		await this.#inHelper(file, opened, (copy) => void copy.write(text));
	}

	/** Writes a file, in this process: for files whose writing cannot take long. */
	write(file: string, text: string): void {
		near(`write ${file}`, () =>
			this.#explained(file, () => {
				using opened = this.#open(file, ["wronly"]);
				opened.write(text);
			}),
		);
	}

	/** Makes a directory in this one, and opens it. */
	make(name: string): Directory {
		near("make a cgroup", () => this.#explained(name, () => mkdir(new Location(this.fd, name), { mode: 0o755 })));
		try {
			return this.child(name);
		} catch (error) {
			this.removeAgain(name);
			throw error;
		}
	}

	/** Opens a directory in this one. */
	child(name: string | Buffer): Directory {
		const fd = near("open a cgroup", () =>
			this.#explained(name, () =>
				openat2(new Location(this.fd, name), { flags: ["path", "directory"], resolve: inside }),
			),
		);
		return new Directory(fd, this.#pathOf(name));
	}

	/** Removes a directory in this one, which has neither processes nor directories. */
	removeChild(name: string): void {
		near("remove a cgroup", () => this.#explained(name, () => rmdir(new Location(this.fd, name))));
	}

	/** Removes a directory that was just made, after an error that is the one to report. */
	removeAgain(name: string): void {
		try {
			this.removeChild(name);
		} catch (error) {
			// Another program has removed it, or it has processes by now.
			if (!(error instanceof SyscallError || error instanceof CgroupError)) throw error;
		}
	}

	/** Removes a directory in this one, in a task beside this process: the kernel makes the call wait for other changes of cgroups. */
	async removeInHelper(name: string | Buffer): Promise<void> {
		await this.#inHelper(name, this.fd, (copy) => rmdir(new Location(copy, name)));
	}

	/** Opens the directory above. `undefined`: this is the root of the mount. */
	parent(): Directory | undefined {
		if (this.path === "/") return undefined;
		return near("open a cgroup", () => {
			try {
				const fd = this.#explained("..", () =>
					openat2(new Location(this.fd, ".."), { flags: ["path", "directory"], resolve: ["noSymlinks", "noXdev"] }),
				);
				return new Directory(fd, this.path.slice(0, this.path.lastIndexOf("/")) || "/");
			} catch (error) {
				if (error instanceof SyscallError && error.code === "EXDEV") return undefined;
				throw error;
			}
		});
	}

	/** Closes the descriptor of a directory that was removed. Every use says so from now on. */
	end(): void {
		this.#ended = true;
		this.#fd.close();
	}

	/** Returns the error for a use of this directory after its end. */
	removedError(cause?: unknown): CgroupError {
		const hint = "this program or another one has removed it, or its scope has ended: make another one";
		return new CgroupError("removed", `the cgroup ${this.path} was removed`, hint, { cause });
	}

	#pathOf(name: string | Buffer): string {
		return `${this.path === "/" ? "" : this.path}/${name}`;
	}

	#open(file: string, flags: readonly ("rdwr" | "wronly")[]): FileDescriptor {
		return openat2(new Location(this.fd, file), { flags, resolve: inside });
	}

	/** Makes calls about a file in a task beside this process, with a copy of a descriptor. */
	async #inHelper(file: string | Buffer, fd: FileDescriptor, fn: (copy: FileDescriptor) => void): Promise<void> {
		try {
			await inHelper((helper) => {
				using copy = helper.put(fd);
				fn(copy);
			});
		} catch (error) {
			if (!(error instanceof SyscallError)) throw error;
			// The caller knows neither the task nor the number of its call.
			const { code, errno, syscall } = error;
			this.#explained(file, () => {
				throw new SyscallError({ code, errno: -errno, syscall }, { path: this.#pathOf(file) });
			});
		}
	}

	#exists(): boolean {
		try {
			this.#open("cgroup.controllers", []).close();
			return true;
		} catch (error) {
			if (error instanceof SyscallError && isGone(error)) return false;
			throw error;
		}
	}

	/** Runs `fn`, whose calls are about a file of this directory. Says so if the directory was removed. */
	#explained<T>(file: string | Buffer, fn: () => T): T {
		try {
			return withFile(this.#pathOf(file), fn);
		} catch (error) {
			if (!(error instanceof SyscallError) || !isGone(error) || this.#exists()) throw error;
			throw this.removedError(error);
		}
	}
}

/** The kernel answers ENOENT for a name in a removed directory, and ENODEV for a file that was open. */
function isGone({ code }: SyscallError): boolean {
	return code === "ENOENT" || code === "ENODEV";
}
