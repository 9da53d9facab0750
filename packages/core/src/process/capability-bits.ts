import { type Capability, capabilities } from "../addon/flags.generated.ts";
import { integer, outOfRange, wrongType, wrongValue } from "../arguments.ts";

/** The first number that a set of 64 bits cannot have. */
const LIMIT = 1n << 64n;

/** The bit of CAP_SETPCAP, which most changes of capability sets need. */
export const setpcap = 1n << BigInt(capabilities.setpcap);

/** Returns whether a set has a capability, which is given by its number. */
export function hasCapability(set: bigint, capability: number): boolean {
	return ((set >> BigInt(capability)) & 1n) === 1n;
}

/**
 * Returns the bits of capabilities that a caller has given. Throws a `TypeError` or a `RangeError` for anything else.
 *
 * @param source - Names and numbers from 0 to 63, or the bits from 0 to 2^64-1. The iteration of a `CapabilitySet` leaves out
 * what has no name: the caller of this function passes the bits of a set.
 * @param parameter - The name of the parameter for error messages.
 */
export function capabilityBits(source: Iterable<Capability | number> | bigint, parameter: string): bigint {
	if (typeof source === "bigint") {
		if (source < 0n || source >= LIMIT) throw outOfRange(parameter, "a bigint from 0 to 2^64-1", source);
		return source;
	}
	// A string is iterable too, but yields characters instead of names.
	if (typeof source !== "object" || source === null || typeof source[Symbol.iterator] !== "function") {
		throw wrongType(parameter, "an iterable of names and numbers, or a bigint", source);
	}
	let bits = 0n;
	for (const capability of source) bits |= capabilityBit(capability, parameter);
	return bits;
}

/** Returns the bit of one capability, given by its name or its number from 0 to 63. */
export function capabilityBit(capability: Capability | number, parameter: string): bigint {
	if (typeof capability === "number") return 1n << BigInt(integer(capability, parameter, 0, 63));
	// The type is checked first, because an object would be converted to a name twice, and could be two names.
	if (typeof capability !== "string" || !Object.hasOwn(capabilities, capability)) {
		throw wrongValue(parameter, `made of numbers and of ${Object.keys(capabilities).join(", ")}`, capability);
	}
	return 1n << BigInt(capabilities[capability]);
}
