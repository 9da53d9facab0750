import type { FileDescriptor } from "@nearfar/core";
import { Changes } from "./changes.ts";
import { near } from "./directory.ts";
import { isRemovedError } from "./errors.ts";

/** What a loop reads, and what it waits for. */
export interface Source<T> extends Disposable {
	/** The files whose changes begin the next turn. */
	readonly files: readonly FileDescriptor[];
	/** The longest wait for a change, in milliseconds. `undefined`: no limit. */
	readonly patience: number | undefined;
	/** Returns the next value. `undefined`: there is nothing new. */
	read(): T | undefined;
}

/** What ends the loops that are running, by the id of their cgroup. */
const running = new Map<bigint, Set<() => void>>();

/**
 * Returns an iterable whose loops read a source, and wait for changes when the consumer asks for the next value.
 *
 * @param what - What a loop does, for messages: "watch a cgroup".
 * @param id - The id of the cgroup: {@link endLoops} ends the loop.
 * @param signal - Ends the loop when aborted.
 * @param open - Opens the source of one loop.
 */
export function loop<T>(
	what: string,
	id: bigint,
	signal: AbortSignal | undefined,
	open: () => Source<T>,
): AsyncIterable<T> {
	return {
		[Symbol.asyncIterator]() {
			const stop = new AbortController();
			const values = valuesOf(what, id, signal ? [signal, stop.signal] : [stop.signal], open);
			return {
				next: () => values.next(),
				return: () => {
					stop.abort(); // a generator that waits would return after the next change
					return values.return();
				},
			};
		},
	};
}

/** The ids of the cgroups that this process is removing. */
const removing = new Set<bigint>();

/**
 * Runs `remove`, which removes cgroups, and ends every loop about them. A loop that finds its cgroup gone meanwhile ends as well.
 *
 * @param ids - The ids of the cgroups.
 * @param remove - Returns whether the cgroups were removed.
 */
export async function endingLoops(ids: readonly bigint[], remove: () => Promise<boolean>): Promise<boolean> {
	for (const id of ids) removing.add(id);
	try {
		const isRemoved = await remove();
		if (isRemoved) for (const id of ids) for (const end of running.get(id) ?? []) end();
		return isRemoved;
	} finally {
		for (const id of ids) removing.delete(id);
	}
}

async function* valuesOf<T>(
	what: string,
	id: bigint,
	signals: readonly AbortSignal[],
	open: () => Source<T>,
): AsyncGenerator<T, void, void> {
	if (signals.some(({ aborted }) => aborted)) return;
	using source = near(what, open);
	using changes = new Changes(source.files);
	const end = () => changes[Symbol.dispose]();
	const ends = running.get(id) ?? new Set();
	running.set(id, ends.add(end));
	for (const signal of signals) signal.addEventListener("abort", end);
	try {
		do {
			const value = near(what, () => source.read());
			if (value !== undefined) yield value;
		} while (await changes.next(source.patience));
	} catch (error) {
		if (!isRemovedError(error) || !removing.has(id)) throw error;
	} finally {
		for (const signal of signals) signal.removeEventListener("abort", end);
		ends.delete(end);
		if (ends.size === 0) running.delete(id);
	}
}
