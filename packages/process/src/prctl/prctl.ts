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
 * Makes the system call prctl(2), unchecked but for where the option may run.
 *
 * In a task every option is allowed. Near, the options that read are allowed, but for `capAmbient`, and the options
 * that change the process as a whole: `setDumpable`, `setChildSubreaper`, `setThpDisable`, `setPtracer`, and by their
 * numbers PR_SET_TIMING, PR_SET_MM, PR_SET_MDWE, PR_SET_MEMORY_MERGE and PR_SET_VMA. Every other option changes a
 * single thread, or might, and is refused.
 *
 * @param option - A name, or the kernel's number from -2147483648 to 2147483647.
 * @param args - Up to four; the kernel gets 0 for each that is missing. A number or bigint is passed as a word of 64
 * bits. A `Uint8Array` is passed by its address, and afterwards holds the bytes that the kernel has written.
 * @returns The return value of the call.
 * @throws `EINVAL` The kernel does not know the option, or refuses an argument.
 * @throws `EFAULT` An argument of the option has to be an address, and is none.
 * @throws `ERR_NEARFAR_MULTITHREADED` Called near with an option that may change a single thread.
 * @throws `ERR_NEARFAR_BATCH` The call is inside a batch, which has no value to return yet.
 * @throws `ERR_NEARFAR_TASK_GONE` The current task has executed a program, exited or died.
 * @throws `TypeError` `option` is an unknown name; there are more than four arguments; or an argument is neither a
 * number, a bigint nor a `Uint8Array`.
 * @throws `RangeError` `option` is a number out of range, or an argument does not fit into 64 bits.
 * @throws Any error that the man page of the option lists.
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
	if (args.length > 4) throw wrongValue("args", "at most four values: prctl(2) takes no more", args);
	for (const [index, arg] of args.entries()) {
		if (typeof arg === "number" || typeof arg === "bigint") word(arg, `args[${index}]`);
		else if (!(arg instanceof Uint8Array)) throw wrongType(`args[${index}]`, "a number, a bigint or a Uint8Array", arg);
	}
	const { result, out } = native().prctl(number, args);
	fillArrays(args, out);
	return Number(result);
}
