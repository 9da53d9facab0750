import { native } from "../addon/native.ts";
import { word, wrongType } from "../arguments.ts";
import { FileDescriptor, numberOf } from "../files/descriptor.ts";

/** An argument of a system call that is made by number. */
export type RawArgument = number | bigint | FileDescriptor | Uint8Array;

/** Makes a system call by number in the current task. */
export function rawSyscall(nr: number, args: readonly RawArgument[]): bigint {
	const values = args.map((arg, index) => {
		if (arg instanceof FileDescriptor) return numberOf(arg);
		if (typeof arg === "number" || typeof arg === "bigint") return word(arg, `args[${index}]`);
		if (arg instanceof Uint8Array) return arg;
		throw wrongType(`args[${index}]`, "a number, a bigint, a FileDescriptor or a Uint8Array", arg);
	});
	const { result, out } = native().syscall(nr, values);
	fillArrays(values, out);
	return result;
}

/**
 * Copies the bytes that the kernel has written back into the arrays among the arguments of a call.
 *
 * @param args - The arguments.
 * @param out - The bytes of all arrays, each beginning at a multiple of 8.
 */
export function fillArrays(args: readonly unknown[], out: Uint8Array): void {
	let at = 0;
	for (const bytes of args) {
		if (!(bytes instanceof Uint8Array)) continue;
		bytes.set(out.subarray(at, at + bytes.length));
		at = Math.ceil((at + bytes.length) / 8) * 8;
	}
}
