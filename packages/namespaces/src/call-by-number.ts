import { SyscallError } from "@nearfar/core";
import { fillArrays, native, taskOf } from "@nearfar/core/internal";

const ADDRESS = 1; // the addon fills the address of a block in
const ARGUMENT = -1; // stands for the arguments in the place of a block

/** A system call that the addon has no function for. */
export interface NumberedCall {
	/** The name in the man page, for errors. */
	readonly name: string;
	readonly nr: number;
}

/**
 * Makes a system call in the current task. Batches are refused before.
 *
 * @param call - The call.
 * @param args - Numbers, and bytes that the kernel reads and writes.
 * @param descriptor - Whether the result is a new descriptor of the task.
 * @returns The result. The bytes have what the kernel has written.
 */
export function callByNumber(call: NumberedCall, args: readonly (number | Uint8Array)[], descriptor = false): number {
	const blocks = args.filter((arg) => typeof arg !== "number");
	const words = args.flatMap((arg, index) =>
		typeof arg === "number" ? [] : [ARGUMENT, index, ADDRESS, blocks.indexOf(arg)],
	);
	const numbers = args.map((arg) => (typeof arg === "number" ? arg : 0));
	try {
		const { result, out } = native().syscall(call.nr, numbers, blocks, words, descriptor);
		fillArrays(blocks, out);
		return Number(result);
	} catch (error) {
		if (!(error instanceof SyscallError)) throw error;
		throw new SyscallError({ code: error.code, errno: -error.errno, syscall: call.name }, taskOf());
	}
}
