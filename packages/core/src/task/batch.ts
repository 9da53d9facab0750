import type { Event, FailureData } from "../../native/binding.js";
import { deliver } from "../addon/events.ts";
import { dispatch, native } from "../addon/native.ts";
import { once } from "../addon/request.ts";
import { wrongType } from "../arguments.ts";
import { explainStep } from "../target/explained.ts";
import { makeError } from "../target/make-error.ts";
import { type AnyTask, type Batch, withTarget } from "../target/target.ts";
import { stateOf } from "./state.ts";
import { unlessKilled } from "./thread-life.ts";

/**
 * Collects the calls of `fn`, sends them to a task, and resolves with the result of `fn` when all have succeeded.
 *
 * @param task - The task.
 * @param id - The addon's number for it.
 * @param fn - Makes the calls.
 * @param appeared - For a task that is being cloned: resolves when the clone has succeeded or failed.
 * @param waits - Whether this thread may wait for the reply as long as waking it would take.
 */
export async function runBatch<T>(
	task: AnyTask,
	id: number,
	fn: () => T,
	appeared?: Promise<unknown>,
	waits = true,
): Promise<T> {
	const batch: Batch = { whenEnded: [], hints: [] };
	const state = stateOf(task);
	const end = (numbers: readonly number[] | undefined, succeeded: number) => {
		for (const callback of batch.whenEnded.splice(0)) callback(numbers, succeeded);
	};
	let sent = false;
	try {
		const [result, reply] = withTarget(task, batch, () => {
			native().collect(id);
			try {
				const result = refusePromise(fn());
				sent = true; // from here on the addon ends the collecting itself, even if it fails
				return [result, submit(task, id, appeared !== undefined, waits)] as const;
			} finally {
				if (!sent) native().leave();
			}
		});
		state.requests++;
		const { failure, numbers } = await reply;
		state.requests--;
		if (appeared) await appeared;
		// Before the error is made: making it may wait for the end of a child that the batch still holds.
		end(failure ? undefined : numbers, failure ? succeededBefore(failure) : Number.POSITIVE_INFINITY);
		if (failure) {
			throw withTarget(task, undefined, () => {
				const error = makeError(failure, batch.executing);
				explainStep(error, batch.hints);
				return error;
			});
		}
		return result;
	} catch (error) {
		end(undefined, -1);
		throw error;
	}
}

/** Sends the calls that were collected. Returns the event with the reply, or a promise if the reply has not come at once. */
function submit(task: AnyTask, id: number, first: boolean, waits: boolean): Event | Promise<Event> {
	const event = native().batch(id, first, waits);
	if (event.kind !== "sent") {
		deliver([]); // events that were posted before the reply come first
		return event;
	}
	const reply = once(event.id);
	if (!first) dispatch(); // the reply may be in the queue already
	const { thread } = stateOf(task);
	return thread ? unlessKilled(thread, event.id, reply) : reply;
}

/** Returns how many calls had succeeded before the one that failed. */
function succeededBefore({ kind, step }: FailureData): number {
	// If the task is gone, nothing is left for which the number matters. A failure without a step was not even sent.
	return kind === "gone" ? Number.POSITIVE_INFINITY : (step ?? -1);
}

/** Returns the result of a function. Refuses a promise. */
export function refusePromise<T>(result: T): T {
	if (typeof (result as { then?: unknown } | null | undefined)?.then !== "function") return result;
	Promise.resolve(result).catch(() => {}); // the outcome of the promise is lost: the error below says why
	throw wrongType("fn", "a synchronous function: calls after the first await would be made in this process", result);
}
