import { native } from "../addon/native.ts";
import { array, boolean, options as checkOptions, integer, word, wrongType, wrongValue } from "../arguments.ts";
import { adoptDescriptor, FileDescriptor, numberOf } from "../files/descriptor.ts";
import { currentBatch } from "../target/target.ts";

/** Bytes that hold addresses or descriptors: a C struct with pointers. */
export interface SyscallStruct {
	/** The bytes of the struct. */
	readonly bytes: Uint8Array;
	/**
	 * The words that the task fills in, each with its offset in `bytes`: the address of other bytes (8 bytes), or the number of
	 * a descriptor (4 bytes). `bytes` itself stays as it is there.
	 */
	readonly at: readonly (readonly [offset: number, value: Uint8Array | SyscallStruct | FileDescriptor])[];
}

/** An argument of a system call that is made by number. */
export type SyscallArgument = number | bigint | FileDescriptor | Uint8Array | SyscallStruct;

/** How to make a system call by number. */
export interface SyscallOptions {
	/** True when the call returns a new descriptor of the task. Default: the result is a number. */
	readonly fd: true;
}

const DEEPEST = 8; // more than any struct of the kernel; a struct that holds itself would never end

/** The kinds of words that the addon fills in. */
const DESCRIPTOR = 0;
const ADDRESS = 1;
/** Stands for the arguments in the place of a block. */
const ARGUMENTS = -1;

/** The bytes and the words of one call, as the addon takes them. */
class Blocks {
	readonly bytes: Uint8Array[] = [];
	readonly words: number[] = [];
	/** The words of the blocks that hold addresses or descriptors during the call. */
	readonly #filled: { readonly bytes: Uint8Array; readonly offset: number; readonly width: number }[] = [];

	/** Has a word filled in: in a block, or as an argument. */
	add(block: number, offset: number, value: SyscallArgument, name: string, depth = 0): void {
		if (value instanceof FileDescriptor) this.words.push(block, offset, DESCRIPTOR, numberOf(value, name));
		else this.words.push(block, offset, ADDRESS, this.#addBytes(value, name, depth));
	}

	/** Returns the number of a new block. */
	#addBytes(value: SyscallArgument, name: string, depth: number): number {
		const plain = value instanceof Uint8Array ? { bytes: value, at: [] } : undefined;
		const { bytes, at } = plain ?? checkOptions(value as SyscallStruct, ["bytes", "at"], name);
		if (!(bytes instanceof Uint8Array)) throw wrongType(name, "bytes, or an object with `bytes` and `at`", value);
		if (isTransferred(bytes)) throw wrongValue(name, "bytes whose memory has not been transferred", value);
		if (depth > DEEPEST) throw wrongValue(name, `structs in at most ${DEEPEST} levels`, value);
		const block = this.bytes.push(bytes) - 1;
		for (const [index, held] of array(at, `${name}.at`).entries()) {
			const [offset, to] = array(held, `${name}.at[${index}]`) as SyscallStruct["at"][number];
			const width = to instanceof FileDescriptor ? 4 : 8;
			if (bytes.length < width)
				throw wrongValue(`${name}.bytes`, `at least ${width} bytes, which are filled in`, bytes);
			integer(offset, `${name}.at[${index}][0]`, 0, bytes.length - width);
			this.#filled.push({ bytes, offset, width });
			this.add(block, offset, to, `${name}.at[${index}][1]`, depth + 1);
		}
		return block;
	}

	/** Copies the bytes that the kernel has written back. The words that were filled in stay as they were before the call. */
	fill(out: Uint8Array): void {
		const before = this.#filled.map(({ bytes, offset, width }) =>
			Uint8Array.from(bytes.subarray(offset, offset + width)),
		);
		fillArrays(this.bytes, out);
		for (const [index, { bytes, offset }] of this.#filled.entries()) bytes.set(before[index] ?? [], offset);
	}
}

/** True when the memory of an array has gone to another thread. The array is empty then. */
function isTransferred({ buffer, length }: Uint8Array): boolean {
	if (length > 0) return false;
	try {
		new Uint8Array(buffer); // `buffer.detached` exists from Node 21 on
		return false;
	} catch {
		return true;
	}
}

/** Splits what `Task.syscall` is given into the arguments of the call and the options. */
export function syscallArguments(given: readonly (SyscallArgument | SyscallOptions)[]): {
	args: readonly SyscallArgument[];
	fd: boolean;
} {
	const last = given.at(-1);
	const options = isOptions(last) ? last : undefined;
	const args = (options ? given.slice(0, -1) : given) as SyscallArgument[];
	if (args.length > 6) throw wrongValue("args", "at most six arguments", args);
	return { args, fd: options !== undefined && boolean(checkOptions(options, ["fd"]).fd, "options.fd") };
}

function isOptions(value: SyscallArgument | SyscallOptions | undefined): value is SyscallOptions {
	return typeof value === "object" && value !== null && !(value instanceof FileDescriptor) && "fd" in value;
}

/** Makes a system call by number in the current task. In a batch only a descriptor is returned. */
export function rawSyscall(
	nr: number,
	args: readonly SyscallArgument[],
	fd: boolean,
): bigint | FileDescriptor | undefined {
	const blocks = new Blocks();
	const numbers = args.map((arg, index) => {
		const name = `args[${index}]`;
		if (typeof arg === "number" || typeof arg === "bigint") return word(arg, name);
		if (typeof arg !== "object" || arg === null) {
			throw wrongType(name, "a number, a bigint, a FileDescriptor, a Uint8Array or a struct", arg);
		}
		blocks.add(ARGUMENTS, index, arg, name);
		return 0;
	});
	const { result, out } = native().syscall(nr, numbers, blocks.bytes, blocks.words, fd);
	const descriptor = fd ? adoptDescriptor(Number(result)) : undefined;
	if (currentBatch()) return descriptor;
	blocks.fill(out);
	return descriptor ?? result;
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
