import { fillArrays, native } from "@nearfar/core/internal";

const ADDRESS = 1; // the addon fills the address of a block in
const ARGUMENT = -1; // stands for the arguments in the place of a block

/** The calls that the addon knows by their names, and has no function for. */
type CallName = "listns" | "name_to_handle_at" | "open_by_handle_at" | "setdomainname";

/**
 * Makes a system call in the current task. A batch collects the call, and the result is 0.
 *
 * @param name - The name in the man page, which errors have too.
 * @param args - Numbers, and bytes that the kernel reads and writes.
 * @param descriptor - Whether the result is a new descriptor of the task.
 * @returns The result. The bytes have what the kernel has written.
 */
export function callByName(name: CallName, args: readonly (number | Uint8Array)[], descriptor = false): number {
	const blocks = args.filter((arg) => typeof arg !== "number");
	const words = args.flatMap((arg, index) =>
		typeof arg === "number" ? [] : [ARGUMENT, index, ADDRESS, blocks.indexOf(arg)],
	);
	const numbers = args.map((arg) => (typeof arg === "number" ? arg : 0));
	const { result, out } = native().syscall(name, numbers, blocks, words, descriptor);
	fillArrays(blocks, out);
	return Number(result);
}
