import { readFileSync } from "node:fs";
import { Failure, reasonOf } from "./failure.ts";
import type { Invocation, Operation } from "./operations.ts";
import type { Voice } from "./voice.ts";

const MOST_ARGUMENTS = 9000;
const MOST_TMPFS = 2n ** 63n - 1n;
const COUNTS = ["no argument", "an argument", "two arguments", "three arguments"];

/** What is asked for in the place of a sandbox. */
export type Answer = "help" | "version" | "usage";

/** What an option does with its values. */
type Take = (parser: Parser, values: readonly string[], name: string) => void;

/**
 * Reads the arguments.
 *
 * @param voice - Says what is worth a warning.
 * @throws {@link Failure} An option is unknown, or a value is wrong.
 */
export function parse(args: readonly string[], voice: Voice): Invocation | Answer {
	if (args.length === 0) return "usage";
	const parser = new Parser(voice);
	const rest = parser.read(args, false);
	if (parser.answer) return parser.answer;
	if (parser.sources.length > 0) throw new Failure(AFTER_SOURCE);
	parser.result.command = rest;
	return parser.result;
}

const AFTER_SOURCE =
	"--overlay-src must be followed by another --overlay-src or one of --overlay, --tmp-overlay, or --ro-overlay";

class Parser {
	readonly result: Invocation = {
		operations: [],
		unshare: new Set(),
		tryUnshare: new Set(),
		environment: [],
		locks: [],
		capabilities: [],
		filters: [],
		named: [],
		command: [],
		disableUserns: false,
		assertUsernsDisabled: false,
		newSession: false,
		dieWithParent: false,
		asPid1: false,
		tolerant: false,
		refuseLinks: false,
	};
	readonly voice: Voice;
	answer: Answer | undefined;
	/** What `--perms`, `--size` and `--overlay-src` say about the next option. */
	perms: number | undefined;
	size: bigint | undefined;
	sources: string[] = [];
	inFile = false;
	#count = 0;

	constructor(voice: Voice) {
		this.voice = voice;
	}

	/** Reads options, and returns what follows them. */
	read(args: readonly string[], inFile: boolean): readonly string[] {
		this.#count += args.length;
		if (this.#count > MOST_ARGUMENTS) throw new Failure(`Exceeded maximum number of arguments ${MOST_ARGUMENTS}`);
		const outer = this.inFile;
		this.inFile = inFile;
		let at = 0;
		for (let name = args[at]; name?.startsWith("-"); name = args[at]) {
			at++;
			if (name === "--") break;
			const [count, take] = Object.hasOwn(options, name) ? (options[name] ?? [0]) : [0];
			if (!take) throw new Failure(`Unknown option ${name}`);
			if (args.length - at < count) throw new Failure(`${name} takes ${COUNTS[count]}`);
			take(this, args.slice(at, at + count), name);
			if (this.answer) return [];
			at += count;
			if (name !== "--perms" && name !== "--size") this.#expectUsed(name);
		}
		this.inFile = outer;
		return args.slice(at);
	}

	/** Refuses an option that has not used what the options before it say about it. */
	#expectUsed(name: string): void {
		if (this.perms !== undefined) throw new Failure("--perms must be followed by an option that creates a file");
		if (this.size !== undefined) throw new Failure("--size must be followed by --tmpfs");
		if (name !== "--overlay-src" && this.sources.length > 0) throw new Failure(AFTER_SOURCE);
	}

	/** Returns the number of a descriptor, which the command does not get. */
	descriptor(text: string): number {
		const fd = number(text, "fd");
		this.result.named.push(fd);
		return fd;
	}

	/** Returns the permission bits for the new file. */
	takePerms(otherwise: number): number {
		const { perms = otherwise } = this;
		this.perms = undefined;
		return perms;
	}

	/** Returns the layers below the new overlay, the topmost first. */
	takeSources(name: string, least: number): readonly string[] {
		if (this.sources.length < least) {
			throw new Failure(`${name} requires at least ${least === 2 ? "two" : "one"} --overlay-src`);
		}
		const sources = this.sources.reverse();
		this.sources = [];
		return sources;
	}
}

function number(text: string, what: string): number {
	const value = Number(text);
	if (!/^\d+$/.test(text) || value > 0x7fff_ffff) throw new Failure(`Invalid ${what}: ${text}`);
	return value;
}

function octal(text: string, name: string): number {
	const mode = Number.parseInt(text, 8);
	if (!/^[0-7]+$/.test(text) || mode > 0o7777) throw new Failure(`${name} takes an octal argument <= 07777`);
	return mode;
}

type DescriptorKey =
	| "userns"
	| "userns2"
	| "pidns"
	| "syncFd"
	| "blockFd"
	| "usernsBlockFd"
	| "infoFd"
	| "statusFd"
	| "seccomp";

/** An option that says which descriptor is used for something. */
function descriptor(key: DescriptorKey): [number, Take] {
	return last(key, (text, parser) => parser.descriptor(text));
}

/** An option of which the last one counts. */
function last<K extends keyof Invocation>(
	key: K,
	read: (text: string, parser: Parser) => Invocation[K],
): [number, Take] {
	return [
		1,
		(parser, [text = ""], name) => {
			if (parser.result[key] !== undefined) parser.voice.warn(`Only the last ${name} option will take effect`);
			parser.result[key] = read(text, parser);
		},
	];
}

function flag(
	key:
		| "disableUserns"
		| "assertUsernsDisabled"
		| "newSession"
		| "dieWithParent"
		| "asPid1"
		| "tolerant"
		| "refuseLinks",
): [number, Take] {
	return [
		0,
		({ result }) => {
			result[key] = true;
		},
	];
}

function answer(value: Answer): [number, Take] {
	return [
		0,
		(parser) => {
			parser.answer = value;
		},
	];
}

function unshare(kind: "user" | "pid" | "net" | "ipc" | "uts" | "cgroup"): [number, Take] {
	return [0, ({ result }) => void result.unshare.add(kind)];
}

function tryUnshare(kind: "user" | "cgroup"): [number, Take] {
	return [0, ({ result }) => void result.tryUnshare.add(kind)];
}

/** An option that changes the new root. */
function operation(
	count: number,
	make: (values: readonly string[], parser: Parser, name: string) => Operation,
): [number, Take] {
	return [count, (parser, values, name) => void parser.result.operations.push(make(values, parser, name))];
}

function bind(how: { readOnly?: boolean; devices?: boolean; optional?: boolean }): [number, Take] {
	return operation(2, ([source = "", dest = ""]) => ({
		kind: "bind",
		source,
		dest,
		readOnly: false,
		devices: false,
		optional: false,
		...how,
	}));
}

function bindDescriptor(readOnly: boolean): [number, Take] {
	return operation(2, ([text = "", dest = ""], parser) => {
		const fd = parser.descriptor(text);
		return { kind: "bind", source: `/proc/self/fd/${fd}`, dest, readOnly, devices: false, optional: false, fd };
	});
}

function place(kind: "proc" | "dev" | "mqueue" | "remount-ro"): [number, Take] {
	return operation(1, ([dest = ""]) => ({ kind, dest }));
}

function data(readOnly: boolean): [number, Take] {
	return operation(2, ([text = "", dest = ""], parser) => ({
		kind: "data",
		fd: parser.descriptor(text),
		dest,
		mode: parser.takePerms(0o600),
		readOnly,
	}));
}

function capability(add: boolean): [number, Take] {
	return [1, ({ result }, [name = ""]) => void result.capabilities.push({ add, name })];
}

function refuseLabel(): [number, Take] {
	return [
		1,
		(_parser, _values, name) => {
			throw new Failure(`${name}: labeling not supported on this system`);
		},
	];
}

/** Each option with the number of its values. */
const options: Record<string, [count: number, take: Take]> = {
	"--help": answer("help"),
	"--version": answer("version"),
	"--args": [1, readArguments],
	"--level-prefix": [
		0,
		({ voice }) => {
			voice.levels = true;
		},
	],
	"--argv0": [
		1,
		({ result }, [value = ""]) => {
			if (result.argv0 !== undefined) throw new Failure("--argv0 used multiple times");
			result.argv0 = value;
		},
	],
	"--unshare-all": [
		0,
		({ result }) => {
			for (const kind of ["ipc", "pid", "uts", "net"] as const) result.unshare.add(kind);
			for (const kind of ["user", "cgroup"] as const) result.tryUnshare.add(kind);
		},
	],
	"--share-net": [0, ({ result }) => void result.unshare.delete("net")],
	"--unshare-user": unshare("user"),
	"--unshare-user-try": tryUnshare("user"),
	"--unshare-ipc": unshare("ipc"),
	"--unshare-pid": unshare("pid"),
	"--unshare-net": unshare("net"),
	"--unshare-uts": unshare("uts"),
	"--unshare-cgroup": unshare("cgroup"),
	"--unshare-cgroup-try": tryUnshare("cgroup"),
	"--userns": descriptor("userns"),
	"--userns2": descriptor("userns2"),
	"--pidns": descriptor("pidns"),
	"--disable-userns": flag("disableUserns"),
	"--assert-userns-disabled": flag("assertUsernsDisabled"),
	"--uid": last("uid", (text) => number(text, "uid")),
	"--gid": last("gid", (text) => number(text, "gid")),
	"--hostname": last("hostname", (name, { result }) => {
		result.operations.push({ kind: "hostname", name });
		return name;
	}),
	"--chdir": last("chdir", (text) => text),
	"--clearenv": [0, ({ result }) => void result.environment.push([])],
	"--setenv": [2, ({ result }, [name = "", value = ""]) => void result.environment.push([name, value])],
	"--unsetenv": [1, ({ result }, [name = ""]) => void result.environment.push([name])],
	"--lock-file": [1, ({ result }, [path = ""]) => void result.locks.push(path)],
	"--sync-fd": descriptor("syncFd"),
	"--block-fd": descriptor("blockFd"),
	"--userns-block-fd": descriptor("usernsBlockFd"),
	"--info-fd": descriptor("infoFd"),
	"--json-status-fd": descriptor("statusFd"),
	"--bind": bind({}),
	"--bind-try": bind({ optional: true }),
	"--dev-bind": bind({ devices: true }),
	"--dev-bind-try": bind({ devices: true, optional: true }),
	"--ro-bind": bind({ readOnly: true }),
	"--ro-bind-try": bind({ readOnly: true, optional: true }),
	"--bind-fd": bindDescriptor(false),
	"--ro-bind-fd": bindDescriptor(true),
	"--remount-ro": place("remount-ro"),
	"--overlay-src": [1, ({ sources }, [path = ""]) => void sources.push(path)],
	"--overlay": operation(3, ([path = "", work = "", dest = ""], parser, name) => ({
		kind: "overlay",
		lower: parser.takeSources(name, 1),
		upper: { path, work },
		dest,
	})),
	"--tmp-overlay": operation(1, ([dest = ""], parser, name) => ({
		kind: "overlay",
		lower: parser.takeSources(name, 1),
		upper: "memory",
		dest,
	})),
	"--ro-overlay": operation(1, ([dest = ""], parser, name) => ({
		kind: "overlay",
		lower: parser.takeSources(name, 2),
		upper: undefined,
		dest,
	})),
	"--exec-label": refuseLabel(),
	"--file-label": refuseLabel(),
	"--proc": place("proc"),
	"--dev": place("dev"),
	"--tmpfs": operation(1, ([dest = ""], parser) => {
		const { size } = parser;
		parser.size = undefined;
		return { kind: "tmpfs", dest, mode: parser.takePerms(0o755), size };
	}),
	"--mqueue": place("mqueue"),
	"--dir": operation(1, ([dest = ""], parser) => ({ kind: "dir", dest, mode: parser.takePerms(0o755) })),
	"--file": operation(2, ([text = "", dest = ""], parser) => ({
		kind: "file",
		fd: parser.descriptor(text),
		dest,
		mode: parser.takePerms(0o666),
	})),
	"--bind-data": data(false),
	"--ro-bind-data": data(true),
	"--symlink": operation(2, ([target = "", dest = ""]) => ({ kind: "symlink", target, dest })),
	"--seccomp": last("seccomp", (text, parser) => {
		if (parser.result.filters.length > 0) throw new Failure("--seccomp cannot be combined with --add-seccomp-fd");
		return parser.descriptor(text);
	}),
	"--add-seccomp-fd": [
		1,
		(parser, [text = ""]) => {
			const { result } = parser;
			if (result.seccomp !== undefined) throw new Failure("--add-seccomp-fd cannot be combined with --seccomp");
			result.filters.push(parser.descriptor(text));
		},
	],
	"--new-session": flag("newSession"),
	"--die-with-parent": flag("dieWithParent"),
	"--as-pid-1": flag("asPid1"),
	"--cap-add": capability(true),
	"--cap-drop": capability(false),
	"--perms": [
		1,
		(parser, [text = ""], name) => {
			if (parser.perms !== undefined) throw new Failure("--perms given twice for the same action");
			parser.perms = octal(text, name);
		},
	],
	"--size": [
		1,
		(parser, [text = ""]) => {
			if (parser.size !== undefined) throw new Failure("--size given twice for the same action");
			if (!/^\d+$/.test(text) || BigInt(text) === 0n) throw new Failure("--size takes a non-zero number of bytes");
			if (BigInt(text) > MOST_TMPFS) throw new Failure(`--size (for tmpfs) is limited to ${MOST_TMPFS}`);
			parser.size = BigInt(text);
		},
	],
	"--chmod": operation(2, ([text = "", dest = ""], _parser, name) => ({
		kind: "chmod",
		mode: octal(text, name),
		dest,
	})),
	"--not-a-security-boundary": flag("tolerant"),
	"--refuse-symlinks": flag("refuseLinks"),
};

/** Reads options from a descriptor, each with a NUL behind. What follows the options there is not looked at. */
function readArguments(parser: Parser, [text = ""]: readonly string[]): void {
	if (parser.inFile) throw new Failure("--args not supported in arguments file");
	const fd = parser.descriptor(text);
	let bytes: string;
	try {
		bytes = readFileSync(fd, "utf8");
	} catch (error) {
		throw new Failure(`Can't read --args data: ${reasonOf(error)}`);
	}
	const args = bytes.split("\0");
	if (args.at(-1) === "") args.pop();
	parser.read(args, true);
}
