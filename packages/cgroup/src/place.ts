import {
	type FileDescriptor,
	Location,
	type LocationLike,
	openat2,
	Process,
	readlink,
	SyscallError,
} from "@nearfar/core";
import {
	adoptDescriptor,
	pid as checkPid,
	foldersOfCgroup,
	mountThatHolds,
	native,
	numberOf,
	openOwnProc,
	openProcessFolder,
	parseMounts,
	readAll,
	type SeenMount,
	visiblePid,
	wrongType,
} from "@nearfar/core/internal";
import { Directory, isOnCgroup2, near } from "./directory.ts";
import { CgroupError } from "./errors.ts";
import { switchToV2 } from "./hints.ts";

const ESRCH = 3;
const folderFlags = { flags: ["path", "directory"] } as const;

/** The directory of the cgroup in which a process is. */
export interface Place {
	readonly directory: Directory;
	/** The path of the cgroup from the root of this process's cgroup namespace. */
	readonly path: string;
}

/** Opens the directory of the cgroup in which a process is. `undefined`: this process. */
export function openCurrent(process: number | Process | undefined): Place {
	return near("find a cgroup", () => {
		const text = readCgroups(process);
		const path = /^0::(.*)$/m.exec(text)?.[1];
		const mounts = ownMounts();
		if (path?.startsWith("/..")) throw outsideError(path);
		if (path === undefined || !mounts.some(({ fstype }) => fstype === "cgroup2")) throw notMountedError(mounts, text);
		for (const folder of foldersOfCgroup(mounts, path)) {
			const directory = directoryAt(openFolder(folder, path), mounts);
			if (directory) return { directory, path };
		}
		throw new CgroupError(
			"not-mounted",
			`no mount of cgroup2 in sight shows the cgroup ${path} of ${process ?? "this process"}`,
			"mount cgroup2 anew in this mount namespace and this cgroup namespace",
		);
	});
}

/** Opens a directory of a cgroup2 file system. */
export function openAt(at: LocationLike): Directory {
	return near("open a cgroup", () => {
		const fd = openat2(at, folderFlags);
		try {
			if (isOnCgroup2(fd)) return new Directory(fd, pathBelowMount(fd, ownMounts()));
			const path = linkOf(fd);
			throw new CgroupError(
				"not-cgroup2",
				`cannot use ${path} as a cgroup: it is no directory of a cgroup2 file system`,
				"pass a directory of cgroup v2, such as one below /sys/fs/cgroup; those of cgroup v1 cannot be used",
			);
		} catch (error) {
			fd.close();
			throw error;
		}
	});
}

/** Returns the text of `/proc/PID/cgroup`. */
function readCgroups(process: number | Process | undefined): string {
	using file = process === undefined ? openOwnProc("self/cgroup") : openCgroupsOf(toPid(process));
	return readAll(file).toString();
}

/** Opens the file of a process that this process knows by this pid. The mounted `/proc` may use other numbers. */
function openCgroupsOf(pid: number): FileDescriptor {
	using pidfd = adoptDescriptor(native().pidfdOpen(pid, 0));
	using folder = openProcessFolder(numberOf(pidfd));
	if (!folder) throw new SyscallError({ code: "ESRCH", errno: ESRCH, syscall: "openat2" });
	return openat2(new Location(folder, "cgroup"));
}

/** Returns the pid of a process in the pid namespace of this process. */
export function toPid(process: number | Process): number {
	if (process instanceof Process) return visiblePid(process);
	if (typeof process !== "number") throw wrongType("process", "a number or a Process", process);
	return checkPid(process, "process");
}

function openFolder(folder: string, path: string): FileDescriptor {
	try {
		return openat2(folder, folderFlags);
	} catch (error) {
		if (!(error instanceof SyscallError) || error.code !== "ENOENT") throw error;
		const hint = "the process has ended, or its cgroup was removed meanwhile";
		throw new CgroupError("removed", `the cgroup ${path} was removed`, hint, { cause: error });
	}
}

/** Returns the directory of a descriptor. `undefined`: another mount hides the one of cgroup2, and the descriptor is closed. */
function directoryAt(fd: FileDescriptor, mounts: readonly SeenMount[]): Directory | undefined {
	try {
		if (isOnCgroup2(fd)) return new Directory(fd, pathBelowMount(fd, mounts));
	} catch (error) {
		fd.close();
		throw error;
	}
	fd.close();
	return undefined;
}

function ownMounts(): SeenMount[] {
	using file = openOwnProc("self/mountinfo");
	return parseMounts(readAll(file).toString());
}

/** Returns the path of an open directory below the mount that holds it. For messages: without `/proc` it is that of a mount's root. */
function pathBelowMount(fd: FileDescriptor, mounts: readonly SeenMount[]): string {
	const path = linkOf(fd);
	const place = mountThatHolds(path, mounts)?.at ?? "/";
	const below = place === "/" ? path : path.slice(place.length);
	return below === "" ? "/" : below;
}

function linkOf(fd: FileDescriptor): string {
	return readlink(`/proc/self/fd/${fd.fd}`);
}

function outsideError(path: string): CgroupError {
	return new CgroupError(
		"outside-namespace",
		`the cgroup ${path} lies outside the cgroup namespace of this process`,
		"look from the cgroup namespace of the process, or enter a new one only when the process is in its cgroup",
	);
}

function notMountedError(mounts: readonly SeenMount[], cgroups: string): CgroupError {
	if (!mounts.some(({ fstype }) => fstype === "cgroup")) {
		const hint = "mount cgroup2 at /sys/fs/cgroup, or start the container with it";
		return new CgroupError("not-mounted", "no cgroup2 file system is mounted in this mount namespace", hint);
	}
	const held = [...cgroups.matchAll(/^[1-9]\d*:([^:=]+):/gm)].map(([, names]) => names).join(", ");
	return new CgroupError("v1", `this host has cgroup v1 alone, with ${held || "no controller"}`, switchToV2());
}
