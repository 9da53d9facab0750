import type { Duplex, Readable, Writable } from "node:stream";
import { type ChildProcess, SyscallError, Task } from "@nearfar/core";
import { type Spawned, type SpawnOptions, spawn } from "@nearfar/process";
import { type GroupLimits, groupLimits } from "../cgroup-limits.ts";
import { withVariables } from "../environment.ts";
import { SandboxError } from "../errors.ts";
import { type Guarantee, type Guarantees, guaranteesOf } from "../guarantees.ts";
import type { Group } from "../limits/group.ts";
import type { Leaf } from "../limits/leaf.ts";
import { isAllowed } from "../paths/allowed.ts";
import { look } from "../paths/given.ts";
import { isWithin } from "../paths/links.ts";
import type { Blueprint } from "../plan.ts";
import { type OpenTerminal, openTerminal, passTerminal } from "../tty/open.ts";
import type { Pty } from "../tty/pty.ts";
import { Terminal } from "../tty/terminal.ts";
import type { Mark, Violation, Violations } from "../violations.ts";
import { Output } from "./collect.ts";
import type { CheckedCommand } from "./options.ts";
import { type Reason, type Result, withCheck } from "./result.ts";

const GRACE = 5000; // milliseconds
/** The least time that a task has to become its command, whatever the limit of the command is: a busy host needs some. Milliseconds. */
const START = 2000;
const MOST_OUTPUT = 64 * 1024 * 1024; // bytes

/**
 * A command that runs, and its streams. Disposing of it kills it; a sandbox of its own ends with it.
 *
 * In a {@link Sandbox} that stays, a stream may end later than the command: when no process that the command has left behind holds it any
 * more. The stream of a terminal ends with the command.
 */
export interface Started extends ChildProcess {
	/** The stream that the command reads as its standard input. `null`: not piped. */
	readonly stdin: Writable | null;
	/** What the command writes to its standard output. `null`: not piped. */
	readonly stdout: Readable | null;
	/** What the command writes to its standard error. `null`: not piped. */
	readonly stderr: Readable | null;
	/** All streams by the number of the command. The streams from 3 up go in both directions. */
	readonly stdio: readonly [Writable | null, Readable | null, Readable | null, ...(Duplex | null)[]];
	/** The terminal of the command, with the option `tty`. The three streams are `null` then. */
	readonly pty?: Pty;
	/** Resolves when the command has ended, with what it has come to. `stdout` and `stderr` of it are empty: they are yours to read. */
	readonly result: Promise<Result<string>>;
}

/** What a command needs of its sandbox. */
export interface Place {
	readonly blueprint: Blueprint;
	readonly violations: Violations;
	/** The task that clones the command. */
	readonly parent: Task;
	/** More options for the task that becomes the command. */
	readonly more: SpawnOptions;
	/** The environment of the sandbox. */
	readonly env: Readonly<Record<string, string>>;
	/** Resolves when the root is made, and commands can have groups. */
	readonly ready: Promise<unknown>;
	/** When the sandbox was asked for, for `usage`. */
	readonly began: number;
	/** The group of the sandbox. `undefined`: it has none. */
	readonly group: Group | undefined;
	/** The limits of the group of the command that are those of the sandbox. */
	readonly limits: GroupLimits;
	/** Called when the command has ended, before its result is made. */
	ended(): Promise<void>;
}

/** Starts a command. If the promise rejects, nothing of the command has run. */
export async function startCommand(place: Place, command: CheckedCommand): Promise<Command> {
	const ending = new Ending(command, place);
	const first = place.violations.mark; // a program may be refused a connection before this process learns that it runs
	const { time } = { ...place.blueprint.options.limits, ...command.limits };
	if (time !== undefined) ending.beforeStart(Math.max(time, START));
	let terminal: OpenTerminal | undefined;
	let leaf: Leaf | undefined;
	let memory: Guarantee | undefined;
	const { setup, cloned } = place.more;
	const withTerminal = async (task: Task) => {
		if (command.tty) terminal = await (place.blueprint.confined ? passTerminal : openTerminal)(task, command.tty);
		await setup?.(task);
	};
	const intoLeaf = async (task: Task) => {
		memory = leaf?.holds(task.process);
		await cloned?.(task);
	};
	try {
		refuseFolder(place.blueprint, command);
		leaf = await leafOf(place, command);
		const child = await spawn(command.file, command.args, {
			...place.more,
			...(command.tty && { setup: withTerminal }),
			...(leaf && { cgroup: leaf.fd, cloned: intoLeaf }),
			parent: place.parent,
			stdio: command.stdio,
			cwd: command.cwd ?? place.blueprint.plan.cwd,
			env: withVariables(place.env, command.env),
			session: true,
			signal: ending.signal,
			killSignal: command.killSignal,
			grace: command.grace ?? place.blueprint.options.limits.grace ?? GRACE,
			limits: rlimits(place),
			...(place.blueprint.options.filter && { seccomp: place.blueprint.options.filter }),
		});
		return new Command(child, command, place, ending, {
			terminal: terminal && new Terminal(terminal.master),
			leaf,
			memory,
			first,
		});
	} catch (error) {
		terminal?.master.close();
		ending.stop();
		const found = ending.reason === "timeout" ? tooLate(error, command) : explained(error, command, place);
		// Before a command has its group, what makes the group has explained the error.
		const refusal = leaf && place.group ? place.group.explained(found, leaf) : found;
		if (leaf) await place.group?.drop(leaf);
		throw refusal;
	}
}

/** Throws for a working directory that is not allowed where nothing is mounted: chdir(2) is no business of Landlock. */
function refuseFolder({ confined }: Blueprint, { cwd }: CheckedCommand): void {
	if (!confined || cwd === undefined) return;
	const found = Task.near.run(() => look(cwd));
	if (found instanceof SyscallError || isAllowed(found.path, confined.allowed) || isWithin(found.path, confined.tmp))
		return;
	throw new SandboxError("PATH", `cannot begin in ${cwd}, which is not visible in the sandbox`, { step: `cwd ${cwd}` });
}

/** Makes the group of a command. A sandbox that has no group refuses the limits that need one. */
async function leafOf({ group, limits, ready }: Place, command: CheckedCommand): Promise<Leaf | undefined> {
	if (group) {
		await ready; // its process 1 stands in the way of limits until then
		return group.leaf({ ...limits, ...command.limits });
	}
	const name = groupLimits.find((each) => command.limits[each] !== undefined);
	if (name === undefined) return undefined;
	throw new SandboxError(
		"LIMIT",
		`cannot enforce options.limits.${name} of one command: the sandbox has no group. Open it with options.cgroup, or with memory, swap or cpus in options.limits`,
		{ step: "cgroup" },
	);
}

/** The limits of the kernel, of each process and of the user namespace. */
function rlimits({ blueprint, group }: Place): NonNullable<SpawnOptions["limits"]> {
	const { processes, cpuTime, fileSize, openFiles, addressSpace } = blueprint.options.limits;
	const seconds = cpuTime === undefined ? undefined : Math.ceil(cpuTime / 1000);
	return {
		core: 1, // byte: none is written, and a program of the host that takes core dumps is not started, which 0 would not stop
		...(processes !== undefined && !group && { nproc: processes }),
		...(seconds !== undefined && { cpu: { soft: seconds, hard: seconds + 1 } }), // SIGXCPU, and a second later SIGKILL
		...(fileSize !== undefined && { fsize: fileSize }),
		...(openFiles !== undefined && { nofile: openFiles }),
		...(addressSpace !== undefined && { as: addressSpace }),
	};
}

/** Another command of the same sandbox can stop the task that is to become this one. */
function tooLate(error: unknown, { file }: CheckedCommand): SandboxError {
	const message = `cannot start ${file} in the time of options.limits: another command may have stopped its task`;
	return new SandboxError("LIMIT", message, { cause: error, step: "time" });
}

/** Says of a refused limit or working directory which option it is. */
function explained(error: unknown, command: CheckedCommand, { blueprint }: Place): unknown {
	if (!(error instanceof SyscallError)) return error;
	if (error.syscall === "chdir") {
		const folder = command.cwd ?? blueprint.plan.cwd;
		return new SandboxError(
			"PATH",
			`cannot begin in ${folder}, which is not visible in the sandbox: ${error.message}`,
			{ cause: error, step: `cwd ${folder}` },
		);
	}
	if (error.syscall === "prlimit64" || error.syscall === "setrlimit") {
		return new SandboxError("LIMIT", `cannot set a limit of options.limits: ${error.message}`, {
			cause: error,
			step: "limits",
		});
	}
	const isProgram = error.syscall === "execve" || error.path !== undefined;
	if (isProgram) return error;
	const { hint } = error;
	return new SandboxError("UNAVAILABLE", `cannot start ${command.file} in a sandbox: ${error.message}`, {
		cause: error,
		step: error.syscall,
		...(hint !== undefined && { hint }),
	});
}

/** What ends a command before its own end. */
class Ending {
	readonly #controller = new AbortController();
	readonly #caller: readonly AbortSignal[];
	readonly #violations: Violations;
	readonly #abort = (event: Event) => this.end("aborted", (event.target as AbortSignal).reason);
	#timer: NodeJS.Timeout | undefined;
	reason: Reason | undefined;

	constructor({ signal }: CheckedCommand, { violations, blueprint }: Place) {
		this.#violations = violations;
		this.#caller = [signal, blueprint.options.signal].filter((each) => each !== undefined);
		for (const each of this.#caller) {
			if (each.aborted) this.end("aborted", each.reason);
			each.addEventListener("abort", this.#abort, { once: true });
		}
	}

	/** Aborted when the command is to end. */
	get signal(): AbortSignal {
		return this.#controller.signal;
	}

	/** Ends the task of the command if the command has not begun by then. */
	beforeStart(time: number): void {
		this.#timer = setTimeout(() => this.end("timeout"), time);
	}

	/** Ends the command after a time, which counts from now. */
	after(time: number): void {
		clearTimeout(this.#timer);
		this.#timer = setTimeout(() => {
			this.#violations.add("limit", "time");
			this.end("timeout");
		}, time);
	}

	end(reason: Reason, cause?: unknown): void {
		this.reason ??= reason;
		this.#controller.abort(cause);
	}

	/** Nothing ends the command any more. */
	stop(): void {
		clearTimeout(this.#timer);
		for (const each of this.#caller) each.removeEventListener("abort", this.#abort);
	}
}

/** What a command may have. */
interface More {
	readonly terminal: Terminal | undefined;
	readonly leaf: Leaf | undefined;
	/** Whether its memory is limited. `undefined`: it has no group. */
	readonly memory: Guarantee | undefined;
	/** The violations before it was started. */
	readonly first: Mark;
}

/** A command of a sandbox. */
export class Command {
	readonly child: Spawned;
	readonly terminal: Terminal | undefined;
	readonly #options: CheckedCommand;
	readonly #place: Place;
	readonly #ending: Ending;
	readonly #startup: number;
	readonly #outputs: readonly Output[];
	readonly #more: More;

	constructor(child: Spawned, options: CheckedCommand, place: Place, ending: Ending, more: More) {
		const { terminal } = more;
		this.child = child;
		this.terminal = terminal;
		this.#more = more;
		this.#options = options;
		this.#place = place;
		this.#ending = ending;
		this.#startup = performance.now() - place.began;
		const { time, output } = { ...place.blueprint.options.limits, ...options.limits };
		if (time !== undefined) ending.after(time);
		const tooLong = () => {
			if (child.death) return;
			place.violations.add("limit", "output");
			ending.end("output");
		};
		const collected = options.encoding !== undefined;
		const counted = collected || output !== undefined;
		this.#outputs = counted
			? [terminal ?? child.stdout, child.stderr].map(
					(stream) => new Output(stream, output ?? MOST_OUTPUT, collected, tooLong),
				)
			: [];
		const { input = collected ? "" : undefined } = options; // nobody else has the stream
		if (input !== undefined) {
			const stdin = terminal ?? child.stdin;
			stdin?.on("error", () => {}); // the command may end without having read all of it
			stdin?.end(input);
		}
	}

	/** Waits for the end, and returns what the command has come to. */
	async result(): Promise<Result<string | Buffer>> {
		const { child } = this;
		const status = await child.exited;
		this.#ending.stop();
		const wall = performance.now() - this.#place.began;
		const { leaf, memory } = this.#more;
		const account = leaf && this.#place.group?.read(leaf); // before the groups are removed
		await this.#place.ended();
		this.terminal?.hangUp();
		const collected = this.#options.encoding !== undefined;
		if (collected) await Promise.all(this.#outputs.map((output) => output.drain()));
		if (status.signal === "SIGXCPU") this.#place.violations.add("limit", "cpuTime");
		if (status.signal === "SIGXFSZ") this.#place.violations.add("limit", "fileSize");
		const [stdout, stderr] = this.#outputs;
		const truncated = { stdout: stdout?.truncated ?? false, stderr: stderr?.truncated ?? false };
		const killed = status.signal === "SIGKILL" && account?.killed ? "memory" : "killed";
		// With the whole sandbox whoever knew the signal may have been killed.
		const ended = this.#ending.reason ?? (status.code === null ? killed : "exited");
		if (ended === "memory") this.#place.violations.add("limit", "memory");
		if (account?.full) this.#place.violations.add("limit", "processes");
		// A command that ends by itself before it is stopped has written too much all the same.
		const reason = ended === "exited" && (truncated.stdout || truncated.stderr) ? "output" : ended;
		const text = (output: Output | undefined): string | Buffer => {
			const { encoding } = this.#options;
			const bytes = collected && output ? output.bytes() : Buffer.alloc(0);
			return encoding === "buffer" ? bytes : bytes.toString(encoding);
		};
		const violations: readonly Violation[] = this.#place.violations.since(this.#more.first);
		const guarantees: Guarantees = guaranteesOf(this.#place.blueprint, memory);
		const { code, signal } = status;
		const peak = account?.peak;
		const usage = {
			wall,
			...usageOf(child),
			startup: this.#startup,
			...(peak !== undefined && { memoryPeak: peak }),
		};
		const found = {
			code,
			signal,
			reason,
			stdout: text(stdout),
			stderr: text(stderr),
			truncated,
			usage,
			violations,
			guarantees,
		};
		return withCheck(found, { path: this.#options.file, argv: [this.#options.file, ...this.#options.args] });
	}
}

function usageOf({ resourceUsage }: ChildProcess): Pick<Result["usage"], "user" | "system" | "maxRss"> {
	if (!resourceUsage) return { user: null, system: null, maxRss: null };
	const { userCPUTime, systemCPUTime, maxRSS } = resourceUsage;
	return { user: userCPUTime / 1000, system: systemCPUTime / 1000, maxRss: maxRSS * 1024 };
}
