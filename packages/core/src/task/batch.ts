import type { FailureData } from "../../native/binding.js";
import { dispatch, native } from "../addon/native.ts";
import { once } from "../addon/request.ts";
import { wrongType } from "../arguments.ts";
import { makeError } from "../target/make-error.ts";
import { type AnyTask, type Batch, withTarget } from "../target/target.ts";

/**
 * Collects the calls of `fn`, sends them to a task, and resolves with what `fn` returned when all have succeeded.
 *
 * @param appeared - Of a task that is being cloned: what comes first.
 */
export async function runBatch<T>(task: AnyTask, id: number, fn: () => T, appeared?: Promise<unknown>): Promise<T> {
	const batch: Batch = { whenEnded: [] };
	const end = (numbers: readonly number[] | undefined, succeeded: number) => {
		for (const callback of batch.whenEnded.splice(0)) callback(numbers, succeeded);
	};
	let sent = false;
	try {
		const [result, event] = withTarget(task, batch, () => {
			native().collect();
			try {
				const result = refusePromise(fn());
				sent = true; // `batch` leaves, whatever becomes of it
				const first = appeared !== undefined;
				const answered = once(native().batch(id, first));
				if (!first) dispatch(); // a short batch has been answered already
				return [result, answered] as const;
			} finally {
				if (!sent) native().leave();
			}
		});
		const { failure, numbers } = await event;
		if (appeared) await appeared;
		// Before an error is made, which may ask how a child ended that the batch held.
		end(failure ? undefined : numbers, failure ? succeededBefore(failure) : Number.POSITIVE_INFINITY);
		if (failure) throw withTarget(task, undefined, () => makeError(failure));
		return result;
	} catch (error) {
		end(undefined, -1);
		throw error;
	}
}

/** How many calls had succeeded before one that failed. */
function succeededBefore({ kind, step }: FailureData): number {
	// Of a task that is gone nothing is left that could still be told apart; what has no step was not even sent.
	return kind === "gone" ? Number.POSITIVE_INFINITY : (step ?? -1);
}

/** What a function returned, unless that is a promise. */
export function refusePromise<T>(result: T): T {
	if (typeof (result as { then?: unknown } | null | undefined)?.then !== "function") return result;
	Promise.resolve(result).catch(() => {}); // its outcome is lost: the error below says why
	throw wrongType("fn", "a synchronous function: what runs after the first await would run in this process", result);
}
