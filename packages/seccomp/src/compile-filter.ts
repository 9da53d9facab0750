import { options as checkOptions, native, outOfRange, text, toChoice, wrongType } from "@nearfar/core/internal";
import { architectures, toWords } from "./encode.ts";
import type { SeccompRules } from "./rules.ts";

const INSTRUCTION = 8; // bytes
const MOST = 4096; // instructions

/**
 * Makes a filter of seccomp(2) from rules: a program of classic BPF, which the kernel runs before each system call. No call is made.
 *
 * The program kills the process where a call is one of another architecture, such as a 32-bit call of an x64 process. Then it looks for
 * the number of the call, in as many comparisons as a binary search takes, and compares arguments for the rules of this call alone.
 *
 * @param rules - The rules, or a filter that was compiled before, by this function or by another program. Its bytes are copied.
 * @param options - `arch`: the architecture of the filter, `"x64"` or `"arm64"`. Default: that of Node. `name`: what messages call the
 * rules, for a function that takes them as an option of its own. Default: `"rules"`.
 * @returns The filter, 8 bytes for each instruction, in the byte order of both architectures.
 * @throws `RangeError` The filter has more than 4096 instructions, or bytes that are no whole number of instructions.
 * @throws `RangeError` A number is out of range, or a `value` has a bit that its `mask` does not have.
 * @throws `TypeError` A part of the rules has a wrong type, or is unknown: a call, an error, a comparison, an option.
 * @example
 * ```ts
 * const filter = compileFilter({ default: "kill", rules: [{ calls: ["read", "write", "exit"], action: "allow" }] });
 * console.log(filter.length / 8 < 20); // true: instructions
 * ```
 * @see seccomp(2), Linux 3.5; no privilege
 */
export function compileFilter(
	rules: SeccompRules | Uint8Array,
	options?: { arch?: "x64" | "arm64"; name?: string },
): Uint8Array {
	const { arch = process.arch, name = "rules" } = checkOptions(options, ["arch", "name"]);
	toChoice(architectures, arch as keyof typeof architectures, "options.arch");
	text(name, "options.name");
	if (rules instanceof Uint8Array) return checkLength(new Uint8Array(rules), name);
	if (rules === undefined) throw wrongType(name, "an object or a Uint8Array", rules);
	const program = native().compileFilter(toWords(rules, arch === "arm64" ? "arm64" : "x64", name));
	return checkLength(new Uint8Array(program), name);
}

function checkLength(program: Uint8Array, name: string): Uint8Array {
	const count = program.length / INSTRUCTION;
	if (Number.isInteger(count) && count >= 1 && count <= MOST) return program;
	throw outOfRange(name, `a filter of 1 to ${MOST} instructions, ${INSTRUCTION} bytes each`, count);
}
