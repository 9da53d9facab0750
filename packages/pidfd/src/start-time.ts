import { type FileDescriptor, Location, openat2, SyscallError } from "@nearfar/core";
import { isReaped, openProcessFolder, taskOf } from "@nearfar/core/internal";

const ESRCH = 3;
const ENOENT = 2;
const START_TIME = 22 - 3; // proc(5) counts the fields from 1. The field after the name is the third.
const MOST = 1024; // bytes; a line of /proc/<pid>/stat is shorter

/** Returns when the process of a pidfd of the current task started: field 22 of `/proc/<pid>/stat`. */
export function readStartTime(pidfd: number): number {
	using folder = openFolder(pidfd);
	// A file below the folder is one of the same process, or cannot be read because the process was reaped.
	const stat = folder && readStat(folder);
	if (stat === undefined) throw isReaped(pidfd) ? noSuchProcess("openat2") : notInProc();
	// The name of the program is in parentheses, and may hold spaces, parentheses and newlines.
	return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[START_TIME]);
}

/**
 * Throws unless the process of a pidfd of the current task started at this time.
 *
 * @param process - What the error names: the process that the caller has asked for.
 */
export function checkStartTime(pidfd: number, startTime: number, process: string): void {
	const found = readStartTime(pidfd);
	if (found !== startTime)
		throw noSuchProcess("pidfd_open", `${process} that started at ${startTime}: it started at ${found}`);
}

function openFolder(pidfd: number): FileDescriptor | undefined {
	try {
		return openProcessFolder(pidfd);
	} catch (error) {
		if (isError(error, "ENOENT")) return undefined;
		throw error;
	}
}

function readStat(folder: FileDescriptor): string | undefined {
	try {
		using stat = openat2(new Location(folder, "stat"));
		return stat.read(MOST).toString("latin1");
	} catch (error) {
		if (isError(error, "ENOENT") || isError(error, "ESRCH")) return undefined;
		throw error;
	}
}

function isError(error: unknown, code: string): boolean {
	return error instanceof SyscallError && error.code === code;
}

function noSuchProcess(syscall: string, of?: string): SyscallError {
	return new SyscallError({ code: "ESRCH", errno: ESRCH, syscall, ...(of && { of }) }, taskOf());
}

function notInProc(): SyscallError {
	const hint = "/proc is not mounted, or does not show the process: see hidepid in proc(5), and pid_namespaces(7)";
	return new SyscallError({ code: "ENOENT", errno: ENOENT, syscall: "openat2" }, { path: "/proc", hint, ...taskOf() });
}
