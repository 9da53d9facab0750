import type { Cgroup } from "@nearfar/cgroup";
import { type FileDescriptor, Location, NearfarError, openat2, type Process, SyscallError, Task } from "@nearfar/core";
import { openProcessFolder, readAll, withPidfd } from "@nearfar/core/internal";
import { SandboxError } from "../errors.ts";
import type { Guarantee } from "../guarantees.ts";

/** What the group of a command says of it. */
export interface Account {
	/** Whether the kernel has killed it because of a limit of memory. */
	readonly killed: boolean;
	/** The most bytes of memory. `undefined`: the kernel does not say. */
	readonly peak: number | undefined;
	/** How often one of its programs was refused another process. */
	readonly refused: number;
}

/** The group of a command, and of what it starts. */
export class Leaf {
	readonly #cgroup: Cgroup;
	/** The last components of its path. */
	readonly #path: string;
	#isRead = false;

	constructor(cgroup: Cgroup, path: string) {
		this.#cgroup = cgroup;
		this.#path = path;
	}

	/** The directory into which a task is cloned. */
	get fd(): FileDescriptor {
		return this.#cgroup.fd;
	}

	/** Reads where a process is. Throws if the process is anywhere else than in this group. */
	holds(process: Process): Guarantee {
		return placeOf(process, this.#path);
	}

	/** Reads what the command has come to. Called when it has ended. */
	read(): Account {
		this.#isRead = true;
		try {
			const { memory, pids } = this.#cgroup.stat();
			return { killed: (memory?.events.oomKill ?? 0) > 0, peak: memory?.peak, refused: pids?.max ?? 0 };
		} catch (error) {
			if (isRemoved(error)) return { killed: false, peak: undefined, refused: 0 };
			throw error;
		}
	}

	/** Whether nothing of the command is left, and it is known what the command has come to: the group of a zombie is empty, too. */
	get isEmpty(): boolean {
		try {
			return this.#isRead && !this.#cgroup.populated;
		} catch (error) {
			if (isRemoved(error)) return true;
			throw error;
		}
	}

	/** Kills what is left in the group, and removes it. */
	async remove(): Promise<void> {
		await this.#cgroup.remove();
	}
}

/** Somebody outside, such as systemd, may remove the groups of a sandbox when everything in them has ended. */
export function isRemoved(error: unknown): boolean {
	return error instanceof NearfarError && "reason" in error && error.reason === "removed";
}

/**
 * Reads where a process is. Throws if that is anywhere else than it should be.
 *
 * @param expected - The last components of the path.
 */
export function placeOf(process: Process, expected: string): Guarantee {
	const path = cgroupOf(process);
	if (path === undefined) return { relaxed: "/proc does not show in which group a process is" };
	if (path.endsWith(expected)) return true;
	const message = `cannot enforce options.limits: process ${process.pid} is in the cgroup ${path}, and not in ${expected}`;
	throw new SandboxError("LIMIT", message, { step: "cgroup" });
}

/** Returns the path of the cgroup of a process. `undefined`: `/proc` does not show it. */
function cgroupOf(process: Process): string | undefined {
	return Task.near.run(() =>
		withPidfd(process, (pidfd) => {
			try {
				using folder = openProcessFolder(pidfd);
				if (!folder) return undefined;
				using file = openat2(new Location(folder, "cgroup"));
				return /^0::(.*)$/m.exec(readAll(file).toString())?.[1];
			} catch (error) {
				if (error instanceof SyscallError && error.code === "ENOENT") return undefined;
				throw error;
			}
		}),
	);
}
