import { SyscallError } from "@nearfar/core";
import { pidfdInfo, pidfdInfoMask, pidOfPidfd } from "@nearfar/core/internal";

const SIZE = 64; // bytes of the first version of struct pidfd_info

/** The ids by which the kernel reports a process. */
export interface Identity {
	readonly pid: number;
	/** The real user id. 0 before Linux 6.13. */
	readonly uid: number;
}

/**
 * Returns the ids of the process of a pidfd of the current task. `undefined`: the process was reaped, or is outside the
 * pid namespace of the task.
 */
export function identifyProcess(pidfd: number): Identity | undefined {
	try {
		const info = pidfdInfo(pidfd, pidfdInfoMask.pid | pidfdInfoMask.creds, SIZE);
		return { pid: info.readUInt32LE(16), uid: info.readUInt32LE(28) };
	} catch (error) {
		if (!(error instanceof SyscallError)) throw error;
		if (error.code === "ESRCH" || error.code === "EREMOTE") return undefined;
		if (error.code !== "ENOTTY") throw error;
		const pid = pidOfPidfd(pidfd); // before Linux 6.13
		return pid === undefined ? undefined : { pid, uid: 0 };
	}
}
