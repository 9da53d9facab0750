import { ChildProcess, FileDescriptor, type PathLike, type Signal } from "@nearfar/core";
import {
	abortSignal,
	array,
	id,
	integer,
	isTask,
	MOST_GROUPS,
	optionalBoolean,
	options as optionsObject,
	outOfRange,
	pathText,
	type Resource,
	resources,
	signalNumber,
	text,
	wrongType,
	wrongValue,
} from "@nearfar/core/internal";
import { compileFilter } from "@nearfar/seccomp";
import { toRlimit } from "../rlimit.ts";
import { type CheckedPrivileges, checkPrivileges, resolveIds } from "./check-privileges.ts";
import { type CheckedStdio, checkNumbers, checkStdio, type NumberedDescriptors } from "./check-stdio.ts";
import { copyOptions } from "./copy-options.ts";
import { checkDomain, type Domain } from "./domain.ts";
import type { SpawnOptions } from "./options.ts";

/** The options that a request has in another form. */
type ConvertedOption =
	| "stdio"
	| "fds"
	| "group"
	| "argv0"
	| "user"
	| "capabilities"
	| "securebits"
	| "seccomp"
	| "landlock";

/** What `spawn` was asked for, with everything checked that can be checked before there is a task. */
export interface SpawnRequest extends CheckedPrivileges, Omit<SpawnOptions, ConvertedOption> {
	readonly file: PathLike | FileDescriptor;
	readonly argv: readonly string[];
	/** The number of `file` where it is a descriptor, as the caller knows it. */
	readonly descriptor: number | undefined;
	readonly stdio: CheckedStdio;
	/** Each with the number that it gets in the program. */
	readonly fds: NumberedDescriptors;
	readonly group?: true | ChildProcess;
	/** A filter of seccomp(2). */
	readonly filter?: Uint8Array;
	/** A domain of landlock(7). */
	readonly domain?: Domain;
	readonly killSignal: Signal;
	readonly timeout: number;
}

/** The names of all options of `spawn`. */
export const spawnOptions = [
	...(["parent", "namespaces", "idMap", "cgroup", "setTid", "join"] as const),
	...(["stdio", "fds", "argv0", "env", "lookup", "cwd", "root", "umask"] as const),
	...(["uid", "gid", "groups", "user", "capabilities", "securebits"] as const),
	...(["session", "group", "noNewPrivs", "landlock", "seccomp", "limits", "nice", "cpus", "cloned", "setup"] as const),
	...(["signal", "timeout", "killSignal", "grace", "killTree", "init", "deathSignal"] as const),
] as const;

/** Checks the arguments of `spawn`. Throws a `TypeError` or `RangeError` that names the argument or option. */
export function checkSpawn(
	file: PathLike | FileDescriptor,
	args: readonly string[],
	options: SpawnOptions | undefined,
): SpawnRequest {
	const {
		stdio = "pipe",
		fds = [],
		group,
		argv0,
		user,
		capabilities,
		securebits,
		seccomp,
		landlock,
		...given
	} = copyOptions(options, spawnOptions);
	if (!(file instanceof FileDescriptor)) pathText(file, "file");
	const words = array(args, "args").map((arg, index) => text(arg, `args[${index}]`));
	const name = file instanceof FileDescriptor ? `fd ${file.fd}` : `${file}`;
	const request: SpawnRequest = {
		...copyLists(given),
		file,
		descriptor: file instanceof FileDescriptor ? file.fd : undefined,
		argv: [argv0 === undefined ? name : text(argv0, "options.argv0"), ...words],
		stdio: checkStdio(stdio),
		fds: checkDescriptors(fds, "options.fds").map((fd) => [fd.fd, fd] as const),
		killSignal: given.killSignal ?? "SIGTERM",
		timeout: integer(given.timeout ?? 0, "options.timeout", 0, 2 ** 31 - 1),
		...(given.grace !== undefined && { grace: integer(given.grace, "options.grace", 0, 2 ** 31 - 1) }),
		...checkGroup(group, given.session),
		...checkPrivileges(capabilities, securebits),
		...(landlock !== undefined && { domain: checkDomain(landlock, "options.landlock") }),
		...(seccomp !== undefined && { filter: compileFilter(seccomp, { name: "options.seccomp" }) }),
	};
	checkNumbers(request.stdio, request.fds);
	checkTree(request);
	checkState(request);
	if (signalNumber(request.killSignal, "options.killSignal") === 0) {
		throw outOfRange("options.killSignal", "a signal from 1 to 64: 0 sends nothing", request.killSignal);
	}
	return { ...request, ...resolveIds(user, given) };
}

/** Copies the lists among the options: `spawn` reads some of them later, when the caller may have changed its own. */
function copyLists(given: Omit<SpawnOptions, ConvertedOption>): typeof given {
	const { limits, groups, cpus, join, setTid } = given;
	const list = <T>(value: T): T => (Array.isArray(value) ? ([...value] as T) : value);
	const limit = <T>(value: T): T => (value !== null && typeof value === "object" ? { ...value } : value);
	return {
		...given,
		...(limits && typeof limits === "object" && { limits: mapValues(limits, limit) }),
		...(groups && { groups: list(groups) }),
		...(cpus && { cpus: list(cpus) }),
		...(join && { join: list(join) }),
		...(setTid && { setTid: list(setTid) }),
	};
}

function mapValues<T extends object>(object: T, fn: <V>(value: V) => V): T {
	if (Array.isArray(object)) return object; // `checkState` refuses it
	const copy: Record<string, unknown> = {};
	for (const name in object) copy[name] = fn(object[name]); // inherited ones too, as of the options themselves
	return copy as T;
}

function checkGroup(group: unknown, session: unknown): { group?: true | ChildProcess } {
	const newSession = optionalBoolean(session, "options.session") ?? false;
	if (group === undefined || group === false) return {};
	if (group !== true && !(group instanceof ChildProcess)) {
		throw wrongType("options.group", "a boolean or a ChildProcess", group);
	}
	if (!newSession) return { group };
	if (group === true) return {}; // a new session has a new group
	throw wrongValue("options.group", "absent with options.session: a group belongs to one session", group);
}

function checkTree(request: SpawnRequest): void {
	const { parent, init, killTree, namespaces = [], cloned, setup, signal } = request;
	if (parent !== undefined) checkParent(request);
	optionalBoolean(killTree, "options.killTree");
	if (optionalBoolean(init, "options.init") && !array(namespaces, "options.namespaces").includes("pid")) {
		throw wrongValue(
			"options.init",
			'false without "pid" in options.namespaces: an init is process 1 of a new one',
			init,
		);
	}
	for (const [name, value] of Object.entries({ cloned, setup })) {
		if (value !== undefined && typeof value !== "function") throw wrongType(`options.${name}`, "a function", value);
	}
	abortSignal(signal);
}

/** Checks the option `parent`, and that no option is beside it that makes another process the parent. */
function checkParent({ parent, init, killTree, join, group }: SpawnRequest): void {
	if (!isTask(parent) || parent.isNear) throw wrongType("options.parent", "a task that was cloned", parent);
	const child = group instanceof ChildProcess ? group : undefined;
	for (const [name, value] of Object.entries({ init, killTree, join, group: child })) {
		if (!value) continue;
		throw wrongValue(`options.${name}`, "absent with options.parent, whose child the program is", value);
	}
}

/**
 * Checks the options that `prepareTask` applies. The functions that it calls check them too, but would name their own
 * parameter in the error instead of the option.
 */
function checkState(request: SpawnRequest): void {
	const { cwd, root, umask, uid, gid, groups, join, noNewPrivs, limits, nice, cpus } = request;
	if (cwd !== undefined) pathText(cwd, "options.cwd");
	if (root !== undefined) pathText(root, "options.root");
	if (umask !== undefined) integer(umask, "options.umask", 0, 0o777);
	if (uid !== undefined) id(uid, "options.uid");
	if (gid !== undefined) id(gid, "options.gid");
	if (groups !== undefined) array(groups, "options.groups").map((group, i) => id(group, `options.groups[${i}]`));
	if (groups !== undefined && groups.length > MOST_GROUPS)
		throw outOfRange("options.groups.length", `at most ${MOST_GROUPS}`, groups.length);
	if (join !== undefined) checkDescriptors(join, "options.join");
	optionalBoolean(noNewPrivs, "options.noNewPrivs");
	const names = Object.keys(resources) as Resource[];
	for (const [resource, limit] of Object.entries(optionsObject(limits, names, "options.limits"))) {
		toRlimit(limit, `options.limits.${resource}`);
	}
	if (nice !== undefined) integer(nice, "options.nice", -20, 19);
	if (cpus !== undefined) array(cpus, "options.cpus").map((cpu, i) => integer(cpu, `options.cpus[${i}]`, 0, 65_535));
}

function checkDescriptors(list: readonly FileDescriptor[], name: string): readonly FileDescriptor[] {
	return array(list, name).map((fd, index) => {
		if (!(fd instanceof FileDescriptor)) throw wrongType(`${name}[${index}]`, "a FileDescriptor", fd);
		return fd;
	});
}
