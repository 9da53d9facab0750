import type { Directory } from "./directory.ts";
import { CgroupError } from "./errors.ts";
import { hintForMissing, occupiedHint } from "./hints.ts";
import { availableIn, isRoot, pidsIn, typeOf } from "./state.ts";

/**
 * Returns the error for a directory that has processes of its own, but for the root of all cgroups. The kernel would refuse to enable some
 * controllers there. It would accept others and make the directory threaded, with groups in it that take no process.
 *
 * @param what - What cannot be done.
 */
export function occupiedError(directory: Directory, what: string, cause?: unknown): CgroupError | undefined {
	const pids = pidsIn(directory);
	if (pids?.length === 0 || isRoot(directory)) return undefined;
	const found = pids ? `it has processes of its own: ${pids.join(", ")}` : "it is threaded";
	return new CgroupError("occupied", `cannot ${what}: ${found}`, occupiedHint, { pids: pids ?? [], cause });
}

/** Returns the error for a threaded directory: a directory that is made in it takes no process. */
export function threadedError(directory: Directory): CgroupError | undefined {
	const type = typeOf(directory);
	if (type === "domain") return undefined;
	const message = `cannot make a group in ${directory.path}: it is "${type}", and a group in it would take no process`;
	const hint =
		"use a directory that is not threaded; one is threaded while it has processes and `cpu` or `pids` enabled";
	return new CgroupError("occupied", message, hint, { pids: pidsIn(directory) ?? [] });
}

/** Returns the error if a directory does not have all of some controllers. */
export function missingError(
	directory: Directory,
	controllers: readonly string[],
	what: string,
): CgroupError | undefined {
	const available = availableIn(directory);
	const missing = controllers.filter((name) => !available.includes(name));
	if (missing.length === 0) return undefined;
	const message = `cannot ${what}: ${directory.path} does not have the controllers ${missing.join(", ")}, and has ${available.join(", ") || "none"}`;
	return new CgroupError("controller", message, hintForMissing(missing, directory.path), { missing });
}
