import { shownData, wrongValue } from "@nearfar/core/internal";
import { cutAtEqualsSign, dataOptions, type MountData } from "./data.ts";
import { applyWord, isFlagWord } from "./option-words.ts";

/** Options of fstab(5), each for its reader. */
export interface SplitOptions {
	readonly bits: number;
	readonly data: string[];
	readonly userspace: string[];
}

// Options that only mount(8) and its kin know: without a value, with one, and by the beginning of their name.
const bare = words("auto noauto user nouser users nousers owner noowner group nogroup nofail _netdev loop");
const valued = words("loop user comment offset sizelimit helper uhelper");
const prefixes = /^[xX]-/;

/**
 * Sorts options of fstab(5) by their reader.
 *
 * @param options - The options.
 * @param base - The flags that the options change.
 */
export function splitOptions(options: MountData, base: number): SplitOptions {
	const userspace: string[] = [];
	const data: { option: string; key: string }[] = [];
	let bits = base;
	for (const option of dataOptions(options, "options")) {
		const { key, value } = cutAtEqualsSign(option, "options");
		if (isFlagWord(key)) bits = applyWord(bits, flagWord(option, key), "options");
		else if (prefixes.test(key) || (value === undefined ? bare : valued).has(key)) userspace.push(option);
		else data.push({ option, key });
	}
	return { bits, data: withoutFormer(data), userspace };
}

function flagWord(option: string, key: string): string {
	if (option === key) return key;
	throw wrongValue("options", `without a value for ${key}, which is a flag`, shownData(option));
}

/** Leaves the last option of each key, and every option whose key ends in `+`. */
function withoutFormer(data: readonly { option: string; key: string }[]): string[] {
	const last = new Map(data.map(({ key }, index) => [key, index]));
	return data.filter(({ key }, index) => key.endsWith("+") || last.get(key) === index).map(({ option }) => option);
}

function words(text: string): ReadonlySet<string> {
	return new Set(text.split(" "));
}
