import {
	fillArrays,
	integer,
	native,
	type PrctlOption,
	prctlOptions,
	toChoice,
	word,
	wrongType,
	wrongValue,
} from "@nearfar/core/internal";

/**
 * Makes prctl(2) as it is. Nothing is checked but where it may run: this can do whatever the kernel allows.
 *
 * In a task every option can be used. In this process those that read, but through `capAmbient`, and those that change
 * the process as a whole: `setDumpable`, `setChildSubreaper`, `setThpDisable`, `setPtracer`, and by their numbers
 * PR_SET_TIMING, PR_SET_MM, PR_SET_MDWE, PR_SET_MEMORY_MERGE and PR_SET_VMA. All others change one thread, or might:
 * they are refused.
 *
 * @param option - Its number, or one of the names in the table.
 * @param args - Up to four; the others are 0. Bytes are passed by address, and hold afterwards what the kernel wrote.
 * @returns What the call returned.
 * @throws `SyscallError` what the option's page says; `EINVAL` an option that the kernel does not know ·
 * `MultithreadedError` in this process, an option that may be for one thread · `BatchError` in a batch · `TaskGoneError`
 * @example
 * ```ts
 * const name = new Uint8Array(16);
 * prctl("getName", name);
 * console.log(prctl("getDumpable")); // 1
 * ```
 * @see prctl(2)
 */
export function prctl(option: number | PrctlOption, ...args: (number | bigint | Uint8Array)[]): number {
	const number = typeof option === "number" ? option : toChoice(prctlOptions, option, "option");
	integer(number, "option", -(2 ** 31), 2 ** 31 - 1);
	if (args.length > 4) throw wrongValue("args", "at most four arguments", args);
	for (const [index, arg] of args.entries()) {
		if (typeof arg === "number" || typeof arg === "bigint") word(arg, `args[${index}]`);
		else if (!(arg instanceof Uint8Array)) throw wrongType(`args[${index}]`, "a number, a bigint or a Uint8Array", arg);
	}
	const { result, out } = native().prctl(number, args);
	fillArrays(args, out);
	return Number(result);
}
