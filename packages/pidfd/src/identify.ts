import { SyscallError } from "@nearfar/core";
import { native, pidfdInfoMask, pidsOfPidfd } from "@nearfar/core/internal";

const SIZE = 64; // bytes of the first struct pidfd_info

/** Who a pidfd of the current task stands for now; `undefined`: it was reaped, or cannot be seen from here. */
export function identifyProcess(pidfd: number): { pid: number; uid: number } | undefined {
	try {
		const info = native().pidfdInfo(pidfd, pidfdInfoMask.pid | pidfdInfoMask.creds, SIZE);
		return { pid: info.readUInt32LE(16), uid: info.readUInt32LE(28) };
	} catch (error) {
		if (!(error instanceof SyscallError)) throw error;
		if (error.code === "ESRCH" || error.code === "EREMOTE") return undefined;
		if (error.code !== "ENOTTY") throw error;
		const pid = pidInProc(pidfd); // before Linux 6.13
		return pid === undefined ? undefined : { pid, uid: 0 };
	}
}

/** The pid that `/proc` shows for a pidfd of the current task; `undefined`: it was reaped, or cannot be seen there. */
export function pidInProc(pidfd: number): number | undefined {
	const pids = pidsOfPidfd(pidfd);
	// As the kernel answers to the ioctls of a pidfd on another file.
	if (!pids) throw new SyscallError({ code: "ENOTTY", errno: 25, syscall: "ioctl" });
	return pids[0];
}
