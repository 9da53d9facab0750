import { integer, outOfRange, wrongType, wrongValue } from "@nearfar/core/internal";

/** The exponent of 1024 for each unit, as memparse of the kernel has them. */
const exponents = ["", "k", "m", "g", "t", "p", "e"];

/**
 * Checks an amount for tmpfs, and returns the text that the kernel reads. 0 would mean "unlimited", and the kernel would take a
 * number of more than 64 bits modulo 2^64, so that both are refused.
 *
 * @param value - A number, or a text such as `"64m"`.
 * @param name - The name of the parameter, for error messages.
 * @param most - The largest amount that a text may say.
 * @param percent - The largest number before a `%`, or 0 where the kernel takes no `%`.
 */
export function amountText(value: number | string, name: string, most: bigint, percent: number): string {
	if (typeof value === "number") return String(integer(value, name, 1, Number.MAX_SAFE_INTEGER));
	if (typeof value !== "string") throw wrongType(name, "a number or a string", value);
	const [, digits, unit = ""] = /^([1-9][0-9]*)([kmgtpe]|%)?$/.exec(value) ?? [];
	if (digits === undefined || (unit === "%" && percent === 0)) {
		const last = percent === 0 ? "k, m, g, t, p or e" : "k, m, g, t, p, e or %";
		throw wrongValue(name, `a number from 1, with or without one of ${last} after it, as in "64m"`, value);
	}
	if (unit === "%") {
		if (BigInt(digits) > percent) throw outOfRange(name, `at most ${percent}%`, value);
		return value;
	}
	if (BigInt(digits) * 1024n ** BigInt(exponents.indexOf(unit)) > most)
		throw outOfRange(name, `at most ${most}`, value);
	return value;
}
