import { checkSandbox } from "./check.ts";
import { type Command, type Started, startCommand } from "./command/command.ts";
import { type CheckedCommand, checkRun, checkStart, commandOptionNames } from "./command/options.ts";
import type { Result } from "./command/result.ts";
import { Lodging } from "./lodging.ts";
import type { OfOneCommand, RunOptions, SandboxOptions, StartOptions } from "./options.ts";

/**
 * Starts one command in a sandbox of its own, whose streams are at hand.
 *
 * The sandbox ends with the command, and everything that the command has left behind.
 *
 * @param file - A path in the sandbox, or a name to look up in `PATH`.
 * @param args - The arguments without `argv[0]`. Default: none.
 * @param options - The sandbox, see {@link SandboxOptions}, and the command, see {@link StartOptions}. `cwd`, `env`, `signal` and `limits`
 * are those of the sandbox. Default: the preset `"project"`, and pipes.
 * @returns The running command. Dispose of it, or wait for its `result`.
 * @throws Any error of {@link Sandbox.open} and {@link Sandbox.start}. Nothing has run then.
 * @example
 * ```ts
 * const child = await start("sort", [], { preset: "closed" });
 * child.stdin?.end("b\na\n");
 * child.stdout?.pipe(process.stdout);
 * console.log((await child.result).code); // 0
 * ```
 * @see user_namespaces(7), pivot_root(2), Linux 5.12; user namespaces, or root
 */
export async function start(
	file: string,
	args: readonly string[] = [],
	options?: SandboxOptions & OfOneCommand<StartOptions>,
): Promise<Started> {
	const [sandbox, own] = split(options);
	return toStarted(await startOnce(sandbox, checkStart(file, args, own)));
}

/**
 * Runs one command in a sandbox of its own to its end, and collects its output.
 *
 * Whatever cannot be had is an error before anything runs. The sandbox ends with the command, and everything that the command has
 * left behind.
 *
 * @param file - A path in the sandbox, or a name to look up in `PATH`.
 * @param args - The arguments without `argv[0]`. Default: none.
 * @param options - The sandbox, see {@link SandboxOptions}, and the command, see {@link RunOptions}. `cwd`, `env`, `signal` and `limits`
 * are those of the sandbox. Default: the preset `"project"`, no input, output as strings of at most 64 MiB each.
 * @returns What the command has come to, whatever its exit code is.
 * @throws Any error of {@link Sandbox.open} and {@link Sandbox.run}. Nothing has run then.
 * @example
 * ```ts
 * const result = await run("sh", ["-c", "echo $$; id -u"], { preset: "closed", limits: { time: 10_000 } });
 * console.log(result.check().stdout);
 * ```
 * @see user_namespaces(7), pivot_root(2), Linux 5.12; user namespaces, or root
 */
export function run(
	file: string,
	args: readonly string[] | undefined,
	options: SandboxOptions & OfOneCommand<RunOptions> & { encoding: "buffer" },
): Promise<Result<Buffer>>;
export function run(
	file: string,
	args?: readonly string[],
	options?: SandboxOptions & OfOneCommand<RunOptions>,
): Promise<Result<string>>;
export async function run(
	file: string,
	args: readonly string[] = [],
	options?: SandboxOptions & OfOneCommand<RunOptions>,
): Promise<Result> {
	const [sandbox, own] = split(options);
	const command = await startOnce(sandbox, checkRun(file, args, own));
	return command.result();
}

/** The options that a sandbox and a command both have: of a sandbox for one command they are the sandbox's. */
const shared = ["cwd", "env", "signal", "limits"];

/** Parts the options of a sandbox from those of a command. */
function split(
	options: (SandboxOptions & OfOneCommand<RunOptions>) | undefined,
): [SandboxOptions | undefined, RunOptions] {
	if (options === undefined || options === null || typeof options !== "object") return [options, {}];
	const [sandbox, own]: [Record<string, unknown>, Record<string, unknown>] = [{}, {}];
	for (const [name, value] of Object.entries(options)) {
		(commandOptionNames.includes(name) && !shared.includes(name) ? own : sandbox)[name] = value;
	}
	return [sandbox, own];
}

/** Makes a sandbox for one command. */
async function startOnce(options: SandboxOptions | undefined, command: CheckedCommand): Promise<Command> {
	const began = performance.now();
	const lodging = await Lodging.begin(checkSandbox(options));
	try {
		await lodging.openNetwork();
		const { blueprint, violations, init, env, group, ready } = lodging;
		const { processes } = blueprint.options.limits;
		const limits = processes === undefined ? {} : { processes }; // those of the sandbox's own do not count
		const ended = () => lodging.end();
		const place = {
			blueprint,
			violations,
			parent: init,
			more: lodging.once(),
			env,
			group,
			limits,
			ready,
			began,
			ended,
		};
		const starting = startCommand(place, command);
		starting.catch(() => {}); // without a root there is no command either, and the first error counts
		await lodging.ready;
		return await starting;
	} catch (error) {
		await lodging.end();
		throw error;
	}
}

/** Adds the result to a command whose streams are at hand. */
export function toStarted(command: Command): Started {
	const result = command.result();
	result.catch(() => {}); // whoever awaits `result` gets the rejection
	const { child, terminal } = command;
	const kill = child[Symbol.asyncDispose];
	const dispose = async () => {
		await kill.call(child);
		await result; // with it the sandbox of a single command has ended
	};
	Object.defineProperty(child, Symbol.asyncDispose, { value: dispose });
	return Object.assign(child, { result }, terminal && { pty: terminal }) as unknown as Started;
}
