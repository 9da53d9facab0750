import type { SecureBit } from "@nearfar/caps";
import { array, integer, securebits, toChoice } from "@nearfar/core/internal";

/** The securebits that have a value, by name. The lock of each one is the bit above it. */
const values: Readonly<Record<SecureBit, number>> = {
	noRoot: securebits.noroot,
	noSetuidFixup: securebits.noSetuidFixup,
	keepCaps: securebits.keepCaps,
	noCapAmbientRaise: securebits.noCapAmbientRaise,
	execRestrictFile: securebits.execRestrictFile,
	execDenyInteractive: securebits.execDenyInteractive,
};

const allValues = Object.values(values).reduce((all, value) => all | value, 0);

/** Securebits as the caller gives them: the names of those that are set, or the whole number. */
export type GivenSecureBits = readonly SecureBit[] | number;

/** Checks securebits, and returns a copy. */
export function checkSecureBits(bits: GivenSecureBits, option: string): GivenSecureBits {
	if (typeof bits === "number") return integer(bits, option, 0, 2 ** 32 - 1);
	const names = array(bits, option);
	for (const [index, name] of names.entries()) toChoice(values, name, `${option}[${index}]`);
	return names;
}

/** Returns the securebits to set in place of `present`. Names leave the locks, and bits that have no name, as they are. */
export function applySecureBits(bits: GivenSecureBits, present: number): number {
	if (typeof bits === "number") return bits;
	return bits.reduce((all, name) => all | values[name], present & ~allValues) >>> 0;
}
