import type { ChildProcess } from "@nearfar/core";
import { groupsPlace } from "../../../test/needs.ts";
import { Cgroup, type Controller } from "../src/index.ts";

let count = 0;

/**
 * Calls `fn` with a new group, which is removed afterwards.
 *
 * @param controllers - The controllers that the group has.
 */
export async function inGroup(
	fn: (group: Cgroup) => Promise<void>,
	controllers: readonly Controller[] = [],
): Promise<void> {
	await using place = Cgroup.open(`${groupsPlace}`);
	place.enable(controllers);
	await using group = place.create(`nearfar-test-${process.pid}-${++count}`);
	await fn(group);
}

/** Starts a program in a group. */
export async function start(group: Cgroup, ...[file, ...args]: [string, ...string[]]): Promise<ChildProcess> {
	const task = await group.clone();
	return task.exec(file, [file, ...args]);
}

/** A process that forks and ends, over and over: a list of the pids of its group has some that have ended, and misses others. */
export const comet = ["sh", "-c", "fly() { fly & }; fly; sleep 1000"] as const;
