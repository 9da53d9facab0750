import { FileDescriptor, Location, type LocationLike, type SyscallError } from "@nearfar/core";
import { array, options as checkOptions, wrongType, wrongValue } from "@nearfar/core/internal";
import {
	type Enforced,
	type LandlockLevel,
	type LandlockPath,
	type LandlockPort,
	type LandlockRules,
	landlock,
	planLandlock,
} from "@nearfar/landlock";

/** Rules of Landlock with their level, checked. */
export interface Domain {
	readonly rules: LandlockRules;
	readonly level: LandlockLevel;
	/** What holds in the program. */
	readonly enforced: Enforced;
}

/** Checks the option `landlock`, and copies all of it. */
export function checkDomain(given: LandlockRules & LandlockLevel, name: string): Domain {
	const known = ["paths", "ports", "scope", "require", "drop", "flags"] as const;
	const { paths, ports, scope, require, drop, flags } = checkOptions(given, known, name);
	const rules: LandlockRules = {
		...(paths !== undefined && { paths: copyEach(paths, copyPath, `${name}.paths`) }),
		...(ports !== undefined && { ports: copyEach(ports, copyPort, `${name}.ports`) }),
		...(scope !== undefined && { scope: array(scope, `${name}.scope`) }),
	};
	const level: LandlockLevel = {
		...(require !== undefined && { require }),
		...(drop !== undefined && { drop: drop === "any" ? drop : array(drop, `${name}.drop`) }),
		...(flags !== undefined && { flags: array(flags, `${name}.flags`) }),
	};
	const enforced = planLandlock(rules, { ...level, name });
	for (const [index, { kind, optional }] of (rules.paths ?? []).entries()) {
		const place = `${name}.paths[${index}]`;
		// The rules are part of a batch, which looks at nothing and whose calls all have to succeed.
		if (kind === undefined) throw wrongValue(`${place}.kind`, '"file" or "directory"', kind);
		if (optional) throw wrongValue(`${place}.optional`, "absent: leave out a rule for what does not exist", optional);
	}
	return { rules, level, enforced };
}

function copyEach<T extends object>(list: readonly T[], copy: (rule: T, place: string) => T, name: string): T[] {
	return array(list, name).map((rule, index) => {
		const place = `${name}[${index}]`;
		if (rule === undefined) throw wrongType(place, "an object", rule);
		return copy(rule, place);
	});
}

function copyPath(rule: LandlockPath, place: string): LandlockPath {
	const { at, allow, optional, kind } = checkOptions(rule, ["at", "allow", "optional", "kind"], place);
	return {
		at: copyLocation(at),
		allow: array(allow, `${place}.allow`),
		...(optional !== undefined && { optional }),
		...(kind !== undefined && { kind }),
	};
}

function copyPort(rule: LandlockPort, place: string): LandlockPort {
	const { port, allow } = checkOptions(rule, ["port", "allow"], place);
	return { port, allow: array(allow, `${place}.allow`) };
}

/** A descriptor is copied when the task is there. */
function copyLocation(at: LocationLike): LocationLike {
	if (at instanceof URL) return new URL(at);
	if (at instanceof Uint8Array) return Buffer.from(at);
	if (!(at instanceof Location) || !(at.path instanceof Uint8Array)) return at;
	const { directory, path, symlinks, automount, emptyPath } = at;
	return new Location(directory, Buffer.from(path), { symlinks, automount, emptyPath });
}

/** Returns the domain with copies of its descriptors, which `copy` makes. */
export function copyDomain(domain: Domain, copy: (fd: FileDescriptor) => FileDescriptor): Domain {
	const paths = domain.rules.paths?.map((rule) => ({ ...rule, at: replaceDescriptor(rule.at, copy) }));
	return { ...domain, rules: { ...domain.rules, ...(paths && { paths }) } };
}

/** Restricts the current task, as calls of the batch that is being collected. The descriptors of the domain are those of the task. */
export function enterDomain({ rules, level }: Domain): void {
	landlock(rules, level);
}

/** Returns what may stand in the way of a program that cannot be executed in a domain. */
export function hintInDomain({ code }: SyscallError): string | undefined {
	if (code !== "EACCES") return undefined;
	return 'the rules of options.landlock may not allow "execute" on the file, on the interpreter that its first line names, or on the loader of either, such as /lib64/ld-linux-x86-64.so.2';
}

function replaceDescriptor(at: LocationLike, copy: (fd: FileDescriptor) => FileDescriptor): LocationLike {
	if (at instanceof FileDescriptor) return copy(at);
	if (!(at instanceof Location) || !at.directory) return at;
	const { path, symlinks, automount, emptyPath } = at;
	return new Location(copy(at.directory), path as string | Buffer, { symlinks, automount, emptyPath });
}
