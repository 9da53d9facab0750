import {
	type Capability,
	capabilities,
	capabilityBit,
	capabilityBits,
	text as checkText,
	native,
	wrongType,
	wrongValue,
} from "@nearfar/core/internal";
import { numbersOf, readList, writeList } from "./capability-list.ts";

/**
 * A set of capabilities as the functions of this package take it: an iterable of names and of numbers from 0 to 63, a
 * {@link CapabilitySet}, or the bits from 0 to 2^64-1.
 */
export type Caps = Iterable<Capability | number> | bigint;

const names = new Map<number, Capability>();
for (const [name, number] of Object.entries(capabilities)) names.set(number, name as Capability);

/** True when a value was made by the constructor of {@link CapabilitySet}. `instanceof` is also true for a Proxy. */
let isSet: (source: unknown) => source is CapabilitySet;

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
	 * @param source - Names and numbers of capabilities, another set, or the bits from 0 to 2^64-1. A number is the one of
	 * a capability: `5` is CAP_KILL, and `5n` is the set of the capabilities 0 and 2.
	 * @returns A new set, or `source` itself if it is a set.
	 * @throws `TypeError` `source` is neither an iterable nor a bigint.
	 * @throws `TypeError` A name is no capability; the message lists the names.
	 * @throws `RangeError` A number is not a whole number from 0 to 63.
	 * @throws `RangeError` The bigint is negative or has more than 64 bits.
	 */
	static from(source: Caps): CapabilitySet {
		return isSet(source) ? source : new CapabilitySet(toCapabilityBits(source, "source"));
	}

	/**
	 * Returns the capabilities that the running kernel has, from number 0 to the last one.
	 *
	 * @returns The same set near and in every task.
	 * @example
	 * ```ts
	 * console.log(CapabilitySet.all().has("bpf")); // true since Linux 5.8
	 * ```
	 * @see PR_CAPBSET_READ(2const), Linux 2.6.25; no privilege
	 */
	static all(): CapabilitySet {
		return new CapabilitySet((1n << BigInt(native().lastCapability() + 1)) - 1n);
	}

	/**
	 * Reads a set from a list in the text form of libcap: `"cap_net_admin,CAP_NET_RAW,41"`.
	 *
	 * @param text - Names with `cap_` in any case, numbers from 0 to 63 as strtoul(3) reads them (`0x10` and `020` are 16),
	 * and `all` for {@link CapabilitySet.all}, divided by commas without white space. The empty text means no capability.
	 * @returns The set.
	 * @throws `TypeError` `text` is not a string.
	 * @throws `TypeError` An entry is neither a name, nor a number from 0 to 63, nor `all`.
	 * @example
	 * ```ts
	 * console.log(`${CapabilitySet.parse("cap_net_admin,CAP_NET_RAW,41")}`); // netAdmin,netRaw,41
	 * ```
	 * @see cap_text_formats(7); no privilege
	 */
	static parse(text: string): CapabilitySet {
		const bits = checkText(text, "text") === "" ? 0n : readList(text, CapabilitySet.all().bits);
		if (bits === undefined) throw wrongValue("text", "a list like cap_net_admin,cap_net_raw,41 or all", text);
		return new CapabilitySet(bits);
	}

	static {
		isSet = (source): source is CapabilitySet => typeof source === "object" && source !== null && #numbers in source;
	}

	/**
	 * Tells whether a capability is in the set.
	 *
	 * @param capability - The name of a capability, or its number from 0 to 63.
	 * @returns `true` if the capability is in the set.
	 * @throws `TypeError` The name is no capability; the message lists the names.
	 * @throws `RangeError` The number is not a whole number from 0 to 63.
	 */
	has(capability: Capability | number): boolean {
		return (this.bits & capabilityBit(capability, "capability")) !== 0n;
	}

	/**
	 * Tells whether another set has the same capabilities, with or without names.
	 *
	 * @param other - The capabilities to compare with, as {@link CapabilitySet.from} takes them.
	 * @returns `true` if all 64 bits are the same.
	 * @throws `TypeError` `other` is neither an iterable nor a bigint, or a name is no capability.
	 * @throws `RangeError` A number is not one from 0 to 63, or the bigint is not one from 0 to 2^64-1.
	 */
	equals(other: Caps): boolean {
		return this.bits === toCapabilityBits(other, "other");
	}

	/**
	 * Returns the capabilities that are in this set, in the other one, or in both.
	 *
	 * @param other - The other capabilities, as {@link CapabilitySet.from} takes them.
	 * @returns A new set.
	 * @throws `TypeError` `other` is neither an iterable nor a bigint, or a name is no capability.
	 * @throws `RangeError` A number is not one from 0 to 63, or the bigint is not one from 0 to 2^64-1.
	 */
	union(other: Caps): CapabilitySet {
		return new CapabilitySet(this.bits | toCapabilityBits(other, "other"));
	}

	/**
	 * Returns the capabilities that are in both sets.
	 *
	 * @param other - The other capabilities, as {@link CapabilitySet.from} takes them.
	 * @returns A new set.
	 * @throws `TypeError` `other` is neither an iterable nor a bigint, or a name is no capability.
	 * @throws `RangeError` A number is not one from 0 to 63, or the bigint is not one from 0 to 2^64-1.
	 */
	intersection(other: Caps): CapabilitySet {
		return new CapabilitySet(this.bits & toCapabilityBits(other, "other"));
	}

	/**
	 * Returns the capabilities of this set that are not in the other one.
	 *
	 * @param other - The capabilities to leave out, as {@link CapabilitySet.from} takes them.
	 * @returns A new set.
	 * @throws `TypeError` `other` is neither an iterable nor a bigint, or a name is no capability.
	 * @throws `RangeError` A number is not one from 0 to 63, or the bigint is not one from 0 to 2^64-1.
	 * @example
	 * ```ts
	 * const allowed = CapabilitySet.all().difference(["sysAdmin", "sysModule"]);
	 * console.log(allowed.has("sysAdmin"), allowed.has("kill")); // false true
	 * ```
	 */
	difference(other: Caps): CapabilitySet {
		return new CapabilitySet(this.bits & ~toCapabilityBits(other, "other"));
	}

	/** Yields the names in the order of the kernel's numbers. A capability without a name is left out. */
	*[Symbol.iterator](): Generator<Capability, void> {
		for (const number of this.#numbers()) {
			const name = names.get(number);
			if (name) yield name;
		}
	}

	/**
	 * Writes the set as a list in the text form of libcap, which {@link CapabilitySet.parse} reads.
	 *
	 * @returns `"cap_net_admin,cap_net_raw,41"`; `"all"` if the set is {@link CapabilitySet.all}; `""` for the empty set.
	 * @see cap_text_formats(7)
	 */
	toText(): string {
		return this.bits === CapabilitySet.all().bits ? "all" : writeList(this.#numbers());
	}

	/** Returns names and, where there is no name, numbers: `"netAdmin,sysAdmin"`; `""` for the empty set. */
	toString(): string {
		return Array.from(this.#numbers(), (number) => names.get(number) ?? number).join(",");
	}

	#numbers(): Generator<number, void> {
		return numbersOf(this.bits);
	}
}

/**
 * Returns the bits of what {@link CapabilitySet.from} takes. Throws for anything else.
 *
 * @param source - The capabilities.
 * @param parameter - The name of the caller's parameter for error messages.
 */
export function toCapabilityBits(source: Caps, parameter: string): bigint {
	if (isSet(source)) return source.bits;
	// A Proxy of a set would yield only what has a name.
	if ((source as object) instanceof CapabilitySet) {
		throw wrongType(parameter, "an iterable of names and numbers, or a bigint", source);
	}
	return capabilityBits(source, parameter);
}
