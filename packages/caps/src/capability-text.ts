import { text as checkText, native, wrongType, wrongValue } from "@nearfar/core/internal";
import { readList, writeList } from "./capability-list.ts";
import { CapabilitySet, toCapabilityBits } from "./capability-set.ts";
import type { Capabilities } from "./capget.ts";

/** The bits of each set, under the letter that stands for the set in a text. */
type Bits = Record<Letter, bigint>;
type Letter = (typeof letters)[number];

/** The letters in the order in which libcap writes them. */
const letters = ["e", "i", "p"] as const;
/** The numbers by which libcap sorts the states of a capability: a state is the sum of the sets that have the capability. */
const weights = { e: 1, p: 2, i: 4 } as const;

/**
 * Reads three sets from the text form of libcap, as cap_from_text(3) does: `"cap_net_raw=ep cap_kill+i"`.
 *
 * Clauses are divided by white space, and are applied in order to three empty sets. A clause names capabilities, by name in
 * any case, by number or as `all`, and then lowers (`-`), raises (`+`) or resets (`=`) them in the sets of the letters `e`,
 * `i` and `p`. A clause that names none begins with `=` and is for all. `all` means the capabilities of the running
 * kernel.
 *
 * @param text - The text. The empty text means empty sets.
 * @returns The effective, permitted and inheritable set.
 * @throws `TypeError` `text` is not a string, or has a NUL byte.
 * @throws `TypeError` A clause is not of this form, or names no capability; the message shows the clause.
 * @example
 * ```ts
 * const { permitted, inheritable } = parseCapabilities("cap_net_raw,cap_kill=ep cap_kill+i-e");
 * console.log(`${permitted} ${inheritable}`); // kill,netRaw kill
 * ```
 * @see cap_text_formats(7), cap_from_text(3); no privilege
 */
export function parseCapabilities(text: string): Capabilities {
	return parseText(checkText(text, "text"), native().lastCapability());
}

/**
 * Writes three sets in the text form of libcap, byte for byte as cap_to_text(3) does.
 *
 * @param sets - The effective, permitted and inheritable set, for example what `capget` returns.
 * @returns The text. `parseCapabilities` makes the same sets of the text on the same kernel.
 * @throws `TypeError` `sets` is not an object, or lacks one of the sets.
 * @throws `TypeError` A name in a set is no capability.
 * @throws `RangeError` A number in a set is not one from 0 to 63.
 * @example
 * ```ts
 * const netRaw = CapabilitySet.from(["netRaw"]);
 * const none = CapabilitySet.from([]);
 * console.log(formatCapabilities({ effective: netRaw, permitted: netRaw, inheritable: none })); // cap_net_raw=ep
 * ```
 * @see cap_text_formats(7), cap_to_text(3); no privilege
 */
export function formatCapabilities(sets: Capabilities): string {
	if (typeof sets !== "object" || sets === null) throw wrongType("sets", "an object", sets);
	const { effective, permitted, inheritable } = sets;
	return formatText(
		{
			e: toCapabilityBits(effective, "sets.effective"),
			p: toCapabilityBits(permitted, "sets.permitted"),
			i: toCapabilityBits(inheritable, "sets.inheritable"),
		},
		native().lastCapability(),
	);
}

/** Reads a text as a kernel would have it read whose last capability is `last`. */
export function parseText(text: string, last: number): Capabilities {
	const sets: Bits = { e: 0n, i: 0n, p: 0n };
	const all = (1n << BigInt(last + 1)) - 1n;
	// White space is that of isspace(3). `\s` would also match the spaces of Unicode.
	for (const clause of text.split(/[ \t\n\v\f\r]+/)) if (clause !== "") apply(clause, sets, all);
	return {
		effective: CapabilitySet.from(sets.e),
		permitted: CapabilitySet.from(sets.p),
		inheritable: CapabilitySet.from(sets.i),
	};
}

/** Applies a clause to the sets: a list of capabilities, then at least one action. */
function apply(clause: string, sets: Bits, all: bigint): void {
	const start = clause.search(/[=+-]/);
	const capabilities = start > 0 ? readList(clause.slice(0, start), all) : all;
	if (start === -1 || capabilities === undefined) throw wrongClause(clause);
	const action = /([=+-])([eip]*)/y;
	for (let at = start; at < clause.length; at = action.lastIndex) {
		action.lastIndex = at;
		const [, operator, flags = ""] = action.exec(clause) ?? [];
		// A reset is the first action and needs no letters. Raising and lowering need letters and a list.
		const valid = operator === "=" ? at === start : operator && flags && start > 0;
		if (!valid) throw wrongClause(clause);
		for (const letter of letters) {
			const named = flags.includes(letter);
			if (operator === "=" || (operator === "-" && named)) sets[letter] &= ~capabilities;
			if (operator !== "-" && named) sets[letter] |= capabilities;
		}
	}
}

function wrongClause(clause: string): TypeError {
	return wrongValue("text", "made of clauses like cap_net_raw=ep or cap_kill,cap_chown+i", clause);
}

/** Writes sets as libcap does on a kernel whose last capability is `last`. */
export function formatText(sets: Bits, last: number): string {
	const states = Array.from({ length: 64 }, (_, number) => stateOf(sets, number));
	const common = mostCommon(states.slice(0, last + 1));
	const known: string[] = [];
	const unknown: string[] = [];
	for (let state = 7; state >= 0; state--) {
		const all = [...states.keys()].filter((number) => states[number] === state);
		const [below, above] = [all.filter((number) => number <= last), all.filter((number) => number > last)];
		if (below.length > 0 && state !== common) known.push(writeList(below) + difference(state, common));
		// The first clause is for the capabilities of the kernel alone, so that all others begin with nothing.
		if (above.length > 0 && state !== 0) unknown.push(writeList(above) + difference(state, 0));
	}
	if (common !== 0 || known.length === 0) return [`=${lettersOf(common)}`, ...known, ...unknown].join(" ");
	const [first = "", ...rest] = known;
	return [first.replace("+", "="), ...rest, ...unknown].join(" ");
}

function stateOf(sets: Bits, number: number): number {
	const holding = letters.filter((letter) => (sets[letter] >> BigInt(number)) & 1n);
	return holding.reduce((state, letter) => state + weights[letter], 0);
}

/** Returns the state that most capabilities have. Where several are as common, returns the smallest. */
function mostCommon(states: readonly number[]): number {
	const counts = Array.from({ length: 8 }, (_, state) => states.filter((each) => each === state).length);
	return counts.indexOf(Math.max(...counts));
}

/** Writes the actions that make `state` of `before`. */
function difference(state: number, before: number): string {
	const [raised, lowered] = [lettersOf(state & ~before), lettersOf(before & ~state)];
	return (raised && `+${raised}`) + (lowered && `-${lowered}`);
}

function lettersOf(state: number): string {
	return letters.filter((letter) => state & weights[letter]).join("");
}
