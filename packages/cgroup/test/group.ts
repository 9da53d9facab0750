import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { ChildProcess } from "@nearfar/core";
import { cgroupRoot } from "../../../test/needs.ts";
import { Cgroup } from "../src/index.ts";

let count = 0;

/** Returns the path of the directory in which the tests make groups. An ordinary user has one above the cgroup of the tests. */
export function placeOfGroups(): string {
	const [, own = "/"] = /^0::(\/.*)$/m.exec(readFileSync("/proc/self/cgroup", "utf8")) ?? [];
	return process.geteuid?.() === 0 ? `${cgroupRoot}` : dirname(join(`${cgroupRoot}`, own));
}

/** Calls `fn` with a new group, which is removed afterwards. */
export async function inGroup(fn: (group: Cgroup) => Promise<void>): Promise<void> {
	await using place = Cgroup.open(placeOfGroups());
	await using group = place.create(`nearfar-test-${process.pid}-${++count}`);
	await fn(group);
}

/** Starts a program in a group. */
export async function start(group: Cgroup, ...[file, ...args]: [string, ...string[]]): Promise<ChildProcess> {
	const task = await group.clone();
	return task.exec(file, [file, ...args]);
}

/** A process that forks and ends, over and over: whoever lists the pids of its group finds some that have ended, and misses others. */
export const comet = ["sh", "-c", "fly() { fly & }; fly; sleep 1000"] as const;
