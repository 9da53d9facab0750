import { constants } from "node:os";
import { getSystemErrorMap } from "node:util";
import { SyscallError } from "@nearfar/core";
import { Steps } from "../build/steps.ts";

/** Why there is no sandbox, in the words of bubblewrap: the text of a line on standard error. */
export class Failure extends Error {
	/** What stands in the way on this host, for a line of its own. */
	readonly hint: string | undefined;

	constructor(message: string, options: { readonly cause?: unknown; readonly hint?: string } = {}) {
		super(message, options);
		this.hint = options.hint;
	}
}

/** Returns the text for an error number, as strerror(3) has it. */
export function reasonOf(error: unknown): string {
	const { code, errno, message } = error as NodeJS.ErrnoException;
	if (code === undefined) return message;
	const number = typeof errno === "number" ? Math.abs(errno) : constants.errno[code as keyof typeof constants.errno];
	const [, words = code] = getSystemErrorMap().get(-number) ?? [];
	return words.charAt(0).toUpperCase() + words.slice(1);
}

/** Texts for some errors of a step, in the place of the usual one. */
type Texts = Readonly<Record<string, string>>;

/** The steps of a batch with what is said when one of them fails. */
export class Reasons {
	readonly #steps = new Steps();
	readonly #texts = new Map<string, Texts>();

	/** Collects the calls of a step. If one of them fails, the failure is `what` with the reason, or the text for this error. */
	do<T>(what: string, collect: () => T, texts: Texts = {}): T {
		this.#texts.set(what, texts);
		return this.#steps.do(what, collect);
	}

	/** Returns the failure for an error. */
	explain(error: unknown, otherwise: string): unknown {
		if (!(error instanceof SyscallError)) return error;
		const what = this.#steps.nameOf(error) ?? otherwise;
		const text = this.#texts.get(what)?.[error.code];
		const { hint } = error;
		return new Failure(text ?? `${what}: ${reasonOf(error)}`, { cause: error, ...(hint !== undefined && { hint }) });
	}
}
