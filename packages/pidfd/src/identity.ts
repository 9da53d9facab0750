import { openat2, SyscallError } from "@nearfar/core";
import { native, pidfdInfoMask } from "@nearfar/core/internal";

const SIZE = 64; // bytes of the first struct pidfd_info
const FDINFO = 4096; // bytes that hold every /proc/pid/fdinfo of a pidfd

/** Who a pidfd of the current task stands for now; `undefined`: it was reaped, or cannot be seen from here. */
export function identify(pidfd: number): { pid: number; uid: number } | undefined {
	try {
		const info = native().pidfdInfo(pidfd, pidfdInfoMask.pid | pidfdInfoMask.creds, SIZE);
		return { pid: info.readUInt32LE(16), uid: info.readUInt32LE(28) };
	} catch (error) {
		if (!(error instanceof SyscallError)) throw error;
		if (error.code === "ESRCH" || error.code === "EREMOTE") return undefined;
		if (error.code !== "ENOTTY") throw error;
		const pid = shownPid(pidfd); // before Linux 6.13
		return pid === undefined ? undefined : { pid, uid: 0 };
	}
}

/** The pid that `/proc` shows for a pidfd of the current task; `undefined`: it was reaped, or cannot be seen there. */
export function shownPid(pidfd: number): number | undefined {
	using file = openat2(`/proc/self/fdinfo/${pidfd}`);
	const line = /^Pid:\t(-?\d+)$/m.exec(file.read(FDINFO).toString());
	// As the kernel answers to the ioctls of a pidfd on another file.
	if (!line) throw new SyscallError({ code: "ENOTTY", errno: 25, syscall: "ioctl" });
	return Number(line[1]) > 0 ? Number(line[1]) : undefined;
}
