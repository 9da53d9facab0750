import { NearfarError } from "@nearfar/core";

/**
 * `ERR_NEARFAR_LANDLOCK_UNAVAILABLE`: the kernel cannot enforce what was asked for.
 *
 * No call was made. What the kernel lacks is left out only if `drop` names it.
 *
 * @example
 * ```ts
 * try {
 *   await using task = await Task.clone();
 *   console.log(task.run(() => landlock({ scope: ["signal"] })).abi);
 * } catch (error) {
 *   if (error instanceof LandlockUnavailableError) console.log(error.abi, error.missing, error.hint);
 * }
 * ```
 */
export class LandlockUnavailableError extends NearfarError {
	/** The version of the ABI that this kernel has. 0: none. */
	readonly abi: number;
	/** The names of the rights, scopes and flags that this kernel lacks. */
	readonly missing: string[];
	/** What to do. */
	readonly hint: string;

	constructor(message: string, abi: number, missing: readonly string[], hint: string) {
		super("LANDLOCK_UNAVAILABLE", message);
		this.abi = abi;
		this.missing = [...missing];
		this.hint = hint;
	}
}
