import type { Socket } from "node:net";
import type { Readable, Writable } from "node:stream";
import {
	ChildDeadError,
	type ChildProcess,
	type ExecOptions,
	FileDescriptor,
	type PathLike,
	Task,
} from "@nearfar/core";
import { copyEnvironment } from "@nearfar/core/internal";
import { Deadline } from "./deadline.ts";
import { checkSpawn, type Plan, type SpawnOptions } from "./options.ts";
import { makeState, type Put } from "./state.ts";
import { type OpenStdio, openStdio, type Pipes, toPipes } from "./stdio.ts";
import { cloneTree, groupNumber, type Tree } from "./tree.ts";

export type { SpawnOptions } from "./options.ts";
export type { Stdio } from "./stdio.ts";

/**
 * A program that {@link spawn} has started. Disposing of it kills it, with `killTree` all that it has started too, and
 * destroys its streams.
 */
export interface Spawned extends ChildProcess {
	/** What the program reads as its standard input; `null`: not piped. */
	readonly stdin: Writable | null;
	/** What it writes to its standard output. */
	readonly stdout: Readable | null;
	/** What it writes to its standard error. */
	readonly stderr: Readable | null;
	/** All of them by number, also those from 3 up, which go both ways. */
	readonly stdio: readonly [Writable | null, Readable | null, Readable | null, ...(Socket | null)[]];
}

/**
 * Starts a program, and blocks the event loop for a fraction of a millisecond: it runs, and has failed, asynchronously.
 *
 * What counts is what is there at the call: options, environment, descriptors, working directory, umask.
 *
 * The program is looked up as Node does, in the `PATH` of `options.env`, but inside `root` and `cwd`. What `options` say
 * is done in this order: namespaces, cgroup, `join`, descriptors, `session`, `group`, `limits`, `nice`, `cpus`, `umask`,
 * `root`, `cwd`, `groups`, `gid`, `uid`, `noNewPrivs`, `setup`, `deathSignal`.
 *
 * It keeps the event loop alive until it ends, unless it is `unref`'d. `exited` says when it has ended; what it wrote may
 * still be in the pipes then, whose streams end by themselves: wait for both.
 *
 * @param file - A path, a name to look for, or an open file of this process.
 * @param args - Its arguments, without `argv[0]`.
 * @returns The program, which runs by now.
 * @throws `SyscallError` of the step that failed: `execve` `ENOENT` no such program, `chdir`, `setrlimit`, `setresuid`, … ·
 * `AbortError` `options.signal` · `ERR_NEARFAR_TIMEOUT` `options.timeout` has passed · what `options.setup` throws ·
 * `TypeError`, `RangeError`. Whatever it is, nothing is left of it.
 * @example
 * ```ts
 * await using child = await spawn("sh", ["-c", "cat; exit 7"], { killTree: true, timeout: 10_000 });
 * child.stdin?.end("hello\n");
 * child.stdout?.pipe(process.stdout);
 * console.log(await child.exited); // { code: 7, signal: null, dumped: false }
 * ```
 * @see clone(2), execve(2); what the options need is said at each of them
 */
export async function spawn(
	file: PathLike | FileDescriptor,
	args: readonly string[] = [],
	options?: SpawnOptions,
): Promise<Spawned> {
	const plan = checkSpawn(file, args, options);
	const deadline = new Deadline(plan.signal, plan.timeout, plan.argv[0] ?? "");
	let stdio: OpenStdio | undefined;
	let tree: Tree | undefined;
	try {
		deadline.signal?.throwIfAborted();
		// Also where a task is current: what it may call meanwhile is not for it.
		stdio = Task.near.run(() => openStdio(plan.stdio));
		const start = new Start(plan, stdio);
		const cloning = cloneTree(plan, start.begin, deadline);
		start.keep();
		tree = await cloning;
		stdio.sent();
		const { task } = tree;
		const { setup } = plan;
		if (setup) {
			await deadline.race(async () => setup(task));
			await deadline.race(() => task.batch(() => start.exec(task)));
		}
		return started(tree, toPipes(stdio), plan, deadline);
	} catch (error) {
		deadline.end();
		stdio?.close();
		await tree?.end();
		throw error;
	}
}

/** What a task does that becomes a program. */
class Start {
	readonly #stdio: OpenStdio;
	readonly #group: number | undefined;
	#plan: Plan;
	#refused: unknown;
	/** What it holds must not be collected before exec. */
	#put: Put | undefined;
	#begun = false;

	constructor(plan: Plan, stdio: OpenStdio) {
		this.#plan = plan;
		this.#stdio = stdio;
		this.#group = groupNumber(plan);
	}

	/** Collects all of it, unless somebody wants to have a say before the program runs. */
	readonly begin = (task: Task): void => {
		if (this.#refused !== undefined) throw this.#refused;
		this.#put = makeState(task, this.#plan, this.#stdio, this.#group);
		if (this.#plan.setup) return;
		this.exec(task);
		this.#begun = true;
	};

	/** It may be late: what the environment is now counts, and what is open now, whoever closes it meanwhile. */
	keep(): void {
		if (this.#begun) return;
		try {
			this.#plan = { ...this.#plan, env: copyEnvironment(this.#plan.env) };
			if (!this.#put) this.#plan = keepOpen(this.#plan, this.#stdio);
		} catch (error) {
			this.#refused = error; // the clone is under way, and hears of it when it begins
		}
	}

	exec(task: Task): void {
		const { file, keep = [] } = this.#put ?? {};
		task.exec(file ?? (this.#plan.file as PathLike), this.#plan.argv, execOptions(this.#plan, keep));
	}
}

/** The plan with descriptors that nobody else closes; `stdio` does. */
function keepOpen(plan: Plan, stdio: OpenStdio): Plan {
	stdio.keepGiven();
	return {
		...plan,
		file: plan.file instanceof FileDescriptor ? stdio.keep(plan.file) : plan.file,
		fds: plan.fds.map(([number, fd]) => [number, stdio.keep(fd)] as const),
		...(plan.join && { join: plan.join.map(stdio.keep) }),
	};
}

function execOptions(plan: Plan, fds: readonly FileDescriptor[]): ExecOptions {
	const { env, lookup, killTree, init } = plan;
	// Its parent, the supervisor, ends before it only when that is killed, perhaps along with Node.
	const { deathSignal = killTree || init ? "SIGKILL" : undefined } = plan;
	return {
		fds,
		...(env && { env }),
		...(deathSignal !== undefined && { deathSignal }),
		...(lookup !== undefined && { lookup }),
	};
}

/** The child with its streams, which ends as `plan` says. */
function started({ task, supervisor }: Tree, stdio: Pipes, plan: Plan, deadline: Deadline): Spawned {
	const child = task.process;
	const dispose = child[Symbol.asyncDispose].bind(child);
	const [stdin, stdout, stderr] = stdio;
	const spawned: Spawned = Object.assign(child, { stdin, stdout, stderr, stdio });
	Object.defineProperty(spawned, Symbol.asyncDispose, {
		value: async () => {
			for (const stream of stdio) stream?.destroy();
			if (supervisor) resume(supervisor);
			await dispose();
		},
	});
	deadline.whenPassed(() => {
		if (supervisor) resume(supervisor);
		killed(child, plan);
	});
	// Keeps the supervisor, whose end would be the program's, from being collected.
	child.exited.then(() => {
		deadline.end();
		stdin?.destroy(); // as Node does: nobody reads it any more
		supervisor?.process.unref();
	});
	return spawned;
}

/** A supervisor that the program has stopped sees nobody end. */
function resume({ process }: Task): void {
	try {
		process.kill("SIGCONT");
	} catch {
		// It has ended, or become another user's with the program, which could be stopped by nobody else then.
	}
}

function killed(child: ChildProcess, { killSignal }: Plan): void {
	try {
		child.kill(killSignal);
	} catch (error) {
		// It has become another user's, and there is nobody whom it could be thrown at.
		if (!(error instanceof ChildDeadError)) process.emitWarning(error as Error);
	}
}
