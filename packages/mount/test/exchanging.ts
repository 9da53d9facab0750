import type { ChildProcess, Task } from "@nearfar/core";
import { fixturePath } from "../../../test/fixture.ts";

/** How often a test wants to see each outcome of a race, however busy the machine is. */
export const ROUNDS = 50;

/** Starts a program that exchanges two names of a task's file system, again and again, until it is killed. */
export async function startExchanging(task: Task, one: string, other: string): Promise<ChildProcess> {
	const exchanging = await task.clone();
	return exchanging.exec(process.execPath, [process.execPath, fixturePath("mount/exchange"), one, other]);
}
