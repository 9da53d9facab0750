import {
	array,
	integer,
	landlockFsRights,
	landlockNetRights,
	landlockScopes,
	toChoice,
	wrongValue,
} from "@nearfar/core/internal";
import { landlockAbi, landlockErrata } from "./abi.ts";
import { type CheckedRules, checkRules } from "./check-rules.ts";
import { type Asked, NEWEST, newestOf, type Rights, rightsOf } from "./levels.ts";
import { bitsOf, namesOf } from "./names.ts";
import { restrictFlags } from "./restrict-self.ts";
import type { Enforced, LandlockLevel, LandlockRules } from "./rules.ts";
import { unavailable } from "./unavailable.ts";

/** The lowest level with paths: below it a file can be emptied although it cannot be written. */
const LEVEL_WITH_PATHS = 3;
const LEVEL_WITH_PORTS = 4;

/** What a domain is going to be, before any call. */
export interface Plan {
	readonly rules: CheckedRules;
	/** What the ruleset handles. With no bit at all, there is no ruleset. */
	readonly handled: Rights;
	/** The flags of landlock_restrict_self(2). */
	readonly flags: number;
	/** True when the ruleset handles `refer` only to allow it everywhere. */
	readonly refersEverywhere: boolean;
	readonly enforced: Enforced;
}

/** Checks rules and their level, and compares the level with the kernel. Makes no call but to ask for the version. */
export function makePlan(given: LandlockRules, options: LandlockLevel, name: string): Plan {
	const rules = checkRules(given, name);
	const level = levelOf(rules, options.require, name);
	const droppable = droppableOf(options.drop);
	const flags = options.flags === undefined ? 0 : bitsOf(restrictFlags, options.flags, "options.flags");

	const abi = landlockAbi();
	const kernel = rightsOf(abi);
	const wanted = { ...wantedOf(rules, rightsOf(level)), flags };
	const lacking = without(wanted, kernel);
	const missing = without(lacking, droppable);
	if (namesIn(missing).length > 0) throw unavailable(abi, namesIn(missing), newestOf(missing));

	const holds = without(wanted, lacking);
	const handlesOthers = (holds.net | holds.scope) !== 0;
	// Over a layer with paths, a layer that does not handle `refer` refuses every rename between directories.
	const refersEverywhere = !rules.paths && handlesOthers && (kernel.fs & landlockFsRights.refer) !== 0;
	return {
		rules,
		handled: refersEverywhere ? { ...holds, fs: landlockFsRights.refer } : holds,
		flags: holds.flags,
		refersEverywhere,
		enforced: {
			abi,
			level,
			fs: namesOf(landlockFsRights, holds.fs),
			net: namesOf(landlockNetRights, holds.net),
			scope: namesOf(landlockScopes, holds.scope),
			dropped: namesIn(lacking),
			errata: landlockErrata(),
		},
	};
}

function levelOf({ paths, ports, named }: CheckedRules, require: number | undefined, name: string): number {
	if (require === undefined) {
		const least = Math.max(paths ? LEVEL_WITH_PATHS : 1, ports ? LEVEL_WITH_PORTS : 1);
		return Math.max(least, newestOf({ ...named, flags: 0 })?.abi ?? 1);
	}
	const level = integer(require, "options.require", 1, NEWEST);
	const lacking = namesIn(without({ ...named, flags: 0 }, rightsOf(level)));
	if (lacking.length > 0) {
		throw wrongValue(
			name,
			`rules with rights of ABI ${level} (options.require), which lacks ${lacking.join(", ")}`,
			lacking,
		);
	}
	return level;
}

/** Returns what the rules refuse at a level. */
function wantedOf({ paths, ports, named }: CheckedRules, level: Rights): Rights {
	return { fs: paths ? level.fs : 0, net: ports ? level.net : 0, scope: named.scope };
}

const droppableNames = { ...landlockFsRights, ...landlockNetRights, ...landlockScopes };

function droppableOf(drop: LandlockLevel["drop"]): Asked {
	if (drop === "any") return { fs: ~0, net: ~0, scope: ~0, flags: ~0 };
	const names = drop === undefined ? [] : array(drop, "options.drop");
	for (const [index, each] of names.entries()) toChoice(droppableNames, each, `options.drop[${index}]`);
	const bits = (table: Readonly<Record<string, number>>) =>
		names.reduce((all, each) => all | (Object.hasOwn(table, each) ? (table[each] ?? 0) : 0), 0);
	return { fs: bits(landlockFsRights), net: bits(landlockNetRights), scope: bits(landlockScopes), flags: 0 };
}

function without(bits: Asked, others: Asked): Asked {
	return {
		fs: bits.fs & ~others.fs,
		net: bits.net & ~others.net,
		scope: bits.scope & ~others.scope,
		flags: bits.flags & ~others.flags,
	};
}

function namesIn({ fs, net, scope, flags }: Asked): string[] {
	return [
		...namesOf(landlockFsRights, fs),
		...namesOf(landlockNetRights, net),
		...namesOf(landlockScopes, scope),
		...namesOf(restrictFlags, flags),
	];
}
