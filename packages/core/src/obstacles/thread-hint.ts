import type { AnyTask } from "../target/target.ts";
import { stateOf } from "../task/state.ts";

const ofThread =
	'a thread has the privilege of Node, which has no CAP_SYS_ADMIN in its user namespace: a task of Task.clone({ namespaces: ["user", "net"] }), or one that joins both by setns, makes the socket, and task.get(socket) brings the socket into Node';

/** Returns what to use in place of a thread of this process. `undefined`: the task is no thread. */
export function hintForThread(task: AnyTask): string | undefined {
	return isThread(task) ? ofThread : undefined;
}

function isThread(task: AnyTask): boolean {
	return (stateOf(task) as { thread?: boolean }).thread === true;
}
