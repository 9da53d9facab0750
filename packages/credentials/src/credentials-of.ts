import { BatchError, ChildProcess, FileDescriptor, NearfarError, SyscallError } from "@nearfar/core";
import { currentBatch, native, numberOf, openOwnProc, pidInProc, taskOf, wrongType } from "@nearfar/core/internal";

const READ = 65536; // bytes; a process with thousands of groups needs several reads of the one open file
const [ESRCH, EBADF] = [3, 9];

/** The ids of a process: see {@link credentialsOf}. */
export interface Credentials {
	/** The real user id. */
	uid: number;
	/** The effective user id, which the kernel checks permissions with. */
	euid: number;
	/** The saved user id, which the effective one may change back to. */
	suid: number;
	/** The user id for file accesses. */
	fsuid: number;
	/** The real group id. */
	gid: number;
	/** The effective group id. */
	egid: number;
	/** The saved group id. */
	sgid: number;
	/** The group id for file accesses. */
	fsgid: number;
	/** The supplementary groups, ascending. */
	groups: number[];
}

/**
 * Returns the ids and the groups of any process, all as of one moment.
 *
 * The kernel writes `/proc/<pid>/status` from one snapshot. The pidfd makes sure that the file is the process's: another process that gets
 * the pid is never read. A process that has ended has its ids until it is reaped.
 *
 * @param process - A pidfd of the current task, such as a `PidFd`, or a child, which stands for its `fd`. In a process with several
 * threads the ids are those of the thread that the pidfd is for, by default the first one.
 * @returns Each id 0 to 4294967294, as the user namespace of the current task counts; 65534 for an id that it does not map.
 * @throws `ESRCH` The process was reaped, or the task does not see it in its pid namespace or in `/proc`.
 * @throws `EBADF` The descriptor is not a pidfd.
 * @throws `ENOENT` No procfs is mounted on `/proc`.
 * @throws `ERR_NEARFAR_BATCH` The call is inside a batch, which has no value to return yet.
 * @throws `ERR_NEARFAR_CLOSED` The child was reaped, or the descriptor was closed.
 * @throws `ERR_NEARFAR_FD_TABLE_MISMATCH` The descriptor is not one of the current task.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `TypeError` `process` is neither a descriptor nor a child.
 * @example
 * ```ts
 * await using task = await Task.clone({ namespaces: ["user"], idMap: "root" });
 * console.log(credentialsOf(task.process).uid === getuid()); // true: user 0 inside is this user out here
 * ```
 * @see proc_pid_status(5), pidfd_open(2), Linux 5.3; no privilege, unless `/proc` is mounted with hidepid
 */
export function credentialsOf(process: FileDescriptor | ChildProcess): Credentials {
	const fd = process instanceof ChildProcess ? process.fd : process;
	if (!(fd instanceof FileDescriptor)) throw wrongType("process", "a pidfd or a ChildProcess", process);
	if (currentBatch()) {
		throw new BatchError(
			"credentialsOf returns a value, and in a batch no call has run yet: call it before, or in task.run()",
		);
	}
	return parse(readStatus(numberOf(fd, "process")));
}

/** Reads the file of the process of a pidfd, up to the end of the groups. */
function readStatus(pidfd: number): string {
	const pid = look(pidfd);
	let text = "";
	if (pid !== undefined) {
		try {
			using status = openOwnProc(`${pid}/status`);
			// The kernel makes the whole text at the first read: later reads continue the same text.
			while (!/^Groups:.*\n/m.test(text)) {
				const more = status.read(READ);
				if (more.length === 0) break;
				text += more.toString("latin1");
			}
		} catch (error) {
			// The process was reaped, or /proc does not show it because of hidepid.
			if (!isError(error, "ENOENT") && !isError(error, "ESRCH")) throw error;
			text = "";
		}
	}
	// A process that still has its pid had the pid while the file was read.
	if (text === "" || look(pidfd) !== pid) {
		throw new SyscallError({ code: "ESRCH", errno: ESRCH, syscall: "openat2" }, taskOf());
	}
	return text;
}

/** Returns the pid of the process of a pidfd in `/proc`. `undefined`: the process was reaped, or is not visible there. */
function look(pidfd: number): number | undefined {
	try {
		return pidInProc(pidfd);
	} catch (error) {
		// A number that is not open is missing in /proc, too.
		if (isError(error, "ENOENT")) native().getFlags(pidfd);
		if (!isError(error, "ENOTTY")) throw error;
		const words = `descriptor ${pidfd} is not a pidfd`;
		throw new SyscallError({ code: "EBADF", errno: EBADF, syscall: "openat2", words }, taskOf());
	}
}

function parse(status: string): Credentials {
	const [uid, euid, suid, fsuid] = ids(status, "Uid");
	const [gid, egid, sgid, fsgid] = ids(status, "Gid");
	const groups = numbers(status, "Groups").sort((one, other) => one - other);
	return { uid, euid, suid, fsuid, gid, egid, sgid, fsgid, groups };
}

/** Returns the real, effective and saved id and the one for file accesses. */
function ids(status: string, name: string): [number, number, number, number] {
	const [real, effective, saved, file] = numbers(status, name);
	// A 0 in place of a missing number would be root.
	if (real === undefined || effective === undefined || saved === undefined || file === undefined) {
		throw new NearfarError("INTERNAL", `/proc/<pid>/status has no four numbers for ${name}`);
	}
	return [real, effective, saved, file];
}

function numbers(status: string, name: string): number[] {
	const line = new RegExp(`^${name}:[ \\t]*(.*)$`, "m").exec(status)?.[1] ?? "";
	return line.split(/\s+/).filter(Boolean).map(Number);
}

function isError(error: unknown, code: string): error is SyscallError {
	return error instanceof SyscallError && error.code === code;
}
