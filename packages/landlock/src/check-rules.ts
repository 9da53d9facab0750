import { FileDescriptor, Location, type LocationLike } from "@nearfar/core";
import {
	array,
	options as checkOptions,
	integer,
	type LandlockFsRight,
	landlockFsRights,
	landlockNetRights,
	landlockScopes,
	optionalBoolean,
	pathText,
	toChoice,
	wrongType,
	wrongValue,
} from "@nearfar/core/internal";
import type { Rights } from "./levels.ts";
import { bitsOf, namesOf } from "./names.ts";
import { allowed, FILE_RIGHTS, isPreset, type LandlockPreset } from "./presets.ts";
import type { LandlockPath, LandlockRules } from "./rules.ts";

const LOCATIONS = "a string, a Buffer, a URL, a FileDescriptor or a Location";

/** A rule for a file or directory, checked. */
export interface CheckedPath {
	readonly at: LocationLike;
	/** The path, for errors of calls. `undefined`: `at` is a descriptor or a location. */
	readonly path: string | undefined;
	/** Where the rule is among the rules, for messages. */
	readonly place: string;
	/** The rights that are allowed by name. */
	readonly named: number;
	/** The rights that are allowed by preset. */
	readonly preset: number;
	readonly optional: boolean;
	readonly kind: "file" | "directory" | undefined;
}

/** Rules, checked. `undefined`: such rights are not refused. */
export interface CheckedRules {
	readonly paths: readonly CheckedPath[] | undefined;
	readonly ports: readonly { readonly port: number; readonly allowed: number }[] | undefined;
	/** Everything that the rules name, presets not counted. */
	readonly named: Rights;
}

/** Checks rules, as far as that is possible without a call. */
export function checkRules(rules: LandlockRules, name: string): CheckedRules {
	if (rules === undefined) throw wrongType(name, "an object", rules);
	const { paths, ports, scope } = checkOptions(rules, ["paths", "ports", "scope"], name);
	const checkedPaths = checkEach(paths, checkPath, `${name}.paths`);
	const checkedPorts = checkEach(ports, checkPort, `${name}.ports`);
	const scopes = scope === undefined ? 0 : bitsOf(landlockScopes, scope, `${name}.scope`);
	if (!paths && !ports && scopes === 0) throw wrongValue(name, "rules with paths, ports or a scope", rules);
	return {
		paths: checkedPaths,
		ports: checkedPorts,
		named: {
			fs: checkedPaths?.reduce((bits, { named }) => bits | named, 0) ?? 0,
			net: checkedPorts?.reduce((bits, { allowed }) => bits | allowed, 0) ?? 0,
			scope: scopes,
		},
	};
}

/** Only `undefined` is absent: what stood for no rules would refuse nothing. */
function checkEach<T, C>(
	list: readonly T[] | undefined,
	check: (each: T, place: string) => C,
	name: string,
): C[] | undefined {
	return list === undefined ? undefined : array(list, name).map((each, index) => check(each, `${name}[${index}]`));
}

function checkPath(rule: LandlockPath, place: string): CheckedPath {
	if (rule === undefined) throw wrongType(place, "an object", rule);
	const { at, allow, optional, kind } = checkOptions(rule, ["at", "allow", "optional", "kind"], place);
	const isOpen = at instanceof FileDescriptor || at instanceof Location;
	const path = isOpen ? undefined : pathText(at, `${place}.at`, LOCATIONS);
	if (kind !== undefined && kind !== "file" && kind !== "directory") {
		throw wrongValue(`${place}.kind`, '"file" or "directory"', kind);
	}
	const { named, preset } = toRights(allow, `${place}.allow`);
	if (kind === "file") refuseOnFile(named, place);
	return {
		at,
		path: path instanceof Uint8Array ? Buffer.from(path).toString() : path,
		place,
		named,
		preset,
		kind,
		optional: optionalBoolean(optional, `${place}.optional`) ?? false,
	};
}

function toRights(allow: readonly (LandlockPreset | LandlockFsRight)[], name: string) {
	let [named, preset] = [0, 0];
	for (const [index, each] of notEmpty(allow, name).entries()) {
		const bits = toChoice(allowed, each, `${name}[${index}]`);
		if (isPreset(each)) preset |= bits;
		else named |= bits;
	}
	return { named, preset };
}

function checkPort(rule: NonNullable<LandlockRules["ports"]>[number], place: string) {
	if (rule === undefined) throw wrongType(place, "an object", rule);
	const { port, allow } = checkOptions(rule, ["port", "allow"], place);
	return {
		port: integer(port, `${place}.port`, 0, 65_535),
		allowed: bitsOf(landlockNetRights, notEmpty(allow, `${place}.allow`), `${place}.allow`),
	};
}

function notEmpty<T>(list: readonly T[], name: string): readonly T[] {
	if (array(list, name).length === 0) throw wrongValue(name, "a list of at least one right", list);
	return list;
}

/** Refuses rights for directories that a rule for another file names. */
export function refuseOnFile(named: number, place: string): void {
	const ofDirectories = namesOf(landlockFsRights, named & ~FILE_RIGHTS);
	if (ofDirectories.length === 0) return;
	const rights = namesOf(landlockFsRights, FILE_RIGHTS).join(", ");
	throw wrongValue(`${place}.allow`, `rights of a file (${rights}), because no directory is there`, ofDirectories);
}
