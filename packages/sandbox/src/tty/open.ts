import { type FileDescriptor, openat2, SyscallError, Task } from "@nearfar/core";
import { adoptDescriptor, native, numberOf } from "@nearfar/core/internal";
import { SandboxError } from "../errors.ts";
import type { TerminalSize } from "./size.ts";

/** ioctl_tty(2): the numbers are the same on x64 and arm64. */
const [TIOCSCTTY, TIOCSWINSZ, TIOCSPTLCK, TIOCGPTPEER] = [0x540e, 0x5414, 0x4004_5431, 0x5441];
const UNLOCKED = Buffer.alloc(4);
const PEER_FLAGS = 0o2_000_002; // O_RDWR and O_CLOEXEC
const NOCTTY = 0o400; // otherwise it could become that of this process

/** What a task has of a pseudoterminal, to be kept until it executes a program. */
export interface OpenTerminal {
	/** The end of this process. The caller closes it. */
	readonly master: FileDescriptor;
	/** The descriptors of the task: without a reference the garbage collector would close them. */
	readonly held: readonly FileDescriptor[];
}

/**
 * Makes a pseudoterminal in the devpts of a task. It becomes the controlling terminal of the task, and its descriptors 0, 1 and 2.
 *
 * @param task - The leader of a session that has no controlling terminal.
 * @param size - The size of the terminal.
 * @throws `ERR_NEARFAR_SANDBOX_UNAVAILABLE` The kernel refuses a call, as when it has no pseudoterminals left (`ENOSPC`).
 */
export async function openTerminal(task: Task, size: TerminalSize): Promise<OpenTerminal> {
	const held: FileDescriptor[] = [];
	try {
		await task.batch(() => {
			const master = openat2("/dev/ptmx", { flags: ["rdwr", "noctty"] });
			const number = numberOf(master);
			native().ioctlBytes(number, TIOCSPTLCK, UNLOCKED, false);
			native().ioctlBytes(number, TIOCSWINSZ, winsize(size), false);
			// Without O_NOCTTY it becomes the controlling terminal. By descriptor, so that no program of the sandbox can put another file
			// into its place.
			const slave = adoptDescriptor(native().ioctl(number, TIOCGPTPEER, PEER_FLAGS, true));
			held.push(master, slave);
			for (const standard of [0, 1, 2]) held.push(slave.dupTo(standard, { closeOnExec: false }));
		});
		return { master: task.get(held[0] as FileDescriptor), held };
	} catch (error) {
		throw refused(error);
	}
}

/**
 * Makes a pseudoterminal in the devpts of this process, for a task that may not open one. It becomes the controlling terminal of the
 * task, and its descriptors 0, 1 and 2.
 *
 * @param task - The leader of a session that has no controlling terminal.
 * @param size - The size of the terminal.
 * @throws `ERR_NEARFAR_SANDBOX_UNAVAILABLE` The kernel refuses a call, as when it has no pseudoterminals left (`ENOSPC`).
 */
export async function passTerminal(task: Task, size: TerminalSize): Promise<OpenTerminal> {
	const held: FileDescriptor[] = [];
	let master: FileDescriptor | undefined;
	try {
		const pair = Task.near.run(() => openPair(size));
		master = pair.master;
		using slave = pair.slave;
		await task.batch(() => {
			const far = task.put(slave);
			native().ioctlBytes(numberOf(far), TIOCSCTTY, UNLOCKED, false); // any argument but 1, which takes a terminal from others
			held.push(far);
			for (const standard of [0, 1, 2]) held.push(far.dupTo(standard, { closeOnExec: false }));
		});
		return { master, held };
	} catch (error) {
		master?.close();
		throw refused(error);
	}
}

function openPair(size: TerminalSize): { master: FileDescriptor; slave: FileDescriptor } {
	const master = openat2("/dev/ptmx", { flags: ["rdwr", "noctty"] });
	try {
		native().ioctlBytes(numberOf(master), TIOCSPTLCK, UNLOCKED, false);
		setSize(master, size);
		return { master, slave: adoptDescriptor(native().ioctl(numberOf(master), TIOCGPTPEER, PEER_FLAGS | NOCTTY, true)) };
	} catch (error) {
		master.close();
		throw error;
	}
}

function refused(error: unknown): unknown {
	if (!(error instanceof SyscallError)) return error;
	return new SandboxError("UNAVAILABLE", `cannot make a pseudoterminal in the sandbox: ${error.message}`, {
		cause: error,
		step: "tty",
	});
}

/** Sets the size of a terminal. The processes in its foreground get SIGWINCH if the size is another one. */
export function setSize(master: FileDescriptor, size: TerminalSize): void {
	native().ioctlBytes(numberOf(master), TIOCSWINSZ, winsize(size), false);
}

/** Returns `struct winsize`. */
function winsize({ columns, rows }: TerminalSize): Uint8Array {
	return new Uint8Array(Uint16Array.of(rows, columns, 0, 0).buffer);
}
