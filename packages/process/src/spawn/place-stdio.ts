import { type FileDescriptor, openat2, type Task } from "@nearfar/core";
import { native } from "@nearfar/core/internal";
import type { NumberedDescriptors } from "./check-stdio.ts";
import type { OpenStdio } from "./stdio.ts";

/**
 * Keeps a reference to a descriptor that was made in a task, and returns it. Without the reference the garbage
 * collector could collect the object, and the descriptor would be closed in the task.
 */
export type Hold = (descriptor: FileDescriptor) => FileDescriptor;

/**
 * Puts the descriptors of a program into a task, as calls of the batch that is being collected.
 *
 * 0, 1 and 2 are at their numbers afterwards. The others are not yet: descriptors that travel with a message have the
 * lowest free numbers until the batch has ended, and moving one descriptor to its number could overwrite one that has
 * not been put.
 *
 * @returns The descriptors from 3 up, for {@link moveToNumbers}.
 */
export function putStdio(task: Task, { entries, taskEnds, blocking }: OpenStdio, hold: Hold): NumberedDescriptors {
	const others: (readonly [number, FileDescriptor])[] = [];
	for (const [number, descriptor] of taskEnds) {
		if (number < 3) hold(task.put(descriptor, { number, closeOnExec: false }));
		else others.push([number, hold(task.put(descriptor))]);
	}
	for (const [number, flags] of blocking) native().setStatus(number, flags);
	const ignored = [...entries.keys()].filter((number) => entries[number] === "ignore");
	if (ignored.length === 0) return others;
	const devNull = hold(openat2("/dev/null", { flags: ["rdwr"] }));
	for (const number of ignored) {
		if (number < 3) hold(devNull.dupTo(number, { closeOnExec: false }));
		else others.push([number, devNull]);
	}
	return others;
}

/**
 * Moves descriptors of a task to their numbers, as calls of the batch that is being collected.
 *
 * Each is first copied above all of these numbers, so that none is overwritten before it has been moved. The caller has
 * done the same with every other descriptor that is needed later.
 *
 * @returns The descriptors at their numbers.
 */
export function moveToNumbers(descriptors: NumberedDescriptors, hold: Hold): FileDescriptor[] {
	const min = Math.max(...descriptors.map(([number]) => number), 2) + 1;
	const copies = descriptors.map(([number, descriptor]) => [number, hold(descriptor.dup({ min }))] as const);
	return copies.map(([number, descriptor]) => hold(descriptor.dupTo(number)));
}
