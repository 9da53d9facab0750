import { fstatSync, readdirSync, readFileSync, readlinkSync } from "node:fs";

/** `O_CLOEXEC`, which Node sets on descriptors that it has got from its parent as well. */
const CLOEXEC = 0o2000000;

/**
 * Returns the descriptors above 2 that this process has got from its parent. Node has opened others before any of our code runs:
 * those of its event loops, pipes of which it has both ends, and `/dev/null`. Without `/proc` nothing is known, and none is returned.
 */
export function inheritedDescriptors(): number[] {
	const found: { fd: number; target: string; own: boolean }[] = [];
	for (const fd of numbers()) {
		try {
			const target = readlinkSync(`/proc/self/fd/${fd}`);
			fstatSync(fd); // the list has had a descriptor of its own, which is closed
			found.push({
				fd,
				target,
				own: isClosedOnExec(fd) && (target.startsWith("anon_inode:") || target === "/dev/null"),
			});
		} catch (error) {
			const { code } = error as NodeJS.ErrnoException;
			if (code !== "ENOENT" && code !== "EBADF") throw error;
		}
	}
	const isPair = (target: string) =>
		target.startsWith("pipe:") && found.filter((other) => other.target === target).length > 1;
	return found.filter(({ target, own }) => !own && !isPair(target)).map(({ fd }) => fd);
}

function numbers(): number[] {
	try {
		return readdirSync("/proc/self/fd")
			.map(Number)
			.filter((fd) => fd > 2);
	} catch {
		return []; // there is no /proc
	}
}

function isClosedOnExec(fd: number): boolean {
	const [, flags = "0"] = /^flags:\s*(\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, "utf8")) ?? [];
	return (Number.parseInt(flags, 8) & CLOEXEC) !== 0;
}
