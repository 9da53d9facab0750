import { Task } from "@nearfar/core";
import { native, prctlOptions } from "@nearfar/core/internal";
import { joinsNamespace } from "./joined.ts";
import type { SpawnRequest } from "./request.ts";

/** What a task has, as far as the calls depend on it that give a program its capabilities. */
export interface Held {
	readonly effective: bigint;
	readonly permitted: bigint;
	readonly inheritable: bigint;
	readonly bounding: bigint;
	/** `undefined`: the set was not read, as no call depends on it. */
	readonly ambient: bigint | undefined;
	readonly securebits: number;
}

/**
 * Returns what the task of a request has before any option is applied: what the calling thread has, or with a user namespace
 * everything over that.
 */
export function heldAtFirst({ namespaces = [], join = [] }: SpawnRequest): Held {
	if (!namespaces.includes("user") && !joinsNamespace(join, "user")) return Task.near.run(heldNear);
	const all = (1n << BigInt(native().lastCapability() + 1)) - 1n;
	return { effective: all, permitted: all, inheritable: 0n, bounding: all, ambient: 0n, securebits: 0 };
}

/** Reads what the calling thread has. Near, each system call that is left out counts. */
function heldNear(): Held {
	const [effective = 0n, permitted = 0n, inheritable = 0n] = native().capget(0);
	const bounding = native().boundingSet();
	return { effective, permitted, inheritable, bounding, ambient: undefined, securebits: readSecurebits() };
}

/** Reads what the current task has. */
export function readHeld(): Held {
	const [effective = 0n, permitted = 0n, inheritable = 0n, bounding = 0n, ambient = 0n] = native().capabilitySets();
	return { effective, permitted, inheritable, bounding, ambient, securebits: readSecurebits() };
}

function readSecurebits(): number {
	return Number(native().prctl(prctlOptions.getSecurebits, []).result);
}

/** Returns whether all five sets are exactly these capabilities. */
export function hasExactly(
	{ effective, permitted, inheritable, bounding, ambient }: Held,
	capabilities: bigint,
): boolean {
	return [effective, permitted, inheritable, bounding, ambient].every((set) => set === capabilities);
}
