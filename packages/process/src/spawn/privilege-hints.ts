import { SyscallError } from "@nearfar/core";
import { native } from "@nearfar/core/internal";

/** What stands in the way when the kernel refuses a call with an error of this code. A function is called for the error alone. */
export type Hints = Readonly<Partial<Record<"EPERM" | "EINVAL", string | (() => string | undefined)>>>;

/** The hints for the calls of a batch. */
export class PrivilegeHints {
	#marked: { from: number; to: number; hints: Hints }[] = [];

	/** Calls `collect`, which collects calls, and keeps the hints for these calls. */
	mark(hints: Hints, collect: () => void): void {
		const from = native().collected();
		collect();
		this.#marked.push({ from, to: native().collected(), hints });
	}

	/** Drops all hints. Called before another batch, whose calls are numbered from 0 again. */
	clear(): void {
		this.#marked = [];
	}

	/** Adds to the error of a call the hint for the call, if there is one: it says more than that of a call anywhere else. */
	addTo(error: unknown): void {
		if (!(error instanceof SyscallError) || error.step === undefined) return;
		const { step } = error;
		const hints: Partial<Record<string, Hints["EPERM"]>> =
			this.#marked.find(({ from, to }) => from <= step && step < to)?.hints ?? {};
		const found = hints[error.code];
		const hint = typeof found === "function" ? found() : found;
		if (hint !== undefined) Object.assign(error, { hint });
	}
}
