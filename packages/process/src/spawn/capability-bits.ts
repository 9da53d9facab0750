import { CapabilitySet, type Caps } from "@nearfar/caps";
import { capabilities, integer, native, outOfRange, toChoice, wrongType } from "@nearfar/core/internal";

/**
 * Returns the bits of a set of capabilities, all of which the running kernel has.
 *
 * @param caps - The set as the caller has given it.
 * @param option - The name of the option for error messages.
 */
export function capabilityBits(caps: Caps, option: string): bigint {
	const last = native().lastCapability();
	const bits = toBits(caps, option);
	if (bits < 0n || bits >> BigInt(last + 1) !== 0n) {
		throw outOfRange(option, `made of capabilities of this kernel, 0 to ${last}`, caps);
	}
	return bits;
}

function toBits(caps: Caps, option: string): bigint {
	if (typeof caps === "bigint") return caps;
	if (caps instanceof CapabilitySet) return CapabilitySet.from(caps).bits; // an iteration has no capability without a name
	// A string is iterable too, but yields characters instead of names.
	if (typeof caps !== "object" || caps === null || typeof caps[Symbol.iterator] !== "function") {
		throw wrongType(option, "an iterable of names and numbers, or a bigint", caps);
	}
	let bits = 0n;
	for (const capability of caps) {
		const isNumber = typeof capability === "number";
		bits |= 1n << BigInt(isNumber ? integer(capability, option, 0, 63) : toChoice(capabilities, capability, option));
	}
	return bits;
}
