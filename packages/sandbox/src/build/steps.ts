import { SyscallError } from "@nearfar/core";
import { native } from "@nearfar/core/internal";

/** The names of the steps in which a sandbox is made, each for the calls of a batch that make it up. */
export class Steps {
	readonly #ranges: { readonly name: string; readonly from: number; readonly to: number }[] = [];

	/** Collects the calls of a step. */
	do<T>(name: string, collect: () => T): T {
		const from = native().collected();
		try {
			return collect();
		} finally {
			this.#ranges.push({ name, from, to: native().collected() });
		}
	}

	/** Returns the name of the step that has failed. `undefined`: the error is not one of these calls. */
	nameOf(error: unknown): string | undefined {
		if (!(error instanceof SyscallError) || error.step === undefined) return undefined;
		const { step } = error;
		return this.#ranges.find(({ from, to }) => from <= step && step < to)?.name;
	}
}
