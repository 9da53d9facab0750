import {
	ChildProcess,
	type CloneOptions,
	type ExecOptions,
	FileDescriptor,
	type PathLike,
	type Signal,
	type Task,
} from "@nearfar/core";
import {
	abortSignal,
	array,
	id,
	integer,
	optionalBoolean,
	options as optionsObject,
	outOfRange,
	pathText,
	type Resource,
	resources,
	signalNumber,
	text,
	toChoice,
	wrongType,
	wrongValue,
} from "@nearfar/core/internal";
import { type Limit, type Limits, toRlimit } from "../rlimit.ts";
import { type CheckedStdio, checkNumbers, checkStdio, type Placed, type Stdio } from "./stdio.ts";

/** How to start a program. Everything is as it would be for a child of Node unless it is given here. */
export interface SpawnOptions extends Omit<CloneOptions, "begin" | "share">, ExecOptions {
	/**
	 * What the program's descriptors are, one entry for each number, or one for 0, 1 and 2. Default: `"pipe"`. It has no
	 * others, but those of `fds`.
	 */
	stdio?: Stdio | readonly Stdio[];
	/** Open descriptors of this process that the program gets at the same numbers, from 3 up. */
	fds?: readonly FileDescriptor[];
	/** What the program sees as its own name, `argv[0]`. Default: the file as it was given. */
	argv0?: string;
	/** Working directory, inside `root`. Default: that of Node, or `/` with `root`. */
	cwd?: PathLike;
	/** Permission bits that new files do not get, 0 to 0o777. */
	umask?: number;
	/** Root directory; needs CAP_SYS_CHROOT. */
	root?: PathLike;
	/** User id: real, effective and saved. Without `groups` the supplementary groups are cleared, as Node does. */
	uid?: number;
	/** Group id: real, effective and saved. Without `groups` the supplementary groups are cleared, as Node does. */
	gid?: number;
	/** Supplementary groups; needs CAP_SETGID. */
	groups?: readonly number[];
	/** A new session, without a terminal: what Node calls `detached`. */
	session?: boolean;
	/** A process group of its own, or that of another child. */
	group?: boolean | ChildProcess;
	/** Open namespaces of this process to enter before anything else, in this order. `"pid"` is for its children only. */
	join?: readonly FileDescriptor[];
	/** execve(2) grants nothing any more. */
	noNewPrivs?: boolean;
	/** Resource limits, in the units of getrlimit(2): both, or soft and hard. */
	limits?: Partial<Record<Resource, Limit | Limits>>;
	/** Nice value, -20 to 19. */
	nice?: number;
	/** Numbers of the CPUs that it may run on. */
	cpus?: readonly number[];
	/** With `"pid"` among `namespaces`: pid 1 of it is a small init, which reaps orphans and forwards signals. */
	init?: boolean;
	/** Called with the task when all of the above is done, and awaited before it becomes the program. */
	setup?: (task: Task) => void | Promise<void>;
	/** Gives up: before the program runs nothing is left of it, and the promise rejects; later it gets `killSignal`. */
	signal?: AbortSignal;
	/** Milliseconds, counted from the call, after which it is as if `signal` were aborted. Default, or 0: none. */
	timeout?: number;
	/** What `timeout` and `signal` send. Default: `"SIGTERM"`. */
	killSignal?: Signal;
	/**
	 * Nothing that the program starts outlives it, and nothing of it outlives Node. Its parent is a small helper then; as
	 * with `init`, `deathSignal` is SIGKILL by default, for when the helper is killed.
	 */
	killTree?: boolean;
}

/** `SpawnOptions`, everything checked that can be before there is a task. */
export interface Plan extends Omit<SpawnOptions, "stdio" | "fds" | "group"> {
	readonly file: PathLike | FileDescriptor;
	readonly argv: readonly string[];
	readonly stdio: CheckedStdio;
	/** With the numbers that they have in the program. */
	readonly fds: Placed;
	readonly group?: true | ChildProcess;
	readonly killSignal: Signal;
	readonly timeout: number;
}

/** Checks what `spawn` takes. */
export function checkSpawn(
	file: PathLike | FileDescriptor,
	args: readonly string[],
	options: SpawnOptions | undefined,
): Plan {
	const { stdio = "pipe", fds = [], group, argv0, ...given } = optionsObject(options);
	refuseNodes(given);
	if (!(file instanceof FileDescriptor)) pathText(file, "file");
	const words = array(args, "args").map((arg, index) => text(arg, `args[${index}]`));
	const name = file instanceof FileDescriptor ? `fd ${file.fd}` : `${file}`;
	const plan: Plan = {
		...copied(given),
		file,
		argv: [argv0 === undefined ? name : text(argv0, "options.argv0"), ...words],
		stdio: checkStdio(stdio),
		fds: descriptors(fds, "options.fds").map((fd) => [fd.fd, fd] as const),
		killSignal: given.killSignal ?? "SIGTERM",
		timeout: integer(given.timeout ?? 0, "options.timeout", 0, 2 ** 31 - 1),
		...checkGroup(group, given.session),
	};
	checkNumbers(plan.stdio, plan.fds);
	checkTree(plan);
	checkState(plan);
	if (signalNumber(plan.killSignal, "options.killSignal") === 0) {
		throw outOfRange("options.killSignal", "a signal: 0 is none", plan.killSignal);
	}
	return plan;
}

/** What Node has and is not here would be missed in silence. */
function refuseNodes(given: object): void {
	const { shell, detached } = given as { shell?: unknown; detached?: unknown };
	if (shell) throw wrongValue("options.shell", 'absent: spawn("sh", ["-c", script]) says what happens', shell);
	if (detached) throw wrongValue("options.detached", "absent: options.session or options.group do that", detached);
}

/** What lists hold now counts: some of it is needed later. */
function copied(given: Omit<SpawnOptions, "stdio" | "fds" | "group" | "argv0">): typeof given {
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
	if (Array.isArray(object)) return object; // refused below
	return Object.fromEntries(Object.entries(object).map(([name, value]) => [name, fn(value)])) as T;
}

function checkGroup(group: unknown, session: unknown): { group?: true | ChildProcess } {
	const own = optionalBoolean(session, "options.session") ?? false;
	if (group === undefined || group === false) return {};
	if (group !== true && !(group instanceof ChildProcess)) {
		throw wrongType("options.group", "a boolean or a ChildProcess", group);
	}
	if (!own) return { group };
	if (group === true) return {}; // a session begins with a group of its own
	throw wrongValue("options.group", "absent with options.session, which has groups of its own", group);
}

function checkTree({ init, killTree, namespaces = [], setup, signal }: Plan): void {
	optionalBoolean(killTree, "options.killTree");
	if (optionalBoolean(init, "options.init") && !array(namespaces, "options.namespaces").includes("pid")) {
		throw wrongValue("options.init", 'used with "pid" among options.namespaces: an init is pid 1 of a new one', init);
	}
	if (setup !== undefined && typeof setup !== "function") throw wrongType("options.setup", "a function", setup);
	abortSignal(signal);
}

/** What the task will be asked for: a refusal of ours names the option, one of a function its parameter. */
function checkState(plan: Plan): void {
	const { cwd, root, umask, uid, gid, groups, join, noNewPrivs, limits, nice, cpus } = plan;
	if (cwd !== undefined) pathText(cwd, "options.cwd");
	if (root !== undefined) pathText(root, "options.root");
	if (umask !== undefined) integer(umask, "options.umask", 0, 0o777);
	if (uid !== undefined) id(uid, "options.uid");
	if (gid !== undefined) id(gid, "options.gid");
	if (groups !== undefined) array(groups, "options.groups").map((group, i) => id(group, `options.groups[${i}]`));
	if (groups !== undefined && groups.length > 65_536)
		throw outOfRange("options.groups", "at most 65536", groups.length);
	if (join !== undefined) descriptors(join, "options.join");
	optionalBoolean(noNewPrivs, "options.noNewPrivs");
	for (const [resource, limit] of Object.entries(optionsObject(limits, "options.limits"))) {
		toChoice(resources, resource as Resource, "options.limits");
		toRlimit(limit, `options.limits.${resource}`);
	}
	if (nice !== undefined) integer(nice, "options.nice", -20, 19);
	if (cpus !== undefined) array(cpus, "options.cpus").map((cpu, i) => integer(cpu, `options.cpus[${i}]`, 0, 65_535));
}

function descriptors(list: readonly FileDescriptor[], name: string): readonly FileDescriptor[] {
	return array(list, name).map((fd, index) => {
		if (!(fd instanceof FileDescriptor)) throw wrongType(`${name}[${index}]`, "a FileDescriptor", fd);
		return fd;
	});
}
