import { randomBytes } from "node:crypto";
import { existsSync, lstatSync, readdirSync, readFileSync, statSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { SyscallError, Task } from "@nearfar/core";
import { type CheckedFile, type CheckedOptions, checkSandbox, type GivenEntry, toEntry } from "./check.ts";
import { usualDevices } from "./devices.ts";
import { environmentOf, withNetwork } from "./environment.ts";
import { SandboxError } from "./errors.ts";
import { proxyEnvironment } from "./network/environment.ts";
import { type PlannedNetwork, toPlanned } from "./network/planned.ts";
import type { Limits, SandboxOptions } from "./options.ts";
import { type Allowed, isAllowed, type PlannedRule, toAllowed } from "./paths/allowed.ts";
import { boundSockets } from "./paths/bound-sockets.ts";
import { type Found, find, type GivenPath, look, ownFolder, toGiven } from "./paths/given.ts";
import { expand, type Match, splitPattern, toPattern } from "./paths/glob.ts";
import { isEmpty, type Kind, Layout, type Node } from "./paths/layout.ts";
import { isBelow, isWithin, type Link, linksOnTheWay } from "./paths/links.ts";
import { presetOf, toolchainFolders } from "./paths/presets.ts";
import { procMounts } from "./paths/proc-mounts.ts";

/** One mount of a sandbox, in the order in which they are placed. */
export interface PlannedMount {
	/** The path inside. */
	readonly path: string;
	/**
	 * What it is: `"folder"` is in memory, `"hide"` is empty and read-only but for the mounts below it, `"proc"` and `"devpts"` are file systems
	 * of the sandbox's own. The others are as the options of the same names.
	 */
	readonly kind: Kind;
	/** Whether it is a directory. */
	readonly type: "directory" | "file";
	/** The path of the host that it shows. Absent: it shows nothing of the host, or what lies there already. */
	readonly source?: string;
	/** Whether its place is made, because what lies there is memory of the sandbox. Folders on the way are made too. */
	readonly made: boolean;
}

/**
 * Whose files the programs of a sandbox own: those of the caller; those of root, which are shown as a spare id's; or those of user 0, as
 * which they run.
 */
export type Owners = "caller" | "mapped" | "uid0";

/** What a sandbox is going to be: data that can be written as JSON. */
export interface Plan {
	/** The preset that the options begin with. */
	readonly preset: "project" | "closed";
	/** What keeps the programs apart from the host. */
	readonly isolation: "full" | "landlock";
	/** Everything that is mounted, in this order. Empty with `isolation: "landlock"`. */
	readonly mounts: readonly PlannedMount[];
	/** The trees that are allowed with `isolation: "landlock"`, beside a new folder for `TMPDIR`. Empty with `"full"`. */
	readonly allowed: readonly PlannedRule[];
	/** Symbolic links that are made. */
	readonly links: readonly Link[];
	/** The working directory of a command. */
	readonly cwd: string;
	/** The home directory inside, which is `HOME`. With `isolation: "landlock"` it may lie in a folder that gets another name each time. */
	readonly home: string;
	/** The ids that the programs see as their own. */
	readonly user: { readonly uid: number; readonly gid: number };
	/** The network: nothing but loopback, that of the caller, or what the proxy and the ports lead to. */
	readonly network: "none" | "host" | PlannedNetwork;
	/** The filter of system calls; `"given"` is one of the caller's. */
	readonly syscalls: "default" | "all" | "given";
	/** The names of the variables, without their values. */
	readonly env: readonly string[];
	/** The paths of the made-up files, without their contents. */
	readonly files: readonly string[];
	/** The limits as they were given. */
	readonly limits: Limits;
	/** What each pattern has matched. */
	readonly matches: readonly { readonly pattern: string; readonly paths: readonly string[] }[];
	/** Protected paths that are missing: what appears there is a {@link Violation}. */
	readonly missing: readonly string[];
	/** What the caller may not expect. */
	readonly notices: readonly string[];
}

/** A plan with what is needed to carry it out and is not for others to see. */
export interface Blueprint {
	readonly plan: Plan;
	readonly options: CheckedOptions;
	/** In the order of the plan's mounts. */
	readonly nodes: readonly Node[];
	/** The place that each of them lies in. */
	readonly covers: ReadonlyMap<Node, Node>;
	readonly env: Readonly<Record<string, string>>;
	/** Whose files the programs own. */
	readonly owners: Owners;
	/** With `isolation: "landlock"`: what is allowed, and the new folder. */
	readonly confined?: { readonly allowed: readonly Allowed[]; readonly tmp: string };
	/** With `isolation: "landlock"`: the ABI of Landlock with which it is carried out. */
	readonly abi?: number;
	/** The patterns whose matches are watched, each with the folder that it counts from. */
	readonly watched: readonly { readonly folder: string; readonly entry: GivenEntry }[];
}

/**
 * Looks at the disk, changes nothing, and returns what a sandbox of these options would be.
 *
 * @param options - As for {@link Sandbox.open}. Default: those of the preset `"project"`.
 * @returns Data without a secret: neither values of variables nor contents of files.
 * @throws `ERR_NEARFAR_SANDBOX_PATH` A path does not exist, or cannot be shown at its place.
 * @throws `ERR_NEARFAR_SANDBOX_LIMIT` A pattern matches more than 10 000 files, or has more than 200 000 to look at.
 * @throws `TypeError` An option has the wrong type or value, or a path is in two lists.
 * @throws `RangeError` A number is out of its range.
 * @example
 * ```ts
 * const { mounts, cwd } = plan({ preset: "closed", write: ["."] });
 * console.log(mounts.find(({ path }) => path === cwd)?.kind); // "write"
 * ```
 * @see mount_namespaces(7); no privilege
 */
export function plan(options?: SandboxOptions): Plan {
	return draw(checkSandbox(options)).plan;
}

const deviceLinks = {
	"/dev/fd": "/proc/self/fd",
	"/dev/stdin": "/proc/self/fd/0",
	"/dev/stdout": "/proc/self/fd/1",
	"/dev/stderr": "/proc/self/fd/2",
	"/dev/ptmx": "pts/ptmx",
};

/** Hidden because ssh wants its owner to be root, and in a user namespace another id is root. */
const forOtherOwners = "/etc/ssh/ssh_config.d";

/** What a sandbox makes anew, and cannot hide or protect as a whole. */
const ownPlaces = ["/", "/proc", "/dev"];

/** The kinds of which a caller lists paths. */
const listed = ["read", "write", "scratch"] as const;

/** Returns whether this process is user 0, whose id is not mapped in a sandbox. */
export function isRoot(): boolean {
	return process.geteuid?.() === 0;
}

/** Draws up the plan of a sandbox. */
export function draw(options: CheckedOptions, owners: Owners = usualOwners(options)): Blueprint {
	return Task.near.run(() => new Drawing(options, owners).finish());
}

function usualOwners({ isolation }: CheckedOptions): Owners {
	if (!isRoot()) return "caller";
	return isolation === "landlock" ? "uid0" : "mapped";
}

class Drawing {
	readonly #options: CheckedOptions;
	readonly #layout: Layout;
	readonly #links = new Map<string, Link>();
	readonly #matches: Match[] = [];
	readonly #watched: { folder: string; entry: GivenEntry }[] = [];
	readonly #missing = new Set<string>();
	readonly #notices: string[] = [];
	readonly #owners: Owners;
	/** Whether nothing is mounted, so that there is nothing but files of the host. */
	readonly #isConfined: boolean;
	/** The places at which the host has a procfs, beside `/proc`. */
	readonly #procs = procMounts();
	#home = "/tmp";

	constructor(options: CheckedOptions, owners: Owners) {
		this.#options = options;
		this.#owners = owners;
		this.#isConfined = options.isolation === "landlock";
		this.#layout = new Layout(this.#isConfined ? "caller" : owners);
	}

	finish(): Blueprint {
		const options = this.#options;
		const preset = presetOf(options.preset);
		this.#addFolders();
		this.#addLists(preset);
		const writable = this.#layout.ofKind("write");
		const own = (list: readonly string[], name: string) =>
			list.map((text) => ({ ...toEntry(text, name), optional: true }));
		const projects = this.#projects(writable);
		const hidden = this.#isConfined ? preset.hide.filter((path) => path !== forOtherOwners) : preset.hide;
		this.#hide(own(hidden, "the preset's hide"), "weak", projects);
		this.#hide(options.hide, "caller", projects);
		this.#protect(own(preset.protect, "the preset's protect"), "weak", writable);
		this.#protect(options.protect, "caller", writable);
		if (!this.#isConfined) this.#addSystem();
		for (const file of options.files) this.#addFile(file);
		if (!this.#isConfined) {
			for (const file of this.#userFiles()) this.#addFile(file, "user");
			this.#coverProcs();
		}
		this.#layout.settle();
		if (!this.#isConfined) this.#coverSockets();
		const nodes = this.#layout.nodes();
		const confined = this.#isConfined ? this.#confine() : undefined;
		const links = confined ? [] : [...this.#links.values()].filter(({ path }) => this.#layout.isMade(path));
		const isVisible = (path: string) => (confined ? isAllowed(path, confined.allowed) : this.#layout.isVisible(path));
		const cwd = this.#workingDirectory(isVisible);
		const home = isVisible(this.#home) ? this.#home : confined ? join(confined.tmp, "home") : "/tmp";
		const env = environmentOf(options.env, home, options.tmp !== "host" && confined ? confined.tmp : "/tmp");
		const user = this.#user();
		const { preset: name, isolation, network, syscalls, limits } = options;
		const plan: Plan = {
			preset: name,
			isolation,
			mounts: confined ? [] : nodes.map((node) => this.#layout.toMount(node)),
			allowed: (confined?.allowed ?? []).map(({ path, kind, type }) => ({ path, kind, type })),
			links,
			cwd,
			home,
			user,
			network: typeof network === "string" ? network : toPlanned(network),
			syscalls,
			env: Object.keys(typeof network === "string" ? env : withNetwork(env, proxyEnvironment(0), options.env)).sort(),
			files: confined ? [] : nodes.filter(({ kind }) => kind === "file").map(({ path }) => path),
			limits,
			matches: this.#matched(),
			missing: [...this.#missing].filter((path) => this.#layout.cover(path)?.kind === "write").sort(),
			notices: this.#notices,
		};
		const covers = new Map<Node, Node>();
		for (const node of nodes) {
			const cover = this.#layout.cover(node.path);
			if (cover) covers.set(node, cover);
		}
		const more = confined && { confined };
		return { plan, options, nodes, covers, env, owners: this.#owners, watched: this.#watched, ...more };
	}

	/** Returns what is allowed where nothing is mounted. */
	#confine(): NonNullable<Blueprint["confined"]> {
		const allowed = toAllowed(this.#layout, this.#options.without);
		return { allowed, tmp: join(canonicalFolder(tmpdir()), `nearfar-${randomBytes(6).toString("hex")}`) };
	}

	/** Adds the folders of the sandbox's own. */
	#addFolders(): void {
		const { tmp } = this.#options;
		const size = tmp === "host" ? {} : tmp;
		const found = look(homedir());
		this.#home = found instanceof SyscallError ? homedir() : found.path;
		const add = (path: string, mode: number) =>
			this.#layout.add({ path, kind: "folder", type: "directory", rank: "folder", mode, ...size });
		add("/", 0o755);
		add("/run", 0o755);
		this.#layout.add({ path: "/dev", kind: "folder", type: "directory", rank: "folder", mode: 0o755 });
		this.#layout.add({ path: "/dev/shm", kind: "folder", type: "directory", rank: "folder", mode: 0o1777 });
		this.#layout.add({ path: "/dev/pts", kind: "devpts", type: "directory", rank: "folder" });
		this.#layout.add({ path: "/proc", kind: "proc", type: "directory", rank: "folder" });
		for (const name of usualDevices) {
			if (existsSync(`/dev/${name}`))
				this.#layout.add({ path: `/dev/${name}`, kind: "device", type: "file", rank: "folder" });
		}
		for (const [path, target] of Object.entries(deviceLinks)) this.#links.set(path, { path, target });
		if (this.#home !== "/") add(this.#home, 0o700);
		for (const path of ["/tmp", "/var/tmp"]) {
			const host = tmp === "host" ? look(path) : undefined;
			if (host && !(host instanceof SyscallError)) this.#addFound("write", host, "caller", "options.tmp");
			else add(path, 0o1777);
		}
	}

	/** Adds `read`, `write` and `scratch`, those of the preset where the caller has none. */
	#addLists(preset: ReturnType<typeof presetOf>): void {
		const { read = preset.read } = this.#options;
		if (read === "host") this.#addHost();
		if (this.#options.preset === "project") {
			const hidden = this.#layout.get(this.#home)?.kind === "folder";
			for (const path of hidden ? toolchainFolders() : []) this.#addGiven("read", optional(path, "PATH"), "weak");
		}
		for (const kind of listed) {
			const given = this.#options[kind];
			const rank = given ? "caller" : "preset";
			const paths =
				given ??
				(preset[kind] === "host"
					? []
					: (preset[kind] as readonly string[]).map((path) => optional(path, `the preset's ${kind}`)));
			if (paths === "host") continue;
			for (const path of paths) this.#addGiven(kind, path, rank);
		}
		for (const socket of this.#options.sockets) this.#addGiven("socket", socket, "caller");
		for (const device of this.#options.devices) this.#addGiven("device", device, "caller");
	}

	/** Adds each entry of the host's root: `/` itself is a folder of the sandbox's own. */
	#addHost(): void {
		for (const entry of readdirSync("/", { withFileTypes: true })) {
			const path = `/${entry.name}`;
			if (path === "/proc" || path === "/dev") continue;
			if (entry.isSymbolicLink()) {
				for (const link of linksOf(path)) this.#links.set(link.path, link);
			} else if (entry.isDirectory() || entry.isFile()) {
				this.#layout.add({ path, kind: "read", type: entry.isFile() ? "file" : "directory", rank: "host" });
			}
		}
		// A resolver of the system has its file below /run.
		if (this.#options.network === "host") this.#addGiven("read", optional("/etc/resolv.conf", "network"), "weak");
	}

	/** Adds a path, and the links through which it was given. */
	#addGiven(kind: Kind, given: GivenPath, rank: Node["rank"]): void {
		const found = find(given);
		if (!found) return;
		for (const link of found.path === given.path ? [] : linksOf(given.path)) this.#links.set(link.path, link);
		this.#check(kind, found, given);
		this.#addFound(kind, found, rank, given.option);
	}

	#check(kind: Kind, found: Found, { option, text }: GivenPath): void {
		const refuse = (why: string) => {
			throw new SandboxError("PATH", `cannot show "${text}" of ${option}: ${found.path} ${why}`);
		};
		if (kind === "socket" && found.type !== "socket") refuse("is no Unix socket");
		if (kind === "device" && !isBelow(found.path, "/dev")) refuse("does not lie below /dev");
		if (kind === "device" && found.type !== "character" && found.type !== "block") refuse("is no device");
		if (kind === "scratch" && found.type !== "directory") refuse("is no directory, which a scratch has to be");
		if (kind !== "device" && isWithin(found.path, "/dev")) refuse("lies below /dev: use options.devices");
		if (["/proc", ...this.#procs].some((proc) => isWithin(found.path, proc))) {
			refuse("lies in a procfs, and /proc is the sandbox's own");
		}
		if (found.path === "/" && (kind === "write" || kind === "scratch" || kind === "read"))
			refuse('is everything: use read: "host", and name what is to be written');
	}

	#addFound(kind: Kind, found: Found, rank: Node["rank"], option: string, movable = false): void {
		if ((kind === "hide" || kind === "protect") && ownPlaces.includes(found.path)) {
			throw new SandboxError(
				"PATH",
				`cannot ${kind} ${found.path} of ${option}: it is the sandbox's own. Name what lies in it, or leave it out`,
			);
		}
		const type = found.type === "directory" ? "directory" : "file";
		this.#layout.add({ path: found.path, kind, type, rank, found, option, ...(movable && { movable }) });
	}

	#hide(entries: readonly GivenEntry[], rank: Node["rank"], places: readonly Pick<Node, "path" | "type">[]): void {
		for (const { entry, matches } of this.#expanded(entries, places)) {
			const weaker = rank === "caller" ? "pattern" : rank;
			const everywhere = entry.relative && /^\*\*\/[^/]+$/.test(entry.text);
			if (matches)
				for (const { path } of matches) this.#hideOne({ ...entry, path, optional: true }, weaker, everywhere);
			else this.#hideOne(entry, rank, false);
		}
	}

	#hideOne(entry: GivenPath, rank: Node["rank"], everywhere: boolean): void {
		const found = find(entry);
		if (!found) return;
		if (found.links > 1 && found.type !== "directory") {
			this.#notices.push(`${found.path} is hidden, and the file has ${found.links - 1} more names, which are not`);
		}
		const movable = everywhere && found.path === entry.path; // a link to it may be what has matched
		this.#addFound("hide", found, rank, entry.option, movable);
	}

	#protect(entries: readonly GivenEntry[], rank: Node["rank"], writable: readonly Node[]): void {
		for (const { entry, matches } of this.#expanded(entries, writable)) {
			const places =
				matches?.map(({ path }) => path) ??
				(entry.relative
					? writable.filter(({ type }) => type === "directory").map(({ path }) => join(path, entry.text))
					: [entry.path]);
			for (const path of places) {
				const found = find({ ...entry, path, optional: true });
				const weaker = matches && rank === "caller" ? "pattern" : rank;
				if (found) this.#addFound("protect", found, weaker, entry.option);
				else if (!matches)
					this.#missing.add(entry.relative ? path : join(canonicalFolder(dirname(path)), basename(path)));
			}
		}
	}

	/** Returns the paths that relative patterns of `hide` count from: what is written, the caller's scratches, and the own folder. */
	#projects(writable: readonly Node[]): Pick<Node, "path" | "type">[] {
		const scratches = this.#layout.ofKind("scratch").filter(({ rank }) => rank === "caller");
		const own = look(ownFolder() ?? "/");
		const roots = [...writable, ...scratches];
		if (own instanceof SyscallError || own.path === "/") return roots;
		const { kind } = this.#layout.get(own.path) ?? this.#layout.cover(own.path) ?? { kind: "folder" };
		return kind === "read" ? [...roots, { path: own.path, type: "directory" }] : roots;
	}

	/** Expands the patterns among entries, all of one folder in one walk. Relative ones count from these places. */
	#expanded(
		entries: readonly GivenEntry[],
		places: readonly Pick<Node, "path" | "type">[],
	): { entry: GivenEntry; matches?: Match[] }[] {
		const folders = new Map<string, { entry: GivenEntry; relative: string }[]>();
		const add = (folder: string, entry: GivenEntry, relative: string) => {
			listOf(folders, folder).push({ entry, relative });
			this.#watched.push({ folder, entry });
		};
		const roots = new Set(
			places
				.filter(({ path, type }) => type === "directory" && !places.some((other) => isBelow(path, other.path)))
				.map(({ path }) => path),
		);
		for (const entry of entries) {
			if (!entry.pattern) continue;
			if (entry.relative) {
				for (const path of roots) add(path, entry, entry.text);
				if (roots.size === 0 && !entry.optional) refuseWithoutRoot(entry);
			} else {
				const [folder, rest] = splitPattern(entry.path);
				const found = look(folder);
				if (!(found instanceof SyscallError)) add(found.path, entry, rest);
			}
		}
		const expanded = new Map<GivenEntry, Match[]>();
		for (const [folder, patterns] of folders) {
			const tests = patterns.map(({ entry, relative }) => toPattern(entry.option, entry.text, relative));
			for (const match of expand(folder, tests, this.#procs)) {
				const entry = patterns[tests.indexOf(match.pattern)]?.entry;
				if (entry) listOf(expanded, entry).push(match);
				this.#matches.push(match);
			}
		}
		return entries.map((entry) => (entry.pattern ? { entry, matches: expanded.get(entry) ?? [] } : { entry }));
	}

	/** Hides the parts of `/proc` and `/sys` that tell about others, and protects those that change the machine. */
	#addSystem(): void {
		const add = (kind: Kind, path: string) => {
			const file = lstatSync(path, { throwIfNoEntry: false });
			if (file) this.#layout.add({ path, kind, type: file.isDirectory() ? "directory" : "file", rank: "weak" });
		};
		for (const name of ["sys", "irq", "bus", "fs", "sysrq-trigger"]) add("protect", `/proc/${name}`);
		for (const name of ["kcore", "keys", "key-users", "timer_list", "sched_debug", "scsi", "acpi"])
			add("hide", `/proc/${name}`);
		for (const path of ["/sys/firmware", "/sys/devices/virtual/powercap"]) add("hide", path);
		if (this.#owners !== "uid0") return;
		// Of these the owner is user 0, which the programs are.
		for (const path of ["/sys/kernel/debug", "/sys/kernel/tracing", "/sys/kernel/security"]) add("hide", path);
		for (const name of readdirSync("/proc").filter((name) => !/^\d+$/.test(name))) {
			const file = lstatSync(`/proc/${name}`, { throwIfNoEntry: false });
			if (file?.isDirectory() || (file?.isFile() && (file.mode & 0o222) !== 0)) add("protect", `/proc/${name}`);
			else if (file?.isFile() && (file.mode & 0o004) === 0) add("hide", `/proc/${name}`);
		}
	}

	#addFile(file: CheckedFile, rank: Node["rank"] = "caller"): void {
		const found = look(file.path);
		const place =
			found instanceof SyscallError ? join(canonicalFolder(dirname(file.path)), basename(file.path)) : found.path;
		const refuse = (why: string) => {
			throw new SandboxError("PATH", `cannot make the file ${place} of ${file.option}: ${why}`);
		};
		if (!(found instanceof SyscallError) && found.type === "directory") refuse("it is a directory");
		if (isBelow(place, "/dev") && !isBelow(place, "/dev/shm")) refuse("the devices in /dev are the sandbox's own");
		this.#layout.add({
			path: place,
			kind: "file",
			type: "file",
			rank,
			file,
			option: file.option,
			exists: !(found instanceof SyscallError),
		});
	}

	/** Makes up the files that name the user, where the host has no such user. */
	#userFiles(): CheckedFile[] {
		const { uid, gid } = this.#user();
		const made: CheckedFile[] = [];
		const lines = [
			["/etc/passwd", uid, `sandbox:x:${uid}:${gid}:sandbox:${this.#home}:/bin/sh\n`],
			["/etc/group", gid, `sandbox:x:${gid}:\n`],
		] as const;
		for (const [path, id, line] of lines) {
			const given = this.#layout.get(path);
			if (given?.rank === "caller" && given.kind !== "read") continue;
			const text = readText(path);
			const shown = (given ?? this.#layout.cover(path))?.kind === "read";
			const lists = text.split("\n").some((entry) => entry.split(":")[2] === String(id));
			if (shown && lists) continue;
			const before = shown && text !== "" && !text.endsWith("\n") ? `${text}\n` : shown ? text : "";
			made.push({ ...toGiven(path, "options.user"), content: Buffer.from(before + line), mode: 0o444 });
		}
		return made;
	}

	/** Covers every procfs below what is shown: through the files of a process outside, a program would reach the root of the host. */
	#coverProcs(): void {
		for (const path of this.#procs) {
			const cover = this.#layout.cover(path);
			if (cover && !isEmpty(cover) && cover.kind !== "proc") {
				this.#layout.add({ path, kind: "hide", type: "directory", rank: "pattern" });
			}
		}
	}

	/** Covers the Unix sockets that are bound in a place that is shown: a read-only mount does not stop connect(2). */
	#coverSockets(): void {
		for (const path of boundSockets()) {
			const found = look(path);
			if (found instanceof SyscallError || found.type !== "socket") continue;
			const { kind } = this.#layout.get(found.path) ?? this.#layout.cover(found.path) ?? { kind: "folder" };
			if (kind === "read" || kind === "scratch" || kind === "protect")
				this.#addFound("hide", found, "weak", "a socket of the host");
		}
		this.#layout.settle();
	}

	#user(): { uid: number; gid: number } {
		const { user } = this.#options;
		if (user !== "caller") return user;
		if (this.#owners === "uid0") return { uid: 0, gid: 0 };
		return this.#owners === "mapped"
			? { uid: 1000, gid: 1000 }
			: { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 };
	}

	#workingDirectory(isVisible: (path: string) => boolean): string {
		const { cwd } = this.#options;
		if (cwd) {
			const found = find({ ...cwd, optional: true });
			const path = found?.path ?? cwd.path;
			const refuse = (why: string) => {
				throw new SandboxError("PATH", `cannot begin in "${cwd.text}" of options.cwd: ${path} ${why}`);
			};
			if (!isVisible(path)) refuse("is not visible in the sandbox. Add it to options.read or options.write");
			if (!found && !this.#layout.get(path) && !this.#layout.isMade(path)) refuse("does not exist");
			if (found && found.type !== "directory") refuse("is no directory");
			return path;
		}
		const folder = ownFolder();
		const own = folder === undefined ? undefined : look(folder);
		if (own && !(own instanceof SyscallError) && isVisible(own.path)) return own.path;
		return this.#layout.ofKind("write").find(({ type }) => type === "directory")?.path ?? "/";
	}

	#matched(): Plan["matches"] {
		const patterns = new Map<string, string[]>();
		for (const { entry } of this.#watched) listOf(patterns, entry.text);
		for (const { pattern, path } of this.#matches) listOf(patterns, pattern.text).push(path);
		return [...patterns].map(([pattern, paths]) => ({ pattern, paths }));
	}
}

/** Throws for a relative pattern where nothing is shown that it counts from: it would cover nothing. */
function refuseWithoutRoot({ option, text }: GivenEntry): never {
	throw new SandboxError(
		"PATH",
		`cannot expand "${text}" of ${option}: it counts from each path of options.write, and there is none. Give an absolute pattern`,
	);
}

/** Returns the list of a key, which is made where there is none. */
function listOf<K, V>(lists: Map<K, V[]>, key: K): V[] {
	const list = lists.get(key) ?? [];
	lists.set(key, list);
	return list;
}

/** Returns a path of a preset, which may be missing. */
function optional(path: string, option: string): GivenPath {
	return { ...toGiven(path, option), optional: true };
}

/** Returns the links on the way to a path, or nothing where it leads nowhere. */
function linksOf(path: string): Link[] {
	try {
		return linksOnTheWay(path);
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === undefined) throw error;
		return [];
	}
}

/** Returns the canonical path of the nearest folder that exists, with the rest of the path. */
function canonicalFolder(path: string): string {
	const found = look(path);
	if (!(found instanceof SyscallError)) return found.path;
	return path === "/" ? "/" : join(canonicalFolder(dirname(path)), basename(path));
}

function readText(path: string): string {
	try {
		return statSync(path).size < 1024 * 1024 ? readFileSync(path, "utf8") : "";
	} catch {
		return ""; // there is none, or this process may not read it
	}
}
