import { SyscallError } from "@nearfar/core";
import type { Directory } from "./directory.ts";
import { missingError, occupiedError } from "./refusals.ts";
import { enabledIn } from "./state.ts";

/** Makes controllers available in the children of a directory. Those that already are stay as they are. */
export function enableIn(directory: Directory, controllers: readonly string[]): void {
	const enabled = enabledIn(directory);
	const wanted = [...new Set(controllers)].filter((name) => !enabled.includes(name));
	if (wanted.length === 0) return;
	const what = `enable ${wanted.join(", ")} below ${directory.path}`;
	const refusal = missingError(directory, wanted, what) ?? occupiedError(directory, what);
	if (refusal) throw refusal;
	try {
		// One write: the kernel enables all of them, or none.
		directory.write("cgroup.subtree_control", wanted.map((name) => `+${name}`).join(" "));
	} catch (error) {
		// A process has moved in since the look.
		const isBusy = error instanceof SyscallError && error.code === "EBUSY";
		throw (isBusy && occupiedError(directory, what, error)) || error;
	}
}
