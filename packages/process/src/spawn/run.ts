import type { Readable } from "node:stream";
import {
	type ChildProcess,
	ExitError,
	type ExitStatus,
	type FileDescriptor,
	NearfarError,
	type PathLike,
} from "@nearfar/core";
import { howItEnded, integer, toChoice, wrongValue } from "@nearfar/core/internal";
import type { Enforced } from "@nearfar/landlock";
import { CollectedOutput } from "./collected-output.ts";
import { copyOptions } from "./copy-options.ts";
import { Deadline } from "./deadline.ts";
import { readToEnd } from "./end-of-streams.ts";
import { InputSource } from "./input.ts";
import type { SpawnOptions } from "./options.ts";
import { checkSpawn, spawnOptions } from "./request.ts";
import { start } from "./start.ts";

/**
 * The options of {@link run}: those of {@link spawn}, and what becomes of the input and the output.
 *
 * @example
 * ```ts
 * const options: RunOptions = { input: "b\na\n", timeout: 10_000 };
 * console.log((await run("sort", [], options)).stdout); // "a\nb\n"
 * ```
 */
export interface RunOptions<E extends "utf8" | "buffer" = "utf8" | "buffer"> extends SpawnOptions {
	/**
	 * What the program reads as its standard input. Default: nothing, the program finds the end of the file. Refused together
	 * with a standard input in `stdio` other than `"pipe"`.
	 */
	input?: string | Uint8Array | Readable;
	/** `"buffer"`: `stdout` and `stderr` are buffers. Default: `"utf8"`, they are strings. */
	encoding?: E;
	/**
	 * Bytes of `stdout`, and of `stderr`, from 0 up. A program that writes more is ended as by `timeout`, and the rest is dropped.
	 * Default: 67108864, which are 64 MiB.
	 */
	maxOutput?: number;
}

/**
 * What a program has come to.
 *
 * @example
 * ```ts
 * const { code, stderr, reason }: RunResult = await run("sh", ["-c", "echo no >&2; exit 3"]);
 * console.log(code, stderr, reason); // 3 "no\n" "exited"
 * ```
 */
export interface RunResult<T = string> {
	/** The exit code, 0 to 255. `null`: a signal has ended the program, or the kernel did not report the status. */
	code: ExitStatus["code"];
	/** The signal that has ended the program, or `null`. */
	signal: ExitStatus["signal"];
	/** The standard output. Empty where it was no pipe. */
	stdout: T;
	/** The standard error. Empty where it was no pipe. */
	stderr: T;
	/** True where the program wrote more than `maxOutput`. */
	truncated: { stdout: boolean; stderr: boolean };
	/**
	 * Why the program has ended: by itself, by a signal of somebody else, or because `timeout` had passed, `signal` was aborted,
	 * or its output was longer than `maxOutput`.
	 */
	reason: "exited" | "killed" | "timeout" | "aborted" | "output";
	/**
	 * Milliseconds from the call to the end, milliseconds of CPU time in user and in system mode, and the largest resident set
	 * in bytes. `null`: the kernel did not report it.
	 */
	usage: { wall: number; user: number | null; system: number | null; maxRss: number | null };
	/** What the option `landlock` refused to the program. Absent without that option. */
	landlock?: Enforced;
	/**
	 * Returns this result if the program exited with 0.
	 *
	 * @throws `ERR_NEARFAR_EXIT` The program ended otherwise. The message has the end of its standard error.
	 */
	check(): this;
}

/**
 * Runs a program and collects its output.
 *
 * @param file - A path, a name to look up in `PATH`, or an open file of this process, which may not be a script.
 * @param args - The arguments without `argv[0]`, none with a NUL byte. Default: none.
 * @param options - See {@link RunOptions}. Default: no input, output as strings of at most 64 MiB each.
 * @returns How the program ended and what it wrote, whatever the exit code is. The program has ended, and with `killTree`
 * whatever it has started. Without `killTree` another process may hold a pipe of the program: then the output ends a second after
 * the last byte.
 * @throws Any error of {@link spawn}: the program could not be started, or `signal` or `timeout` came before it ran.
 * @throws `ERR_INVALID_ARG_VALUE` `options.input` is given and the standard input is no pipe.
 * @throws Any error of a stream that is given as `options.input`. The program is killed then.
 * @example
 * ```ts
 * const { stdout } = (await run("uname", ["-s"])).check();
 * console.log(stdout); // "Linux\n"
 * ```
 * @see clone(2), execve(2), waitid(2), Linux 5.11
 */
export async function run<const E extends "utf8" | "buffer" = "utf8">(
	file: PathLike | FileDescriptor,
	args: readonly string[] = [],
	options?: RunOptions<E>,
): Promise<RunResult<E extends "buffer" ? Buffer : string>> {
	const {
		input,
		encoding = "utf8",
		maxOutput = 64 * 1024 * 1024,
		...given
	} = copyOptions(options, [...spawnOptions, "input", "encoding", "maxOutput"]);
	toChoice({ utf8: 0, buffer: 1 }, encoding, "options.encoding");
	integer(maxOutput, "options.maxOutput", 0, Number.MAX_SAFE_INTEGER);
	const stdio = given.stdio ?? [input === undefined ? "ignore" : "pipe", "pipe", "pipe"];
	const request = checkSpawn(file, args, { grace: 5000, ...given, stdio });
	if (input !== undefined && request.stdio[0] !== "pipe") {
		throw wrongValue("options.stdio[0]", '"pipe" together with options.input', request.stdio[0]);
	}
	const source = new InputSource(input ?? "");
	const began = performance.now();
	const deadline = new Deadline(request.signal, request.timeout, request.argv[0] ?? "");
	const { child, stop } = await start(request, deadline).catch((error) => {
		source.destroy();
		throw error;
	});
	try {
		let tooLong = false;
		const end = () => {
			if (child.death || deadline.signal?.aborted) return;
			tooLong = true;
			stop();
		};
		const outputs = [child.stdout, child.stderr].map((stream) => new CollectedOutput(stream, maxOutput, end));
		const [status] = await Promise.all([child.exited, child.stdin && source.writeTo(child.stdin)]);
		const wall = performance.now() - began;
		await readToEnd(child.stdio);
		const [stdout, stderr] = outputs as [CollectedOutput, CollectedOutput];
		const ended = reasonOf(deadline, status);
		// A program that ends by itself before it is stopped has written too much all the same.
		const wroteTooMuch = tooLong || (ended === "exited" && (stdout.truncated || stderr.truncated));
		const reason = wroteTooMuch ? "output" : ended;
		const result = {
			code: status.code,
			signal: status.signal,
			stdout: encoding === "buffer" ? stdout.bytes() : stdout.text(),
			stderr: encoding === "buffer" ? stderr.bytes() : stderr.text(),
			truncated: { stdout: stdout.truncated, stderr: stderr.truncated },
			reason,
			usage: { wall, ...usageOf(child) },
			...(request.domain && { landlock: request.domain.enforced }),
		};
		const check = () => {
			if (status.code === 0 && reason === "exited") return result;
			const message = `${child} ${howItEnded(status)}${because(reason)}${stderr.tail()}`;
			throw new ExitError(message, status, child.command);
		};
		// Not enumerable, because a result is printed, compared and written as JSON.
		Object.defineProperty(result, "check", { value: check });
		return result as RunResult<E extends "buffer" ? Buffer : string>;
	} finally {
		await child[Symbol.asyncDispose]();
	}
}

function reasonOf({ signal }: Deadline, status: ExitStatus): "timeout" | "aborted" | "killed" | "exited" {
	if (signal?.aborted) return signal.reason instanceof NearfarError ? "timeout" : "aborted";
	return status.signal === null ? "exited" : "killed";
}

function because(reason: RunResult["reason"]): string {
	const causes = {
		timeout: "options.timeout had passed",
		aborted: "options.signal was aborted",
		output: "its output was longer than options.maxOutput",
	};
	return reason === "exited" || reason === "killed" ? "" : ` after ${causes[reason]}`;
}

function usageOf({ resourceUsage }: ChildProcess): Omit<RunResult["usage"], "wall"> {
	if (!resourceUsage) return { user: null, system: null, maxRss: null };
	const { userCPUTime, systemCPUTime, maxRSS } = resourceUsage;
	return { user: userCPUTime / 1000, system: systemCPUTime / 1000, maxRss: maxRSS * 1024 };
}
