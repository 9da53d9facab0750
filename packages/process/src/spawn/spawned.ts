import type { Socket } from "node:net";
import type { Readable, Writable } from "node:stream";
import { ChildDeadError, type ChildProcess, type Task } from "@nearfar/core";
import type { Deadline } from "./deadline.ts";
import type { SpawnRequest } from "./request.ts";
import type { Pipes } from "./stdio.ts";
import type { Tree } from "./tree.ts";

/**
 * A program that {@link spawn} has started. Disposing of it destroys its streams, kills the program, with `killTree`
 * also whatever the program has started, and waits until all of it has ended.
 *
 * @example
 * ```ts
 * await using child: Spawned = await spawn("cat");
 * child.stdin?.end("hello\n");
 * child.stdout?.pipe(process.stdout);
 * await child.exited;
 * ```
 */
export interface Spawned extends ChildProcess {
	/** The stream that the program reads as its standard input. `null`: not piped. */
	readonly stdin: Writable | null;
	/** The stream of what the program writes to its standard output. `null`: not piped. */
	readonly stdout: Readable | null;
	/** The stream of what the program writes to its standard error. `null`: not piped. */
	readonly stderr: Readable | null;
	/** All streams by the program's number. The streams from 3 up go in both directions. */
	readonly stdio: readonly [Writable | null, Readable | null, Readable | null, ...(Socket | null)[]];
}

/** Adds the streams to the child, and ends both when the deadline passes or the child is disposed. */
export function toSpawned(
	{ task, supervisor }: Tree,
	stdio: Pipes,
	request: SpawnRequest,
	deadline: Deadline,
): Spawned {
	const child = task.process;
	const dispose = child[Symbol.asyncDispose].bind(child);
	const [stdin, stdout, stderr] = stdio;
	const spawned: Spawned = Object.assign(child, { stdin, stdout, stderr, stdio });
	Object.defineProperty(spawned, Symbol.asyncDispose, {
		value: async () => {
			for (const stream of stdio) stream?.destroy();
			if (supervisor) resumeSupervisor(supervisor);
			await dispose();
		},
	});
	deadline.whenPassed(() => {
		if (supervisor) resumeSupervisor(supervisor);
		sendKillSignal(child, request);
	});
	// The closure also keeps the supervisor from being collected, which would end it and with it the program.
	child.exited.then(() => {
		deadline.end();
		stdin?.destroy(); // as Node does: the program does not read it any more
		supervisor?.process.unref();
	});
	return spawned;
}

/** Sends SIGCONT: a supervisor that the program has stopped kills and reaps nothing. */
function resumeSupervisor({ process }: Task): void {
	try {
		process.kill("SIGCONT");
	} catch {
		// The supervisor has ended, or has become another user's. Then the program cannot have stopped it either.
	}
}

function sendKillSignal(child: ChildProcess, { killSignal }: SpawnRequest): void {
	try {
		child.kill(killSignal);
	} catch (error) {
		// The program has become another user's. No caller is left to throw at, hence a warning.
		if (!(error instanceof ChildDeadError)) process.emitWarning(error as Error);
	}
}
