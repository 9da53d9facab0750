import type { Directory } from "./directory.ts";
import { CgroupError } from "./errors.ts";
import { refuseOwn } from "./own.ts";
import { parseState, waitForState } from "./waiting.ts";

const FILE = "cgroup.freeze";

/** Freezes the processes of a cgroup and below. Resolves when the last one is frozen. */
export async function freeze(directory: Directory): Promise<void> {
	refuseOwn(directory, "freeze");
	await directory.writeInHelper(FILE, "1");
	await waitForState(directory, ({ frozen }) => {
		if (!frozen && isWritten(directory, "0")) throw changedError(directory, "freeze", "thawed");
		return frozen;
	});
}

/** Lets the processes of a cgroup and below go on. Resolves when the kernel says that they are not frozen. */
export async function thaw(directory: Directory): Promise<void> {
	await directory.writeInHelper(FILE, "0");
	await waitForState(directory, ({ frozen }) => {
		if (frozen && isWritten(directory, "1")) throw changedError(directory, "thaw", "frozen");
		if (frozen) refuseBelowFrozen(directory);
		return !frozen;
	});
}

function isWritten(directory: Directory, value: string): boolean {
	return directory.read(FILE).trim() === value;
}

function changedError({ path }: Directory, what: string, by: string): CgroupError {
	return new CgroupError("busy", `cannot ${what} ${path}: it was ${by} meanwhile`, `decide who freezes ${path}`);
}

/** A cgroup below a frozen one stays frozen, whatever its own file says. */
function refuseBelowFrozen(directory: Directory): void {
	const parent = directory.parent();
	if (!parent) return;
	using _ = parent.fd;
	const text = parent.readIfThere("cgroup.events"); // the root has no such file
	if (text === undefined || !parseState(text).frozen) return;
	throw new CgroupError(
		"busy",
		`cannot thaw ${directory.path}: ${parent.path} is frozen, and so is everything below`,
		`thaw ${parent.path}`,
	);
}
