import { setTimeout } from "node:timers/promises";
import type { Task } from "@nearfar/core";
import { throwIfAborted } from "@nearfar/core/internal";
import type { Directory } from "./directory.ts";
import { enableIn } from "./enable.ts";
import { CgroupError, isRemovedError } from "./errors.ts";
import { killForGood, killUntil } from "./kill.ts";
import { refuseOwn } from "./own.ts";
import { openCurrent } from "./place.ts";
import { missingError } from "./refusals.ts";
import { availableIn } from "./state.ts";

const MOVE = 5000; // milliseconds in which systemd moves the keeper
const END = 5000; // milliseconds in which systemd removes a scope without processes
const LOOK = 10; // milliseconds between two looks
const KEEPER = "keeper"; // the child of the scope in which the keeper is

/**
 * Waits until systemd has moved the keeper into a scope, and opens the scope's directory.
 *
 * systemd mostly answers after the move. Out of a login session the manager of a user asks that of the system to move the task, and
 * that can take longer.
 */
export async function openScope(keeper: Task, unit: string, signal: AbortSignal | undefined): Promise<Directory> {
	const deadline = performance.now() + MOVE;
	for (;;) {
		const { directory } = openCurrent(keeper.process);
		if (directory.name === unit) return directory;
		const { path } = directory;
		directory.fd.close();
		if (performance.now() > deadline) {
			const message = `systemd has made ${unit}, and has not moved the keeper there in ${MOVE / 1000} s: it is in ${path}`;
			throw new CgroupError("systemd", message, "look for the unit in the journal of systemd");
		}
		await setTimeout(LOOK);
		throwIfAborted(signal);
	}
}

/**
 * Moves the keeper into a child of its scope, so that the scope itself has no processes, and enables all of the scope's controllers.
 *
 * @param controllers - Those that have to be there.
 */
export async function settleKeeper(scope: Directory, keeper: Task, controllers: readonly string[]): Promise<void> {
	const refusal = missingError(scope, controllers, "make limited groups in a scope of systemd");
	if (refusal) throw refusal;
	const child = scope.make(KEEPER);
	try {
		await child.writeInHelper("cgroup.procs", `${keeper.pid}`);
	} finally {
		child.fd.close();
	}
	enableIn(scope, availableIn(scope));
}

/**
 * Kills everything in a scope, and waits until systemd has removed it.
 *
 * A program that removed the directory first would keep systemd from reading that the directory is empty: the unit would stay active for ever.
 */
export async function endScope(scope: Directory): Promise<void> {
	const deadline = performance.now() + END;
	try {
		refuseOwn(scope, "remove");
		await killUntil(scope, killForGood, deadline);
	} catch (error) {
		if (!isRemovedError(error)) throw error;
	}
	while (!scope.removed && performance.now() < deadline) await setTimeout(LOOK);
}
