import { type DirectoryEntry, readdir, SyscallError } from "@nearfar/core";
import { type Directory, near } from "./directory.ts";
import { isRemovedError } from "./errors.ts";
import { idOf } from "./own.ts";
import { pidsIn } from "./state.ts";

/** A directory in another one. Its name is bytes, because another program may have chosen it. */
interface Child {
	readonly name: Buffer;
	readonly directory: Directory;
}

/** Opens the directories in a directory, one after the other. Each is closed before the next one is opened. */
export function* childrenOf(directory: Directory): Generator<Child, void> {
	for (const { name, type } of list(directory)) {
		const child = type === "directory" ? openChild(directory, name) : undefined;
		if (!child) continue;
		using _ = child.fd;
		yield { name, directory: child };
	}
}

/** Calls `fn` with a directory and with each one below. What is removed meanwhile is left out. */
function eachBelow(directory: Directory, fn: (each: Directory) => unknown): void {
	try {
		fn(directory);
		for (const child of childrenOf(directory)) eachBelow(child.directory, fn);
	} catch (error) {
		if (!isRemovedError(error)) throw error;
	}
}

/** Returns the processes of a directory and of those below. 0 stands for a process of another pid namespace. */
export function pidsBelow(directory: Directory): number[] {
	const pids = new Set<number>();
	eachBelow(directory, (each) => {
		for (const pid of pidsIn(each) ?? []) pids.add(pid); // the threads of a threaded cgroup are listed in its domain
	});
	return [...pids];
}

/** Returns the ids of a directory and of those below. */
export function idsBelow(directory: Directory): bigint[] {
	const ids: bigint[] = [];
	eachBelow(directory, (each) => ids.push(idOf(each)));
	return ids;
}

function list(directory: Directory): DirectoryEntry<Buffer>[] {
	try {
		return near("list a cgroup", () => readdir(directory.fd, { encoding: "buffer" }));
	} catch (error) {
		if (directory.removed) return [];
		throw error;
	}
}

function openChild(directory: Directory, name: Buffer): Directory | undefined {
	try {
		return directory.child(name);
	} catch (error) {
		if (error instanceof SyscallError && error.code === "ENOENT") return undefined;
		throw error;
	}
}
