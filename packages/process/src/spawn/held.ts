import { Task } from "@nearfar/core";
import { native, prctlOptions, setpcap } from "@nearfar/core/internal";
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
	/** True when these are the sets of the calling thread, whose bounding set may be smaller by now. */
	readonly near?: true;
}

/**
 * Returns what the task of a request has before any option is applied: what the calling thread has, or with a user namespace
 * everything over that.
 */
export function heldAtFirst(request: SpawnRequest): Held {
	const { parent, namespaces = [], join = [] } = request;
	if (!namespaces.includes("user") && !joinsNamespace(join, "user")) {
		return parent ? parent.run(readHeld) : Task.near.run(() => heldNear(request));
	}
	const all = (1n << BigInt(native().lastCapability() + 1)) - 1n;
	return { effective: all, permitted: all, inheritable: 0n, bounding: all, ambient: undefined, securebits: 0 };
}

/** Reads what the calling thread has. The time of every system call here is time that the event loop is blocked. */
function heldNear({ uid, securebits }: SpawnRequest): Held {
	const [effective = 0n, permitted = 0n, inheritable = 0n] = native().capget(0);
	const needsSecurebits = uid !== undefined || securebits !== undefined;
	return {
		effective,
		permitted,
		inheritable,
		bounding: boundingNear((effective & setpcap) !== 0n),
		ambient: undefined,
		securebits: needsSecurebits ? readSecurebits() : 0,
		near: true,
	};
}

/** The bounding set of this thread when it was read last. */
let lastBounding: bigint | undefined;

/**
 * Returns the bounding set of the calling thread, or a larger set that the thread had earlier. The bounding set of a thread never
 * grows. With CAP_SETPCAP it does no harm to drop what has been dropped, and without it the kernel refuses that.
 */
function boundingNear(maySayMore: boolean): bigint {
	if (!maySayMore || lastBounding === undefined) lastBounding = native().boundingSet();
	return lastBounding;
}

/** Returns the bounding set without what the calling thread has dropped since it was read. */
export function presentBounding({ bounding, near }: Held): bigint {
	return near ? Task.near.run(() => native().boundingSet()) : bounding;
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
export function hasExactly({ effective, permitted, inheritable, bounding, ambient }: Held, wanted: bigint): boolean {
	return [effective, permitted, inheritable, bounding, ambient].every((set) => set === wanted);
}
