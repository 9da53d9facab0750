import type { Socket } from "node:net";
import type { Readable, Writable } from "node:stream";
import { ChildDeadError, type ChildProcess, type ExitStatus, type Task } from "@nearfar/core";
import { outsideOtherCopies } from "@nearfar/core/internal";
import type { Enforced } from "@nearfar/landlock";
import type { StdioOption } from "./check-stdio.ts";
import type { Deadline } from "./deadline.ts";
import { destroyUnread, readToEnd, whenClosed } from "./end-of-streams.ts";
import { mergeOutput, type OutputChunk } from "./merged-output.ts";
import type { SpawnRequest } from "./request.ts";
import type { Pipes } from "./stdio.ts";
import type { Tree } from "./tree.ts";

/** A stream of {@link Spawned}. `null` where the option `stdio` has no pipe, and perhaps where its type leaves that open. */
type Piped<S extends StdioOption, N extends string, T> = S extends "pipe"
	? T
	: S extends readonly unknown[]
		? number extends S["length"]
			? T | null
			: PipedEntry<N extends keyof S ? S[N] : undefined, T>
		: null;

type PipedEntry<E, T> = E extends "pipe" | null | undefined ? T : null;

/**
 * A program that {@link spawn} has started. Disposing of it kills the program, with `killTree` also whatever the program has
 * started, and waits until all of it has ended. Streams that are read come to their ends before they are destroyed, but not
 * later than a second after the last byte, as another process may hold the pipe. Streams that nobody reads are destroyed at
 * once.
 *
 * @example
 * ```ts
 * await using child = await spawn("cat");
 * child.stdin.end("hello\n");
 * child.stdout.pipe(process.stdout);
 * await child.closed;
 * ```
 */
export interface Spawned<S extends StdioOption = StdioOption> extends ChildProcess {
	/** The stream that the program reads as its standard input. `null`: not piped. */
	readonly stdin: Piped<S, "0", Writable>;
	/** The stream of what the program writes to its standard output. `null`: not piped. */
	readonly stdout: Piped<S, "1", Readable>;
	/** The stream of what the program writes to its standard error. `null`: not piped. */
	readonly stderr: Piped<S, "2", Readable>;
	/** All streams by the program's number. The streams from 3 up go in both directions. */
	readonly stdio: readonly [
		Piped<S, "0", Writable>,
		Piped<S, "1", Readable>,
		Piped<S, "2", Readable>,
		...(Socket | null)[],
	];
	/**
	 * Resolves when the program has ended and its streams are closed: the same promise every time. What nobody has begun to
	 * read by the program's end is dropped. The promise stays pending while another process holds a pipe of the program.
	 */
	readonly closed: Promise<ExitStatus>;
	/**
	 * What the program writes to its standard output and standard error, in the order in which it arrives in this process.
	 * A loop over it ends with both streams. Both streams are destroyed when the loop is left earlier. Later loops get nothing, and
	 * loops at the same time get everything each.
	 */
	readonly output: AsyncIterable<OutputChunk>;
	/** What the option `landlock` refuses to the program. `undefined`: the program was started without that option. */
	readonly landlock: Enforced | undefined;
}

/** A started program, and what ends it. */
export interface Started<S extends StdioOption> {
	readonly child: Spawned<S>;
	/** Sends `killSignal`, and kills what is left after `grace`. */
	stop(): void;
}

/** Adds the streams to the child, and ends both when the deadline passes or the child is disposed. */
export function toSpawned<S extends StdioOption>(
	{ task, supervisor }: Tree,
	stdio: Pipes,
	request: SpawnRequest,
	deadline: Deadline,
): Started<S> {
	const child = task.process;
	const dispose = child[Symbol.asyncDispose].bind(child);
	const [stdin, stdout, stderr] = stdio;
	let closed: Promise<ExitStatus> | undefined;
	let graceTimer: NodeJS.Timeout | undefined;
	const kill = async () => {
		destroyUnread(stdio);
		try {
			if (supervisor) resumeSupervisor(supervisor);
			await dispose();
		} catch (error) {
			for (const stream of stdio) stream?.destroy();
			throw error;
		}
		await readToEnd(stdio);
	};
	const signalNow = () => {
		if (supervisor) resumeSupervisor(supervisor);
		sendKillSignal(child, request);
		if (request.grace === undefined || child.death) return;
		graceTimer = setTimeout(() => kill().catch((error) => process.emitWarning(error)), request.grace);
		graceTimer.unref(); // the program keeps the event loop alive, unless it is unref'd
	};
	const stop = () => outsideOtherCopies(signalNow);
	const spawned = Object.assign(child, { stdin, stdout, stderr, stdio }) as unknown as Spawned<S>;
	Object.defineProperties(spawned, {
		[Symbol.asyncDispose]: { value: kill, configurable: true },
		closed: { get: () => (closed ??= child.exited.then((status) => whenClosed(stdio).then(() => status))) },
		output: { get: () => mergeOutput(stdout, stderr) },
		landlock: { value: request.domain?.enforced },
	});
	deadline.whenPassed(stop);
	// The closure also keeps the supervisor from being collected, which would end it and with it the program.
	child.exited.then(() => {
		deadline.end();
		clearTimeout(graceTimer);
		stdin?.destroy(); // as Node does: the program does not read it any more
		supervisor?.process.unref();
	});
	return { child: spawned, stop };
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
