import type { Event } from "../../native/binding.js";
import { keepAlive } from "../addon/keep-alive.ts";
import { dispatch } from "../addon/native.ts";
import { abandon } from "../addon/request.ts";
import { isOwnThread } from "../target/own-thread.ts";
import type { TaskState } from "./state.ts";

/** What is known of a task that is a thread of this process. */
export interface ThreadPart {
	/** The id of the thread. */
	readonly tid: number;
	/** Resolves when the thread makes no call any more, and is about to be gone. */
	readonly ended: Promise<void>;
}

/** How many milliseconds pass between two looks whether a thread exists. */
const LOOK_AGAIN = 100;
const MOST_LOOKS = 1000;

/** Ends a thread, and waits until it is gone: also until the call under way has returned, which nothing can interrupt. */
export async function endThread(state: TaskState, { tid, ended }: ThreadPart): Promise<void> {
	if (state.phase === "live") state.leave("exited");
	keepAlive(1);
	try {
		const said = ended.then(() => true);
		while (!(await within(said)) && isOwnThread(tid));
	} finally {
		keepAlive(-1);
	}
	// The thread has said that it ends, and the kernel is about to take it away. Another thread may get the id meanwhile.
	for (let looks = 0; looks < MOST_LOOKS && isOwnThread(tid); looks++) await new Promise(setImmediate);
}

/**
 * Resolves as `reply` does. If the kernel has killed the thread alone, as a filter of seccomp(2) can demand, no reply ever comes:
 * resolves with the failure then.
 *
 * @param id - The request that `reply` replies to.
 */
export async function unlessKilled({ tid }: ThreadPart, id: number, reply: Promise<Event>): Promise<Event> {
	for (;;) {
		const event = await within(reply);
		if (event) return event;
		if (isOwnThread(tid)) continue;
		dispatch(); // a thread that has ended by itself has posted its reply before
		const last = await Promise.race([reply, undefined]);
		if (last) return last;
		abandon(id);
		return { id, kind: "batch", failure: { kind: "gone" } as Event["failure"], numbers: [] } as Event;
	}
}

/** Resolves as `promise` does, or with `undefined` after a while. The timer does not keep the event loop alive. */
function within<T>(promise: Promise<T>): Promise<T | undefined> {
	return new Promise((resolve, reject) => {
		const timer = setTimeout(resolve, LOOK_AGAIN, undefined).unref();
		promise.then((value) => {
			clearTimeout(timer);
			resolve(value);
		}, reject);
	});
}
