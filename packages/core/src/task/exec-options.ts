import type { native } from "../addon/native.ts";
import { array, options as checkOptions, optionalBoolean, text, wrongType, wrongValue } from "../arguments.ts";
import { FileDescriptor, numberOf } from "../files/descriptor.ts";
import { type PathLike, pathBytes, pathText } from "../files/path.ts";
import { type Signal, signalNumber } from "../process/signal.ts";

/** A program that a task executes. */
export interface Command {
	/**
	 * The path that `exec` was called with; `"fd 5"` for a descriptor, `"fd of the batch"` for one that the batch opens.
	 */
	path: string;
	/** The arguments, with `argv[0]`. */
	argv: readonly string[];
}

/** How to execute. */
export interface ExecOptions {
	/**
	 * The whole environment of the program. Default: `process.env` at the call. Refused: a name that is empty or has a
	 * `=`, and NUL bytes.
	 */
	env?: Record<string, string | undefined>;
	/** The signal that the program gets when Node dies. Default: no signal. The program then outlives Node. */
	deathSignal?: Signal | null;
	/** Descriptors of the task that stay open, at their numbers. 0, 1 and 2 always stay open; no others do. */
	fds?: readonly FileDescriptor[];
	/** Searches `PATH`, inside the task, as execvp(3) does. Default: true when the path has no slash. */
	lookup?: boolean;
}

type ExecData = Parameters<ReturnType<typeof native>["exec"]>[1];

/** Checks the arguments of `Task.exec`. Returns the data that the addon needs, and the command for messages. */
export function execData(
	path: PathLike | FileDescriptor,
	argv: readonly string[] | undefined,
	options: ExecOptions | undefined,
): { data: Omit<ExecData, "parent" | "resetSignals" | "taskDeathSignal">; command: Command } {
	const {
		env = process.env,
		deathSignal,
		fds = [],
		lookup,
	} = checkOptions(options, ["env", "deathSignal", "fds", "lookup"]);
	const byDescriptor = path instanceof FileDescriptor;
	const fd = byDescriptor ? numberOf(path) : -1;
	const file = byDescriptor ? (fd < 0 ? "fd of the batch" : `fd ${fd}`) : pathText(path);
	const name = typeof file === "string" ? file : Buffer.from(file).toString();
	const checked = argv === undefined ? [name] : array(argv, "argv").map((arg, index) => text(arg, `argv[${index}]`));
	const search = optionalBoolean(lookup, "options.lookup") ?? !name.includes("/");
	const searched = !byDescriptor && search && !name.includes("/");
	const data = {
		paths: byDescriptor ? [] : searched ? candidates(path, env) : [file],
		...(searched && { name: file }),
		defaultPath: searched && env.PATH === undefined,
		fd,
		argv: checked,
		envp: environment(env),
		deathSignal:
			deathSignal === undefined || deathSignal === null ? 0 : signalNumber(deathSignal, "options.deathSignal"),
		keep: array(fds, "options.fds").map((fd) => {
			if (!(fd instanceof FileDescriptor)) throw wrongType("options.fds", "made of FileDescriptors", fd);
			return numberOf(fd);
		}),
	};
	return { data, command: { path: name, argv: checked } };
}

/** Returns the paths that execvp(3) would try, in its order. */
function candidates(path: PathLike, env: Record<string, string | undefined>): Buffer[] {
	const file = pathBytes(path);
	// An empty name is in no folder. An empty entry of PATH is the working directory.
	if (file.length === 0) return [file];
	const folders = (env.PATH === undefined ? "/bin:/usr/bin" : `${env.PATH}`).split(":");
	return folders.map((folder) => Buffer.concat([Buffer.from(folder === "" ? "" : `${folder}/`), file]));
}

/** An environment, and its bytes. */
interface Encoded {
	readonly names: readonly string[];
	readonly values: readonly (string | undefined)[];
	readonly bytes: Uint8Array;
}

// The environment that was encoded last: most programs give all their children the same one.
let last: Encoded | undefined;

/** Returns an environment as the kernel takes it: each variable as `NAME=value`, with a NUL behind. */
function environment(env: Record<string, string | undefined>): Uint8Array {
	if (env === null || typeof env !== "object") throw wrongType("options.env", "an object", env);
	const given = names(env);
	const values = given.map((name) => env[name]);
	// `process.env` does not count its changes. To compare all variables takes a fraction of the time of encoding them.
	if (last && areEqual(last.names, given) && areEqual(last.values, values)) return last.bytes;
	const bytes = encode(given, values);
	// A value that is no string may become another string the next time.
	if (values.every((value) => value === undefined || typeof value === "string")) last = { names: given, values, bytes };
	return bytes;
}

function areEqual(some: readonly unknown[], others: readonly unknown[]): boolean {
	return some.length === others.length && some.every((value, index) => value === others[index]);
}

function encode(names: readonly string[], values: readonly (string | undefined)[]): Uint8Array {
	let lines = "";
	names.forEach((name, index) => {
		const value = values[index];
		if (value === undefined) return;
		if (name === "" || name.includes("=") || name.includes("\0")) {
			throw wrongValue("options.env", "made of names without '=' and NUL", name);
		}
		lines += `${name}=${text(`${value}`, "options.env")}\0`;
	});
	return Buffer.from(lines);
}

/** Returns a copy of an environment. For `process.env` this takes half of the time of `{ ...process.env }`. */
export function copyEnvironment(env: ExecOptions["env"] = process.env): Record<string, string | undefined> {
	if (env === null || typeof env !== "object") throw wrongType("options.env", "an object", env);
	const copy: Record<string, string | undefined> = {};
	for (const name of names(env)) copy[name] = env[name];
	return copy;
}

/** Returns the names of all variables. As in Node, inherited properties count too. */
function names(env: Record<string, string | undefined>): string[] {
	// All variables of `process.env` are enumerable. To find that out, `for in` would ask the C library for each value.
	if (env === process.env) return Object.getOwnPropertyNames(env);
	const names = [];
	for (const name in env) names.push(name);
	return names;
}
