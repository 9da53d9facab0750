import { Task } from "@nearfar/core";

const SYS_keyctl = process.arch === "arm64" ? 219 : 250;
const [KEYCTL_GET_KEYRING_ID, KEYCTL_JOIN_SESSION_KEYRING, KEY_SPEC_SESSION_KEYRING] = [0, 1, -3];

/** Whether a program of this process can reach a session keyring. `undefined`: the kernel was not asked yet. */
let reachable: boolean | undefined;

/** Gives a task a session keyring of its own. Where a filter refuses keyctl(2), or the kernel has no keys, no program reaches one. */
export function joinSessionKeyring(task: Task): void {
	reachable ??= isReachable();
	if (reachable) task.syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, 0);
}

function isReachable(): boolean {
	try {
		Task.near.syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0);
		return true;
	} catch (error) {
		const { code } = error as { code?: string };
		return code !== "EPERM" && code !== "ENOSYS";
	}
}
