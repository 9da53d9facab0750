import type { Cgroup } from "@nearfar/cgroup";
import { FileDescriptor, type PathLike } from "@nearfar/core";
import {
	abortSignal,
	array,
	options as checkOptions,
	id,
	integer,
	outOfRange,
	text,
	toChoice,
	wrongType,
	wrongValue,
} from "@nearfar/core/internal";
import { compileFilter } from "@nearfar/seccomp";
import { defaultFilter } from "./filter.ts";
import { checkIsolation, type Isolation } from "./isolation.ts";
import { checkNetwork, type NetworkRules } from "./network/options.ts";
import type { Limits, MadeFile, SandboxOptions } from "./options.ts";
import { absolute, type GivenPath, toGiven } from "./paths/given.ts";
import { checkPattern, isPattern } from "./paths/glob.ts";

/** An entry of `hide` or `protect`. */
export interface GivenEntry extends GivenPath {
	/** Whether the entry is a pattern. */
	readonly pattern: boolean;
	/** Whether the entry is not absolute. */
	readonly relative: boolean;
}

/** A made-up file, checked. */
export interface CheckedFile extends GivenPath {
	readonly content: Uint8Array;
	readonly mode: number;
}

/** The options of a sandbox, checked and copied. */
export interface CheckedOptions extends Isolation {
	readonly preset: "project" | "closed";
	readonly read: "host" | readonly GivenPath[] | undefined;
	readonly write: readonly GivenPath[] | undefined;
	readonly scratch: readonly GivenPath[] | undefined;
	readonly sockets: readonly GivenPath[];
	readonly devices: readonly GivenPath[];
	readonly hide: readonly GivenEntry[];
	readonly protect: readonly GivenEntry[];
	readonly protectMissing: "report" | "remove";
	readonly files: readonly CheckedFile[];
	readonly tmp: { readonly size?: number } | "host";
	readonly cwd: GivenPath | undefined;
	readonly env: CheckedEnvironment;
	readonly network: "none" | "host" | NetworkRules;
	readonly user: "caller" | { readonly uid: number; readonly gid: number };
	readonly limits: Limits;
	readonly cgroup: Cgroup | undefined;
	readonly syscalls: "default" | "all" | "given";
	/** `undefined`: no filter, or that of `isolation: "landlock"`, which depends on the kernel. */
	readonly filter: Uint8Array | undefined;
	readonly rootFallback: "uid0" | undefined;
	readonly name: string;
	readonly signal: AbortSignal | undefined;
}

/** The option `env`, checked. */
export interface CheckedEnvironment {
	/** The variables of Node to take: all, or these beside the usual ones. */
	readonly inherit: "all" | readonly string[];
	readonly set: Readonly<Record<string, string | undefined>>;
}

const known = [
	...([
		"preset",
		"read",
		"write",
		"scratch",
		"hide",
		"protect",
		"protectMissing",
		"files",
		"tmp",
		"cwd",
		"env",
	] as const),
	...([
		"network",
		"sockets",
		"devices",
		"user",
		"limits",
		"cgroup",
		"syscalls",
		"rootFallback",
		"name",
		"signal",
		"isolation",
		"without",
	] as const),
] as const;

/** Checks the options of a sandbox. Throws a `TypeError` or a `RangeError` that names the option. */
export function checkSandbox(options: SandboxOptions | undefined): CheckedOptions {
	const given = checkOptions<SandboxOptions, typeof known>(options, known);
	const { preset = "project", protectMissing = "report", name = "sandbox" } = given;
	const { sockets = [], devices = [], hide = [], protect = [] } = given;
	return {
		...checkIsolation(given),
		preset: oneOf(preset, ["project", "closed"], "options.preset"),
		read: given.read === "host" ? "host" : optionalPaths(given.read, "options.read"),
		write: optionalPaths(given.write, "options.write"),
		scratch: optionalPaths(given.scratch, "options.scratch"),
		sockets: paths(sockets, "options.sockets"),
		devices: paths(devices, "options.devices"),
		hide: entries(hide, "options.hide"),
		protect: entries(protect, "options.protect"),
		protectMissing: oneOf(protectMissing, ["report", "remove"], "options.protectMissing"),
		files: files(given.files),
		tmp: checkTmp(given.tmp),
		cwd: given.cwd === undefined ? undefined : toGiven(given.cwd, "options.cwd"),
		env: checkEnvironment(given.env),
		network: networkOf(given.network),
		user: checkUser(given.user),
		limits: checkLimits(given.limits),
		cgroup: checkCgroup(given.cgroup),
		...checkFilter(given),
		rootFallback: checkFallback(given),
		name: hostName(name),
		signal: abortSignal(given.signal),
	};
}

function oneOf<const T extends string>(value: T, allowed: readonly T[], name: string): T {
	toChoice(Object.fromEntries(allowed.map((each) => [each, 0])), value, name);
	return value;
}

function paths(list: readonly PathLike[], name: string): GivenPath[] {
	return array(list, name).map((value, index) => toGiven(value, `${name}[${index}]`));
}

function optionalPaths(list: readonly PathLike[] | undefined, name: string): GivenPath[] | undefined {
	return list === undefined ? undefined : paths(list, name);
}

function entries(list: readonly PathLike[], name: string): GivenEntry[] {
	return array(list, name).map((value, index) => toEntry(value, `${name}[${index}]`));
}

/** Checks an entry of `hide` or `protect`, which may be a pattern. */
export function toEntry(value: PathLike, option: string): GivenEntry {
	const given = toGiven(value, option);
	const pattern = typeof value === "string" && isPattern(value);
	if (pattern) checkPattern(`${value}`, option);
	return { ...given, pattern, relative: !/^[/~]/.test(given.text) };
}

function files(given: SandboxOptions["files"]): CheckedFile[] {
	if (given === undefined) return [];
	if (typeof given !== "object" || given === null || Array.isArray(given))
		throw wrongType("options.files", "an object", given);
	return Object.entries(given).map(([path, file]) => {
		const option = `options.files["${path}"]`;
		const { content, mode } = fileOf(file, option);
		const bytes = typeof content === "string" ? Buffer.from(content) : content;
		if (!(bytes instanceof Uint8Array)) throw wrongType(option, "a string, bytes or an object with content", file);
		return {
			...toGiven(path, option),
			content: Uint8Array.from(bytes),
			mode: integer(mode ?? 0o444, `${option}.mode`, 0, 0o777),
		};
	});
}

function fileOf(file: MadeFile, option: string): { content: string | Uint8Array; mode?: number } {
	if (typeof file === "string" || file instanceof Uint8Array) return { content: file };
	return checkOptions<{ content: string | Uint8Array; mode?: number }, ["content", "mode"]>(
		file,
		["content", "mode"],
		option,
	);
}

function checkTmp(tmp: SandboxOptions["tmp"]): CheckedOptions["tmp"] {
	if (tmp === "host") return tmp;
	if (typeof tmp === "string") throw wrongValue("options.tmp", '"host" or an object with size', tmp);
	const { size } = checkOptions(tmp, ["size"], "options.tmp");
	return size === undefined ? {} : { size: integer(size, "options.tmp.size", 1, Number.MAX_SAFE_INTEGER) };
}

function checkEnvironment(env: SandboxOptions["env"]): CheckedEnvironment {
	if (env === undefined) return { inherit: [], set: {} };
	if (typeof env !== "object" || env === null || Array.isArray(env)) throw wrongType("options.env", "an object", env);
	if (typeof env.inherit === "string" || env.inherit === undefined) {
		return { inherit: [], set: variables(env as Record<string, string | undefined>, "options.env") };
	}
	const { inherit, set = {} } = checkOptions<
		{ inherit: true | readonly string[]; set?: Readonly<Record<string, string>> },
		["inherit", "set"]
	>(env as { inherit: true | readonly string[] }, ["inherit", "set"], "options.env");
	const names =
		inherit === true
			? "all"
			: array(inherit, "options.env.inherit").map((name, index) => variableName(name, `options.env.inherit[${index}]`));
	return { inherit: names, set: variables(set, "options.env.set") };
}

/** Checks and copies variables of an environment. */
export function variables(
	env: Readonly<Record<string, string | undefined>>,
	option: string,
): Record<string, string | undefined> {
	if (typeof env !== "object" || env === null || Array.isArray(env)) throw wrongType(option, "an object", env);
	const copy: Record<string, string | undefined> = {};
	for (const [name, value] of Object.entries(env)) {
		variableName(name, `a name of ${option}`);
		copy[name] = value === undefined ? undefined : text(value, `${option}.${name}`);
	}
	return copy;
}

function variableName(name: unknown, option: string): string {
	const checked = text(name, option);
	if (checked === "" || checked.includes("=")) throw wrongValue(option, "the name of a variable, without =", name);
	return checked;
}

function networkOf(network: SandboxOptions["network"] = "none"): CheckedOptions["network"] {
	if (network === "none" || network === "host") return network;
	if (typeof network === "string") throw wrongValue("options.network", '"none", "host" or an object', network);
	return checkNetwork(network);
}

function checkUser(user: SandboxOptions["user"]): CheckedOptions["user"] {
	if (user === undefined || user === "caller") return "caller";
	if (typeof user === "string") throw wrongValue("options.user", '"caller" or an object with uid and gid', user);
	const { uid, gid } = checkOptions<{ uid: number; gid: number }, ["uid", "gid"]>(user, ["uid", "gid"], "options.user");
	return { uid: id(uid, "options.user.uid"), gid: id(gid, "options.user.gid") };
}

const [MOST_INT, MOST] = [2 ** 31 - 1, Number.MAX_SAFE_INTEGER];
const ranges = {
	time: [1, MOST_INT],
	grace: [0, MOST_INT],
	processes: [1, MOST_INT],
	cpuTime: [1, MOST],
	output: [0, MOST],
	fileSize: [0, MOST],
	openFiles: [0, MOST_INT],
	addressSpace: [0, MOST],
	memory: [4 * 1024 * 1024, MOST],
	swap: [0, MOST],
	cpus: [0.01, 8192],
} as const satisfies Record<keyof Limits, readonly [number, number]>;

const allLimits = Object.keys(ranges) as (keyof Limits)[];

/** Checks and copies limits. */
export function checkLimits(limits: Limits | undefined, names: readonly (keyof Limits)[] = allLimits): Limits {
	const given = checkOptions<Limits, readonly (keyof Limits)[]>(limits, names, "options.limits");
	const copy: Limits = {};
	for (const name of names) {
		const value = given[name];
		if (value === undefined) continue;
		const check = name === "cpus" ? fraction : integer;
		copy[name] = check(value, `options.limits.${name}`, ranges[name][0], ranges[name][1]);
	}
	return copy;
}

function fraction(value: unknown, name: string, min: number, max: number): number {
	if (typeof value !== "number") throw wrongType(name, "a number", value);
	if (!(value >= min && value <= max)) throw outOfRange(name, `a number from ${min} to ${max}`, value);
	return value;
}

/** Returns whether a sandbox has a group of cgroup v2. Without a user namespace of their own only a group counts its processes. */
export function needsGroup({ limits, cgroup, isolation }: NeedsGroup): boolean {
	const { memory, swap, cpus, processes } = limits ?? {};
	const alone = isolation === "landlock" ? processes : undefined;
	return [memory, swap, cpus, alone, cgroup].some((each) => each !== undefined);
}

/** What says whether a sandbox has a group. */
type NeedsGroup = { readonly [name in "limits" | "cgroup" | "isolation"]?: SandboxOptions[name] | undefined };

/** The class is not loaded for this: a sandbox without a group loads nothing of cgroups. */
function checkCgroup(cgroup: SandboxOptions["cgroup"]): Cgroup | undefined {
	if (cgroup === undefined) return undefined;
	const isCgroup = typeof cgroup === "object" && cgroup?.fd instanceof FileDescriptor && "controllers" in cgroup;
	if (!isCgroup) throw wrongType("options.cgroup", "a Cgroup", cgroup);
	return cgroup;
}

function checkFilter({ syscalls = "default", isolation }: SandboxOptions): Pick<CheckedOptions, "syscalls" | "filter"> {
	if (syscalls === "default") return { syscalls, filter: isolation === "landlock" ? undefined : defaultFilter() };
	if (syscalls === "all") return { syscalls, filter: undefined };
	if (typeof syscalls === "string") throw wrongValue("options.syscalls", '"default", "all", rules or bytes', syscalls);
	return { syscalls: "given", filter: compileFilter(syscalls, { name: "options.syscalls" }) };
}

/** The options that need a user namespace are refused on every host, and not only where there is none. */
function checkFallback(options: SandboxOptions): "uid0" | undefined {
	const { rootFallback, limits, syscalls, user } = options;
	if (rootFallback === undefined) return undefined;
	const checked = oneOf(rootFallback, ["uid0"], "options.rootFallback");
	const isZero = typeof user !== "object" || (user.uid === 0 && user.gid === 0);
	const barred =
		(limits?.processes !== undefined && !needsGroup(options) && "options.limits.processes") ||
		(syscalls === "all" && 'options.syscalls "all"') ||
		(!isZero && "an options.user other than 0");
	if (barred) throw wrongValue("options.rootFallback", `no value together with ${barred}`, rootFallback);
	return checked;
}

function hostName(name: string): string {
	const checked = text(name, "options.name");
	if (checked === "" || Buffer.byteLength(checked) > 64) throw wrongValue("options.name", "1 to 64 bytes", name);
	return checked;
}

/** Returns the working directory of a command, absolute. */
export function commandFolder(cwd: PathLike | undefined): string | undefined {
	return cwd === undefined ? undefined : absolute(toGiven(cwd, "options.cwd").path);
}
