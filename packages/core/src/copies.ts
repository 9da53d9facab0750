import { NearfarError } from "./errors.ts";
import { ownFile } from "./package-folder.ts";
import { warnOnce } from "./warn-once.ts";

/** The record that all copies of this package with the same global object share, whatever their versions. */
interface Copies {
	/** The file of the copy that was used first. */
	readonly first: string;
	/** True when a process warning has named two copies. */
	warned: boolean;
	/** Stands for the copy whose task or batch is current: an object that no other copy has. */
	entered: object | undefined;
}

const key = Symbol.for("@nearfar/core copies 1");
const self = {};
let copies: Copies | undefined;

/** Joins the copies of this package. Warns of the second one, because objects of one copy mean nothing to the other. */
function join(): Copies {
	const shared = globalThis as { [key]?: Copies };
	const file = ownFile();
	const known = shared[key];
	if (known === undefined) {
		shared[key] = { first: file, warned: false, entered: undefined };
	} else if (!known.warned) {
		known.warned = true;
		warnOnce(
			"copies",
			`two copies of @nearfar/core are loaded, ${known.first} and ${file}: each works, and refuses the objects of the other; load one copy, in one way`,
		);
	}
	return shared[key] as Copies;
}

/** Runs `fn`, which makes calls in a task or in a batch of this copy. Other copies refuse their calls meanwhile. */
export function enterCopy<T>(fn: () => T): T {
	copies ??= join();
	const { entered } = copies;
	copies.entered = self;
	try {
		return fn();
	} finally {
		copies.entered = entered;
	}
}

/** Returns true when a task or a batch of another copy is current. */
export function isOtherEntered(): boolean {
	copies ??= join();
	return copies.entered !== undefined && copies.entered !== self;
}

/**
 * Calls `fn` now, or, while a task or a batch of another copy is current, right afterwards: a signal may be aborted there, and
 * this copy makes no calls until then.
 */
export function outsideOtherCopies(fn: () => void): void {
	if (isOtherEntered()) queueMicrotask(fn);
	else fn();
}

/** Returns the error for a call of this copy while a task or a batch of another copy is current. */
export function otherCopyError(): NearfarError {
	return new NearfarError(
		"OTHER_COPY",
		`a task or a batch of another copy of @nearfar/core is current, and a call of the copy in ${ownFile()} would not be made there: load one copy`,
	);
}
