/** The exit code where nothing has run: the command line is wrong, or there is no sandbox. */
const NO_SANDBOX = 125;
const NOT_EXECUTABLE = 126;
const NOT_FOUND = 127;

/** A command line that is wrong. */
export class UsageError extends Error {
	readonly code = "ERR_NEARFAR_USAGE";
	readonly hint: string;

	/** @param command - The command whose help is named. */
	constructor(message: string, command: string) {
		super(message);
		this.hint = `${command} --help lists what there is`;
	}
}

/** An error, as the command reports it. */
export interface Explained {
	readonly exitCode: number;
	readonly code: string;
	readonly message: string;
	readonly step?: string;
	readonly hint?: string;
}

/** Returns the exit code of an error, and what is told about it. Throws an error that is a fault of this program. */
export function explain(error: unknown): Explained {
	if (!(error instanceof Error) || !("code" in error)) throw error;
	const { message, code, step, hint, syscall } = error as Error & Record<"code" | "step" | "hint" | "syscall", unknown>;
	const isOfProgram = syscall === "execve";
	const place = typeof step === "string" ? step : syscall; // the number of a step of a batch says nothing here
	return {
		exitCode: isOfProgram ? (code === "ENOENT" ? NOT_FOUND : NOT_EXECUTABLE) : NO_SANDBOX,
		code: `${code}`,
		message: typeof hint === "string" && !message.includes(hint) ? `${message}\n  ${hint}` : message,
		...(typeof place === "string" && { step: place }),
		...(typeof hint === "string" && { hint }),
	};
}
