import type { ExitStatus, Signal } from "@nearfar/core";
import { ExitError } from "@nearfar/core";
import type { Guarantees } from "../guarantees.ts";
import type { Violation } from "../violations.ts";

/**
 * Why a command has ended: by itself, by a signal of somebody else, by a limit or a signal of its caller, or by the kernel, which has
 * killed it because of `limits.memory`.
 */
export type Reason = "exited" | "killed" | "timeout" | "output" | "aborted" | "memory";

/** What a command has used. */
export interface Usage {
	/** Milliseconds from the call to the end. */
	readonly wall: number;
	/** Milliseconds of processor time in user mode. `null`: the kernel did not report it. */
	readonly user: number | null;
	/** Milliseconds of processor time in system mode. `null`: the kernel did not report it. */
	readonly system: number | null;
	/** Bytes of the largest resident set of one of its processes. `null`: the kernel did not report it. */
	readonly maxRss: number | null;
	/** Milliseconds from the call to the first instruction of the command. */
	readonly startup: number;
	/** The most bytes of memory that it had together with all that it has started. Absent: no group, or a kernel before Linux 5.19. */
	readonly memoryPeak?: number;
}

/** What a command has come to. */
export interface Result<T = string | Buffer> {
	/** The exit code, 0 to 255. `null`: a signal has ended the command. */
	readonly code: number | null;
	/** The signal that has ended the command, or `null`. */
	readonly signal: Signal | null;
	/** Why the command has ended. */
	readonly reason: Reason;
	/** The standard output. Empty where it was not collected. */
	readonly stdout: T;
	/** The standard error. Empty where it was not collected. */
	readonly stderr: T;
	/** True where the command wrote more than `limits.output`. */
	readonly truncated: { readonly stdout: boolean; readonly stderr: boolean };
	/** What it has used. */
	readonly usage: Usage;
	/** What happened between its start and its end. */
	readonly violations: readonly Violation[];
	/** What was in force. */
	readonly guarantees: Guarantees;
	/**
	 * Returns this result if the command exited with 0.
	 *
	 * @throws `ERR_NEARFAR_EXIT` The command ended otherwise. The message has the end of its standard error.
	 */
	check(): this;
}

// Characters of the standard error that a message quotes.
const QUOTED = 1000;

/** Adds `check` to a result, which is not among the names of a result that is printed or written as JSON. */
export function withCheck<T extends string | Buffer>(
	result: Omit<Result<T>, "check">,
	command: { readonly path: string; readonly argv: readonly string[] },
): Result<T> {
	const check = () => {
		const { code, signal, reason, stderr } = result;
		if (code === 0 && reason === "exited") return result;
		const status = (
			code === null ? { code, signal, dumped: false } : { code, signal: null, dumped: false }
		) satisfies ExitStatus;
		const how = code === null ? `was ended by ${signal ?? "a signal"}` : `exited with ${code}`;
		const why = {
			exited: "",
			killed: "",
			timeout: " after limits.time",
			output: " after limits.output",
			aborted: " after its signal was aborted",
			memory: " because of limits.memory",
		}[reason];
		const text = stderr.toString().trimEnd();
		const quoted = text && `: ${text.length > QUOTED ? "…" : ""}${text.slice(-QUOTED)}`;
		throw new ExitError(`${command.argv.join(" ")} ${how}${why}${quoted}`, status, command);
	};
	Object.defineProperty(result, "check", { value: check });
	return result as Result<T>;
}
