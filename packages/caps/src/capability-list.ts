import { capabilities } from "@nearfar/core/internal";

// libcap writes `cap_net_admin` for the name `netAdmin`.
const texts = Object.entries(capabilities).map(([name, number]): [string, number] => [
	`cap_${name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}`,
	number,
]);
const numbers = new Map(texts);
const names = new Map(texts.map(([text, number]) => [number, text]));

/**
 * Reads a list of capabilities as libcap writes it in a text: `"cap_net_admin,CAP_NET_RAW,41"`.
 *
 * @param list - The text, which is not empty.
 * @param all - The bits that the entry `all` stands for.
 * @returns One bit for each capability; `undefined` if one entry is neither a name, nor a number up to 63, nor `all`.
 */
export function readList(list: string, all: bigint): bigint | undefined {
	let bits = 0n;
	for (const entry of list.split(",")) {
		const number = /^\d/.test(entry) ? readNumber(entry) : readName(entry);
		if (number !== undefined) bits |= 1n << BigInt(number);
		// In libcap, too, `all` forgets the entries before it: only a number beyond the kernel's last one shows that.
		else if (/^all$/i.test(entry)) bits = all;
		else return undefined;
	}
	return bits;
}

/** Writes capabilities in the order of their numbers. A capability without a name is written as its number. */
export function writeList(list: Iterable<number>): string {
	return Array.from(list, (number) => names.get(number) ?? number).join(",");
}

/** Yields the numbers of the bits that are set, the lowest one first. */
export function* numbersOf(bits: bigint): Generator<number, void> {
	for (let number = 0; number < 64; number++) if ((bits >> BigInt(number)) & 1n) yield number;
}

function readName(entry: string): number | undefined {
	// The letters are compared first, because toLowerCase() makes an ASCII letter of the sign for kelvin.
	return /^[a-z_]+$/i.test(entry) ? numbers.get(entry.toLowerCase()) : undefined;
}

/** Reads a number as strtoul(3) does for base 0: `0x` begins a hexadecimal number, and `0` an octal one. */
function readNumber(entry: string): number | undefined {
	const [, hexadecimal, octal, decimal] = /^(?:0x([\da-f]+)|(0[0-7]*)|([1-9]\d*))$/i.exec(entry) ?? [];
	const number = hexadecimal
		? Number.parseInt(hexadecimal, 16)
		: octal
			? Number.parseInt(octal, 8)
			: Number.parseInt(decimal ?? "", 10);
	return number < 64 ? number : undefined;
}
