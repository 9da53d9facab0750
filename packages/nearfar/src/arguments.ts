import { parseArgs } from "node:util";
import type { SandboxOptions, Without } from "@nearfar/sandbox";
import { UsageError } from "./errors.ts";

/** The options of `nearfar run` that take a value, and what it is called in messages. */
const values = {
	write: "a path",
	read: "a path",
	hide: "a path or a pattern",
	protect: "a path or a pattern",
	scratch: "a path",
	net: "none or host",
	allow: "a host, such as example.com, *.example.com or example.com:443",
	localhost: "a port, 1 to 65535",
	publish: "a port, 1 to 65535",
	time: "a time, such as 500ms, 90s, 10m or 2h",
	memory: "a size, such as 512m or 2g",
	swap: "a size, such as 0, 512m or 2g",
	cpus: "a number, such as 0.5 or 2",
	processes: "a number, at least 1",
	env: "NAME or NAME=VALUE",
	preset: "project or closed",
	isolation: "full or landlock",
	without: "protect, hide, files or scratch",
	config: "a file of JSON",
	json: "the number of a descriptor that is open for writing",
} as const;

const switches = ["dry-run", "tty", "no-tty", "help"] as const;

type Value = keyof typeof values;
type Switch = (typeof switches)[number];

/** The arguments of `nearfar run`, not looked at but for their form. */
export interface Given {
	readonly values: { readonly [name in Value]?: readonly string[] };
	readonly switches: ReadonlySet<Switch>;
	/** The program and its arguments. */
	readonly command: readonly string[];
}

/** Parts the options from the command, which begins at the first argument that is none, or after `--`. */
export function parse(args: readonly string[]): Given {
	const found: { [name in Value]?: string[] } = {};
	const set = new Set<Switch>();
	let command: readonly string[] = [];
	for (const token of tokensOf(args)) {
		if (token.kind !== "option") {
			command = args.slice(token.kind === "positional" ? token.index : token.index + 1);
			break;
		}
		const { name, rawName, value, inlineValue } = token;
		if (isSwitch(name) && rawName.startsWith("--")) {
			if (value !== undefined) throw new UsageError(`${rawName} takes no value, and ${show(value)} was given`, usage);
			set.add(name);
		} else if (isValue(name) && rawName.startsWith("--")) {
			if (value === undefined || (!inlineValue && value.startsWith("-"))) {
				const instead = value === undefined ? "nothing" : show(value);
				const how = value === undefined ? "" : `; a value that begins with - is written ${rawName}=${value}`;
				throw new UsageError(`${rawName} takes ${values[name]}, and ${instead} was given${how}`, usage);
			}
			found[name] = [...(found[name] ?? []), value];
		} else throw new UsageError(`there is no option ${rawName}: the options are ${all}`, usage);
	}
	if (set.has("tty") && set.has("no-tty"))
		throw new UsageError("--tty and --no-tty were given: leave out one of them", usage);
	return { values: found, switches: set, command };
}

const usage = "nearfar run";
const all = [...Object.keys(values), ...switches].map((name) => `--${name}`).join(", ");

function tokensOf(args: readonly string[]) {
	const types = [
		...Object.keys(values).map((name) => [name, { type: "string" }] as const),
		...switches.map((name) => [name, { type: "boolean" }] as const),
	];
	return parseArgs({
		args: [...args],
		options: Object.fromEntries(types),
		strict: false,
		allowPositionals: true,
		tokens: true,
	}).tokens;
}

function isSwitch(name: string): name is Switch {
	return (switches as readonly string[]).includes(name);
}

function isValue(name: string): name is Value {
	return Object.hasOwn(values, name);
}

/** Returns the options of the sandbox: those of the command line, which are added to the lists of a file and replace the rest of it. */
export function toOptions({ values: given }: Given, file: SandboxOptions): SandboxOptions {
	const options: { -readonly [name in keyof SandboxOptions]: SandboxOptions[name] } = { ...file };
	for (const name of ["write", "scratch", "hide", "protect"] as const) {
		if (given[name]) options[name] = [...(file[name] ?? []), ...given[name]];
	}
	if (given.read) options.read = [...(file.read === "host" ? [] : (file.read ?? [])), ...given.read];
	if (given.preset) options.preset = choice(given.preset, ["project", "closed"], "preset");
	if (given.isolation) options.isolation = choice(given.isolation, ["full", "landlock"], "isolation");
	if (given.without) options.without = [...(file.without ?? []), ...toWithout(given.without)];
	const limits = {
		...(given.time && { time: toTime(last(given.time)) }),
		...(given.memory && { memory: toSize(last(given.memory), "memory") }),
		...(given.swap && { swap: toSize(last(given.swap), "swap") }),
		...(given.cpus && { cpus: toFraction(last(given.cpus), "cpus") }),
		...(given.processes && { processes: toNumber(last(given.processes), "processes") }),
	};
	if (Object.keys(limits).length > 0) options.limits = { ...file.limits, ...limits };
	const network = toNetwork(given, file.network);
	if (network !== undefined) options.network = network;
	if (given.env) options.env = toEnvironment(given.env, file.env);
	return options;
}

function toNetwork(
	{ net, allow, localhost, publish }: Given["values"],
	file: SandboxOptions["network"],
): SandboxOptions["network"] {
	const kind = net && choice(net, ["none", "host"], "net");
	if (!allow && !localhost && !publish) return kind;
	const other = kind ?? (typeof file === "string" ? file : undefined);
	if (kind !== undefined || other === "host") {
		const option = allow ? "allow" : localhost ? "localhost" : "publish";
		throw new UsageError(
			`--${option} is for a network of the sandbox's own, and the network is "${other}": leave out one of the two`,
			usage,
		);
	}
	const base = typeof file === "object" ? file : {};
	return {
		...base,
		...(allow && { allow: [...(base.allow ?? []), ...allow] }),
		...(localhost && {
			localhost: [...(base.localhost ?? []), ...localhost.map((port) => toNumber(port, "localhost"))],
		}),
		...(publish && { publish: [...(base.publish ?? []), ...publish.map((port) => toNumber(port, "publish"))] }),
	};
}

/** A variable without a value has that of this process, and is not set where this process has none. */
function toEnvironment(given: readonly string[], file: SandboxOptions["env"]): NonNullable<SandboxOptions["env"]> {
	const set: Record<string, string> = {};
	for (const text of given) {
		const [name, value = process.env[name]] = split(text);
		if (value !== undefined) set[name] = value;
	}
	if (file !== undefined && (file.inherit === true || Array.isArray(file.inherit))) {
		const { inherit, set: before } = file as { inherit: true | readonly string[]; set?: Record<string, string> };
		return { inherit, set: { ...before, ...set } };
	}
	return { ...(file as Record<string, string> | undefined), ...set };
}

function split(text: string): [string, string?] {
	const end = text.indexOf("=");
	if (text === "" || end === 0) throw wrong("env", text);
	return end < 0 ? [text] : [text.slice(0, end), text.slice(end + 1)];
}

/** The option can be given many times, and takes a list. */
function toWithout(given: readonly string[]): Without[] {
	return given.flatMap((text) =>
		text.split(",").map((name) => choice([name], ["protect", "hide", "files", "scratch"], "without")),
	);
}

const milliseconds: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

function toTime(text: string): number {
	const [, number, unit] = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(text) ?? [];
	const time = Math.round(Number(number) * (milliseconds[unit ?? ""] ?? Number.NaN));
	if (!(time >= 1 && time < 2 ** 31)) throw wrong("time", text);
	return time;
}

const bytes: Readonly<Record<string, number>> = { "": 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 };

/** Returns bytes. Their range is the sandbox's to check. */
function toSize(text: string, option: Value): number {
	const [, number, unit] = /^(\d{1,15}(?:\.\d+)?)([kmg]?)$/.exec(text) ?? [];
	const size = Math.round(Number(number) * (bytes[unit ?? ""] ?? Number.NaN));
	if (!Number.isSafeInteger(size)) throw wrong(option, text);
	return size;
}

/** Returns a number. Its range is the sandbox's to check. */
function toFraction(text: string, option: Value): number {
	if (!/^\d{1,15}(?:\.\d+)?$/.test(text)) throw wrong(option, text);
	return Number(text);
}

/** Returns a whole number. Its range is the sandbox's to check. */
export function toNumber(text: string, option: Value): number {
	const number = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
	if (Number.isNaN(number)) throw wrong(option, text);
	return number;
}

function choice<T extends string>(given: readonly string[], allowed: readonly T[], option: Value): T {
	const found = allowed.find((each) => each === last(given));
	if (found === undefined) throw wrong(option, last(given));
	return found;
}

function last(given: readonly string[]): string {
	return given.at(-1) ?? "";
}

function wrong(option: Value, text: string): UsageError {
	return new UsageError(`--${option} takes ${values[option]}, and ${show(text)} was given`, usage);
}

function show(text: string): string {
	return JSON.stringify(text);
}
