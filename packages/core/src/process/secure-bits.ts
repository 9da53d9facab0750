import { securebits } from "../addon/flags.generated.ts";
import { toChoice } from "../addon/flags.ts";
import { array, integer } from "../arguments.ts";

/** The securebits that have a value, by name. The lock of each one is the bit above it. */
export const secureBitValues = {
	noRoot: securebits.noroot,
	noSetuidFixup: securebits.noSetuidFixup,
	keepCaps: securebits.keepCaps,
	noCapAmbientRaise: securebits.noCapAmbientRaise,
	execRestrictFile: securebits.execRestrictFile,
	execDenyInteractive: securebits.execDenyInteractive,
} as const;

/** Securebits as the caller gives them: the names of those that are set, or the whole number. */
export type GivenSecureBits = readonly SecureBitName[] | number;

type SecureBitName = keyof typeof secureBitValues;

/** All securebits that have a name. */
export const namedSecureBits = Object.values(secureBitValues).reduce((all, bit) => all | bit, 0);

/** Checks securebits, and returns a copy. */
export function checkSecureBits(bits: GivenSecureBits, parameter: string): GivenSecureBits {
	if (typeof bits === "number") return integer(bits, parameter, 0, 2 ** 32 - 1);
	const names = array(bits, parameter);
	secureBitsOf(names, parameter);
	return names;
}

/** Returns the bits of names. Throws a `TypeError` for a name that is none. */
export function secureBitsOf(names: readonly SecureBitName[], parameter: string): number {
	const bits = array(names, parameter).map((name, at) => toChoice(secureBitValues, name, `${parameter}[${at}]`));
	return bits.reduce((all, bit) => all | bit, 0);
}

/** Returns the securebits to set in place of `present`. Names leave the locks, and bits that have no name, as they are. */
export function applySecureBits(bits: GivenSecureBits, present: number): number {
	if (typeof bits === "number") return bits;
	return ((present & ~namedSecureBits) | secureBitsOf(bits, "bits")) >>> 0;
}
