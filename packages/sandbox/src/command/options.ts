import type { Signal } from "@nearfar/core";
import {
	abortSignal,
	array,
	options as checkOptions,
	integer,
	signalNumber,
	text,
	wrongType,
	wrongValue,
} from "@nearfar/core/internal";
import type { Stdio } from "@nearfar/process";
import { groupLimits } from "../cgroup-limits.ts";
import { checkLimits, commandFolder, variables } from "../check.ts";
import type { RunOptions, StartOptions } from "../options.ts";
import { checkTty, type TerminalSize } from "../tty/size.ts";

/** The options of one command, checked. */
export interface CheckedCommand {
	readonly file: string;
	readonly args: readonly string[];
	readonly stdio: readonly Stdio[];
	readonly input: Uint8Array | undefined;
	/** `undefined`: no terminal. */
	readonly tty: TerminalSize | undefined;
	readonly cwd: string | undefined;
	readonly env: Readonly<Record<string, string | undefined>>;
	readonly signal: AbortSignal | undefined;
	readonly killSignal: Signal;
	readonly grace: number | undefined;
	readonly limits: NonNullable<StartOptions["limits"]>;
	/** `undefined`: the output is not collected. */
	readonly encoding: BufferEncoding | "buffer" | undefined;
}

const ofStart = ["stdio", "input", "tty", "cwd", "env", "signal", "killSignal", "grace", "limits"] as const;

/** The names of all options of a command. */
export const commandOptionNames: readonly string[] = [...ofStart, "encoding"];

/** Checks a command whose streams are at hand. */
export function checkStart(file: string, args: readonly string[], options: StartOptions | undefined): CheckedCommand {
	return check(file, args, checkOptions<StartOptions, typeof ofStart>(options, ofStart), undefined);
}

/** Checks a command whose output is collected. */
export function checkRun(file: string, args: readonly string[], options: RunOptions | undefined): CheckedCommand {
	const names = [...ofStart, "encoding"] as const;
	const { encoding = "utf8", ...given } = checkOptions<RunOptions, typeof names>(options, names);
	if (encoding !== "buffer" && !Buffer.isEncoding(encoding))
		throw wrongValue("options.encoding", '"buffer" or an encoding of Buffer', encoding);
	return check(file, args, given, encoding);
}

function check(
	file: string,
	args: readonly string[],
	options: StartOptions,
	encoding: CheckedCommand["encoding"],
): CheckedCommand {
	const { stdio, input, killSignal = "SIGTERM", grace, limits, env = {} } = options;
	const collected = encoding !== undefined;
	const tty = checkTty(options.tty);
	const given = tty
		? withTerminal(stdio)
		: stdio === undefined
			? ([collected && input === undefined ? "ignore" : "pipe", "pipe", "pipe"] as const)
			: array(stdio, "options.stdio");
	if (!tty && input !== undefined && given[0] !== "pipe" && given[0] !== undefined && given[0] !== null) {
		throw wrongValue("options.stdio[0]", '"pipe" together with options.input', given[0]);
	}
	for (const [number, entry] of given.entries()) {
		if (collected && number > 2 && entry === "pipe")
			throw wrongValue(`options.stdio[${number}]`, 'anything but "pipe", whose stream start alone hands out', entry);
	}
	if (signalNumber(killSignal, "options.killSignal") === 0)
		throw wrongValue("options.killSignal", "a signal from 1 to 64", killSignal);
	const checked = checkLimits(limits, ["time", "output", ...groupLimits]);
	return {
		file: text(file, "file"),
		args: array(args, "args").map((arg, index) => text(arg, `args[${index}]`)),
		stdio: given,
		input: checkInput(input),
		tty,
		cwd: commandFolder(options.cwd),
		env: variables(env, "options.env"),
		signal: abortSignal(options.signal),
		killSignal,
		grace: grace === undefined ? undefined : integer(grace, "options.grace", 0, 2 ** 31 - 1),
		limits: checked,
		encoding,
	};
}

/** Returns `stdio` of a command whose first three descriptors are a terminal, which comes into their places later. */
function withTerminal(stdio: StartOptions["stdio"]): Stdio[] {
	const [standard, others] = [array(stdio ?? [], "options.stdio").slice(0, 3), stdio?.slice(3) ?? []];
	for (const [number, entry] of standard.entries()) {
		if (entry === undefined || entry === null) continue;
		throw wrongValue(`options.stdio[${number}]`, "undefined together with options.tty, which is 0, 1 and 2", entry);
	}
	return ["ignore", "ignore", "ignore", ...others];
}

function checkInput(input: StartOptions["input"]): Uint8Array | undefined {
	if (input === undefined || input instanceof Uint8Array) return input;
	if (typeof input === "string") return Buffer.from(input);
	throw wrongType("options.input", "a string or bytes", input);
}
