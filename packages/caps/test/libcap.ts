import type { Capabilities } from "../src/index.ts";

/** The effective, permitted and inheritable bits. */
export type Sets = readonly [bigint, bigint, bigint];

/** Returns the bits of the effective, permitted and inheritable set. */
export function bits({ effective, permitted, inheritable }: Capabilities): Sets {
	return [effective.bits, permitted.bits, inheritable.bits];
}

/** Writes the bits of three sets in hexadecimal, as libcap.c reads and writes them. */
export function show(sets: Sets): string {
	return sets.map((set) => set.toString(16)).join(" ");
}

/** Returns sets that repeat for the same seed: empty and full ones, single bits, many bits and few. */
export function randomSets(seed: number, count: number): Sets[] {
	const random = generator(seed);
	const word = () => BigInt(random(2 ** 32)) | (BigInt(random(2 ** 32)) << 32n);
	const kinds: (() => bigint)[] = [
		() => 0n,
		() => 2n ** BigInt(random(65)) - 1n,
		() => 1n << BigInt(random(64)),
		() => word() & word() & word() & (2n ** 41n - 1n),
		() => ~(word() & word() & word()) & (2n ** BigInt(35 + random(30)) - 1n),
		word,
	];
	const set = () => kinds[random(kinds.length)]?.() ?? 0n;
	return Array.from({ length: count }, () => {
		const effective = set();
		const permitted = random(3) ? set() : effective;
		return [effective, permitted, random(3) ? set() : permitted];
	});
}

const entries = "cap_kill CAP_Net_Raw cap_chown cap_bpf cap_audit_read all 41 63 0x10 010 5 37 36 40".split(" ");
const oddEntries = "ALL 64 08 0x 00 007 0X1f 99999999999999999999 cap_net net_raw cap_kill1 cap_ _".split(" ");
const oddFlags = ["", "pe", "ee", "E", "x", "e,"];
const spaces = [..." \t\n\v\f\r", "  ", " "];

/** Returns texts that repeat for the same seed. A good part of them is valid. */
export function randomTexts(seed: number, count: number): string[] {
	const random = generator(seed);
	const pick = (list: readonly string[]) => list[random(list.length)] ?? "";
	const several = (length: number, each: (index: number) => string) =>
		Array.from({ length }, (_, index) => each(index));
	const entry = () => pick(random(12) ? entries : oddEntries);
	const action = (index: number) => {
		const operator = pick(index > 0 && random(5) ? ["+", "-"] : ["=", "+", "-", "=+", "=-"]);
		return operator + pick(random(12) ? ["e", "i", "p", "ep", "eip"] : oddFlags);
	};
	const clause = () => {
		const list = several(random(10) ? 1 + random(4) : 0, entry).join(random(30) ? "," : pick([",,", " ,", ", ", ";"]));
		return list + several(1 + (random(3) ? 0 : random(3)), action).join("");
	};
	const damaged = (text: string) => {
		const at = random(text.length + 1);
		return text.slice(0, at) + pick([...",=+-eip _0x1A\t\u00a0"]) + text.slice(at + random(2));
	};
	return several(count, () => {
		const clauses = several(1 + random(4), (index) => {
			const text = random(20) ? clause() : pick(["=", "=p", "=i+e"]);
			return (index ? pick(spaces) : "") + (random(15) ? text : damaged(text));
		});
		return (random(8) ? "" : pick(spaces)) + clauses.join("") + (random(8) ? "" : pick(spaces));
	});
}

/** Returns a function that returns whole numbers below its argument. The same seed gives the same numbers. */
function generator(seed: number): (below: number) => number {
	let state = seed;
	return (below) => {
		state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
		return Math.floor((state / 2 ** 32) * below);
	};
}
