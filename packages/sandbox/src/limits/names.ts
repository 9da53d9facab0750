import { statSync } from "node:fs";
import type { Cgroup, CgroupLimits } from "@nearfar/cgroup";
import { type FileDescriptor, Location, openat2, readdir, rmdir, SyscallError, Task } from "@nearfar/core";
import { openOwnProc, readAll } from "@nearfar/core/internal";

/** The pid, the time of its start, its pid namespace, and a number. */
const ours = /^nearfar-(\d+)-(\d+)-(\d+)-\d+$/;

let made = 0;

/** Makes a group whose name says which process it belongs to. A copy of this module in another thread may have taken the same name. */
export function makeGroup(above: Cgroup, limits: CgroupLimits): Cgroup {
	const { pid, start, namespace } = ownIdentity();
	for (;;) {
		try {
			return above.create(`nearfar-${pid}-${start}-${namespace}-${++made}`, { limits });
		} catch (error) {
			if (!(error instanceof SyscallError) || error.code !== "EEXIST") throw error;
		}
	}
}

/**
 * Removes the groups that processes of this pid namespace have left behind, which have ended. No process is left in such a group: those
 * of a sandbox end with the process that has made it. A group in which one is left stays.
 */
export function removeLeftovers(above: Cgroup): void {
	const { namespace } = ownIdentity();
	Task.near.run(() => {
		using folder = openFolder(above.fd, ".");
		for (const name of foldersIn(folder)) {
			const [, pid, start, where] = ours.exec(name) ?? [];
			if (!pid || where !== namespace || identityOf(pid)?.start === start) continue;
			ignoringRefusals(() => {
				{
					using group = openFolder(folder, name);
					for (const child of foldersIn(group)) rmdir(new Location(group, child));
				}
				rmdir(new Location(folder, name));
			});
		}
	});
}

function openFolder(at: FileDescriptor, name: string): FileDescriptor {
	return openat2(new Location(at, name), { flags: ["directory"], resolve: ["beneath", "noSymlinks", "noXdev"] });
}

function foldersIn(folder: FileDescriptor): string[] {
	return readdir(folder).flatMap(({ name, type }) => (type === "directory" ? [name] : []));
}

/** Another process may remove the same group, have a process in it, or be another user. */
function ignoringRefusals(remove: () => void): void {
	try {
		remove();
	} catch (error) {
		if (!(error instanceof SyscallError)) throw error;
	}
}

let own: { pid: string; start: string; namespace: string } | undefined;

/** Returns the identity of this process, with the pid that the mounted `/proc` shows. */
function ownIdentity(): { pid: string; start: string; namespace: string } {
	if (own) return own;
	const identity = identityOf("self");
	if (!identity) throw new Error("/proc/self/stat does not exist");
	own = { ...identity, namespace: `${statSync("/proc/self/ns/pid").ino}` };
	return own;
}

/** Returns the pid of a process, and when it has started. `undefined`: there is no such process. */
function identityOf(pid: string): { pid: string; start: string } | undefined {
	return Task.near.run(() => {
		try {
			using file = openOwnProc(`${pid}/stat`);
			const text = readAll(file).toString();
			const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
			return { pid: text.slice(0, text.indexOf(" ")), start: fields[19] ?? "" };
		} catch (error) {
			// ENOENT: there is none; ESRCH: it has ended meanwhile.
			if (error instanceof SyscallError && (error.code === "ENOENT" || error.code === "ESRCH")) return undefined;
			throw error;
		}
	});
}
