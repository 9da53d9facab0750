import { type Capability, capabilities, outOfRange, wrongType, wrongValue } from "@nearfar/core/internal";

const names = new Map<number, Capability>();
for (const [name, number] of Object.entries(capabilities)) names.set(number, name as Capability);

/**
 * An immutable set of capabilities.
 *
 * A capability that is newer than this library has no name here: `bits` keeps it, and `toString()` shows its number.
 *
 * @example
 * ```ts
 * const set = CapabilitySet.from(["netAdmin", "sysAdmin"]);
 * console.log(set.has("netAdmin"), set.bits, `${set}`, [...set].length); // true 2101248n netAdmin,sysAdmin 2
 * ```
 * @see capabilities(7)
 */
export class CapabilitySet implements Iterable<Capability> {
	/** One bit for each capability, number 0 in the lowest bit: 0 to 2^64-1. */
	readonly bits: bigint;

	private constructor(bits: bigint) {
		this.bits = bits;
		Object.freeze(this);
	}

	/**
	 * Makes a set.
	 *
	 * @param source - Names, another set, or the bits from 0 to 2^64-1.
	 * @returns A new set, or `source` itself if it is a set.
	 * @throws `TypeError` `source` is neither an iterable nor a bigint, or a name is no capability; the message lists
	 * the names.
	 * @throws `RangeError` The bigint is negative or has more than 64 bits.
	 */
	static from(source: Iterable<Capability> | bigint): CapabilitySet {
		return source instanceof CapabilitySet ? source : new CapabilitySet(toCapabilityBits(source, "source"));
	}

	/**
	 * Tells whether a capability is in the set.
	 *
	 * @param name - The name of a capability.
	 * @returns `true` if the capability is in the set.
	 * @throws `TypeError` The name is no capability; the message lists the names.
	 */
	has(name: Capability): boolean {
		return (this.bits & bit(name, "name")) !== 0n;
	}

	/**
	 * Tells whether another set has the same capabilities, with or without names.
	 *
	 * @param other - The set to compare with.
	 * @returns `true` if all 64 bits are the same.
	 */
	equals(other: CapabilitySet): boolean {
		return this.bits === other.bits;
	}

	/** Yields the names in the order of the kernel's numbers. A capability without a name is left out. */
	*[Symbol.iterator](): Generator<Capability, void> {
		for (const number of this.#numbers()) {
			const name = names.get(number);
			if (name) yield name;
		}
	}

	/** Returns names and, where there is no name, numbers: `"netAdmin,sysAdmin"`; `""` for the empty set. */
	toString(): string {
		return [...this.#numbers()].map((number) => names.get(number) ?? number).join(",");
	}

	*#numbers(): Generator<number, void> {
		for (let number = 0; number < 64; number++) if ((this.bits >> BigInt(number)) & 1n) yield number;
	}
}

/** Returns the bits of a set, of names or of a number. Throws for a `parameter` of another type. */
export function toCapabilityBits(source: Iterable<Capability> | bigint, parameter: string): bigint {
	if (source instanceof CapabilitySet) return source.bits;
	if (typeof source === "bigint") {
		if (source < 0n || source >= 1n << 64n) throw outOfRange(parameter, "a bigint from 0 to 2^64-1", source);
		return source;
	}
	// A string is iterable too, but yields characters instead of names.
	if (typeof source !== "object" || source === null || typeof source[Symbol.iterator] !== "function") {
		throw wrongType(parameter, "an iterable of names, or a bigint", source);
	}
	let bits = 0n;
	for (const name of source) bits |= bit(name, parameter);
	return bits;
}

function bit(name: Capability, parameter: string): bigint {
	if (!Object.hasOwn(capabilities, name)) {
		throw wrongValue(parameter, `made of ${Object.keys(capabilities).join(", ")}`, name);
	}
	return 1n << BigInt(capabilities[name]);
}
