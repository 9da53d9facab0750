import { existsSync, readFileSync } from "node:fs";
import {
	chdir,
	chmod,
	closeRange,
	type FileDescriptor,
	Location,
	mkdir,
	openat2,
	rmdir,
	symlink,
	type Task,
} from "@nearfar/core";
import { native, numberOf } from "@nearfar/core/internal";
import { setgroups, setresgid, setresuid } from "@nearfar/credentials";
import {
	bind,
	devpts,
	enterRoot,
	type Mount,
	mount,
	mountSetattr,
	moveMount,
	openTree,
	overlay,
	proc,
	tmpfs,
	umount,
} from "@nearfar/mount";
import { loopbackUp, sethostname } from "@nearfar/namespaces";
import { setNoNewPrivs } from "@nearfar/process";
import { hasSource, isEmpty, type Node } from "../paths/layout.ts";
import { foldersBetween } from "../paths/links.ts";
import type { Blueprint, Owners } from "../plan.ts";
import { joinSessionKeyring } from "./keyring.ts";
import type { Steps } from "./steps.ts";

/** The folder of the new root in which parts are kept while it is made. */
const PARTS = ".nearfar";
/** The places whose descriptors may all be open at the same time: about three for each, and a process may have 1024. */
const FEW = 200;
const [FIRST, LAST] = [3, 2 ** 32 - 1];
const readOnly = ["rdonly", "nosuid", "nodev"] as const;
const writable = ["nosuid", "nodev"] as const;
const attributes = {
	read: readOnly,
	write: writable,
	scratch: readOnly,
	protect: readOnly,
	socket: readOnly,
	device: ["nosuid", "noexec"],
} as const;

/** Makes the root of a sandbox, by calls of a batch of its process 1. */
export class RootBuilder {
	readonly #blueprint: Blueprint;
	readonly #steps: Steps;
	/** Copies of trees of the host, which lie nowhere yet. */
	readonly #sources = new Map<Node, Mount>();
	/** The mounts that others lie in. */
	readonly #mounts = new Map<Node, Mount>();
	readonly #folders = new Set<string>();
	#holders: ReadonlySet<Node | undefined> | undefined;
	#parts: Mount | undefined;
	#memory: Mount | undefined;
	#scratches = 0;

	constructor(blueprint: Blueprint, steps: Steps) {
		this.#blueprint = blueprint;
		this.#steps = steps;
	}

	/**
	 * Collects all calls, in an order that matters: everything of the host is opened first, then the old root goes, and only then a
	 * place is looked up.
	 *
	 * @param task - Process 1.
	 * @param mapped - For the places that root can write, trees of this process.
	 */
	collect(task: Task, mapped: ReadonlyMap<Node, Mount>): void {
		const { plan, nodes, owners, options } = this.#blueprint;
		this.#steps.do("private /", () => mount(null, "/", null, { flags: ["rec", "private"] }));
		for (const node of nodes) this.#openSource(task, node, mapped.get(node));
		const fresh = this.#steps.do("proc", () => proc(null));
		if (owners !== "caller") this.#steps.do("ids", () => becomeRootInside(owners));
		const root = this.#steps.do("root", () => tmpfs(null, { mode: 0o755 }));
		this.#steps.do("pivot_root", () => {
			enterRoot(root);
			chdir("/");
		});
		this.#makeParts(root);
		for (const node of nodes) this.#steps.do(`${node.kind} ${node.path}`, () => this.#place(node, root, fresh));
		for (const { path, target } of plan.links) this.#steps.do(`link ${path}`, () => this.#link(path, target));
		this.#seal(root);
		this.#steps.do("host name", () => sethostname(options.name));
		if (options.network !== "host") this.#steps.do("loopback", () => loopbackUp());
		this.#steps.do("session keyring", () => joinSessionKeyring(task));
		this.#steps.do("no_new_privs", () => setNoNewPrivs());
	}

	#openSource(task: Task, node: Node, mapped: Mount | undefined): void {
		const { path, kind, found } = node;
		if (!hasSource(node, this.#isMade(node))) return;
		this.#steps.do(`${kind} ${path}`, () => {
			const set = attributes[kind as keyof typeof attributes];
			if (mapped) {
				const tree = task.put(mapped);
				mountSetattr(tree, { set, propagation: "private", recursive: true });
				this.#sources.set(node, tree);
				return;
			}
			const tree = bind(new Location(undefined, path, { symlinks: false }), null, { set, propagation: "private" });
			if (found) expectFile(tree, node);
			this.#sources.set(node, tree);
		});
	}

	/** Makes the files of the sandbox's own, which are then shown at their places. */
	#makeParts(root: Mount): void {
		const { nodes } = this.#blueprint;
		this.#steps.do("parts", () => {
			mkdir(new Location(root, PARTS), { mode: 0o755 });
			const parts = tmpfs(null, { mode: 0o755 });
			moveMount(parts, new Location(root, PARTS));
			this.#parts = parts;
			mkdir(new Location(parts, "folder"), { mode: 0o555 });
			openat2(new Location(parts, "file"), { flags: ["creat", "excl", "wronly"], mode: 0o444 }).close();
			for (const [index, { file }] of nodes.entries()) {
				if (!file) continue;
				const made = openat2(new Location(parts, `${index}`), { flags: ["creat", "excl", "wronly"], mode: 0o600 });
				if (file.content.length > 0) made.write(file.content);
				made.close();
				chmod(new Location(parts, `${index}`), file.mode);
			}
			const scratches = nodes.filter(({ kind }) => kind === "scratch");
			for (const index of scratches.keys()) mkdir(new Location(parts, `lower${index}`), { mode: 0o755 });
			if (scratches.length > 0) {
				mkdir(new Location(parts, "memory"), { mode: 0o755 });
				const { tmp } = this.#blueprint.options;
				this.#memory = tmpfs(null, {
					mode: 0o755,
					...(tmp !== "host" && tmp.size !== undefined && { size: tmp.size }),
				});
				moveMount(this.#memory, new Location(parts, "memory"));
			}
			mountSetattr(parts, { set: readOnly });
		});
	}

	/** Puts what lies at a place there. */
	#place(node: Node, root: Mount, fresh: Mount): void {
		const cover = this.#blueprint.covers.get(node);
		const under = cover && this.#mounts.get(cover);
		if (!cover || !under) {
			this.#mounts.set(node, root);
			return;
		}
		const relative = below(cover.path, node.path);
		if (isEmpty(cover)) this.#make(cover, under, node);
		const at = under.open(relative, { flags: ["path"], resolve: ["noSymlinks"] });
		// Nobody has put another file into the place of what is to be hidden. A scratch shows its files with other numbers.
		if (node.kind === "hide" && !isEmpty(cover) && cover.kind !== "scratch") expectFile(at, node);
		const tree = this.#tree(node, at, fresh);
		moveMount(tree, at);
		this.#done(at);
		// Without a user namespace of its own the limit would be that of the host.
		if (node.kind === "proc" && this.#blueprint.owners !== "uid0") forbidUserNamespaces(tree);
		if (this.#holds(node)) this.#mounts.set(node, tree);
		else this.#done(tree);
	}

	/** Returns what is to lie at a place, which lies nowhere yet. */
	#tree(node: Node, at: FileDescriptor, fresh: Mount): Mount {
		const { kind, type } = node;
		const source = this.#sources.get(node);
		if (kind === "scratch" && source) return this.#scratch(node, source);
		if (source) return source;
		if (kind === "proc") return fresh;
		if (kind === "devpts") return devpts(null);
		if (kind === "folder") {
			const { mode = 0o755, size } = node;
			return tmpfs(null, { mode, ...(size !== undefined && { size }) });
		}
		if (kind === "hide" && type === "directory" && this.#holds(node)) return tmpfs(null, { mode: 0o755 });
		if (kind === "hide") return this.#part(type === "directory" ? "folder" : "file");
		if (kind === "file") return this.#part(`${this.#blueprint.nodes.indexOf(node)}`);
		// The copy is of what lies there in the sandbox, so that its files have the owners that they have there.
		const copy = bind(at, null, { set: attributes[kind], propagation: "private" });
		if (node.found) expectFile(copy, node);
		return copy;
	}

	#part(name: string): Mount {
		return openTree(new Location(this.#parts as Mount, name), { flags: ["clone"], propagation: "private" });
	}

	/** Lays memory over a tree. The mode of the upper directory is the one that is seen. */
	#scratch({ found }: Node, lower: Mount): Mount {
		const [parts, memory, index] = [this.#parts as Mount, this.#memory as Mount, this.#scratches++];
		moveMount(lower, new Location(parts, `lower${index}`));
		const [upper, work] = [`upper${index}`, `work${index}`].map((name) => new Location(memory, name));
		for (const folder of [upper, work] as Location[]) {
			mkdir(folder, { mode: 0o755 });
			chmod(folder, (found?.mode ?? 0o755) & 0o7777);
		}
		const tree = overlay(null, { lower: [lower], upper: upper as Location, work: work as Location, set: writable });
		this.#done(lower);
		return tree;
	}

	/** Makes the place of a mount, and the folders on the way. */
	#make(cover: Node, under: Mount, { path, type }: Node): void {
		this.#makeFolders(cover, under, path);
		const place = new Location(under, below(cover.path, path));
		if (type === "directory") this.#makeFolder(path, place);
		else openat2(place, { flags: ["creat", "excl", "wronly"], mode: 0o444 }).close();
	}

	#makeFolders(cover: Node, under: Mount, path: string): void {
		for (const folder of foldersBetween(cover.path, path))
			this.#makeFolder(folder, new Location(under, below(cover.path, folder)));
	}

	#makeFolder(path: string, place: Location): void {
		if (this.#folders.has(path)) return;
		this.#folders.add(path);
		mkdir(place, { mode: 0o755 });
		chmod(place, 0o755); // the mode of mkdir(2) is cut down by the umask
	}

	#link(path: string, target: string): void {
		const cover = this.#coverOf(path);
		const under = cover && this.#mounts.get(cover);
		if (!cover || !under) return;
		this.#makeFolders(cover, under, path);
		symlink(target, new Location(under, below(cover.path, path)));
	}

	/** Takes the parts away, and makes the memory read-only that is not for writing. */
	#seal(root: Mount): void {
		this.#steps.do("seal", () => {
			umount(`/${PARTS}`, { flags: ["detach"] });
			rmdir(new Location(root, PARTS));
			for (const [node, mount] of this.#mounts) {
				if (node.kind === "hide" || node.path === "/dev" || node.path === "/") mountSetattr(mount, { set: readOnly });
			}
			closeRange(FIRST, LAST);
		});
	}

	/** Closes a descriptor, if there are many. Otherwise one call closes all of them at the end. */
	#done(fd: FileDescriptor): void {
		if (this.#blueprint.nodes.length > FEW) fd.close();
	}

	#isMade(node: Node): boolean {
		const cover = this.#blueprint.covers.get(node);
		return cover !== undefined && isEmpty(cover);
	}

	/** Returns whether another place, or a link, lies in a place. */
	#holds(node: Node): boolean {
		this.#holders ??= new Set([
			...this.#blueprint.covers.values(),
			...this.#blueprint.plan.links.map(({ path }) => this.#coverOf(path)),
		]);
		return this.#holders.has(node);
	}

	#coverOf(path: string): Node | undefined {
		const above = this.#blueprint.nodes.filter((node) => path.startsWith(node.path === "/" ? "/" : `${node.path}/`));
		return above.at(-1);
	}
}

/** Ends the batch there unless a tree is of the file that was looked at. */
function expectFile(tree: FileDescriptor, { found, path }: Node): void {
	if (found) native().expectFile(numberOf(tree), found.device.major, found.device.minor, found.inode, path);
}

/** Root has opened the sources as itself, and becomes the user 0 of the sandbox. */
function becomeRootInside(owners: Owners): void {
	// Where the user namespace of the caller forbids setgroups(2), the programs keep its groups, as those of an ordinary caller do.
	if (owners !== "uid0" || !setgroupsIsForbidden()) setgroups([]);
	setresgid(0, 0, 0);
	setresuid(0, 0, 0);
}

function setgroupsIsForbidden(): boolean {
	return existsSync("/proc/self/setgroups") && readFileSync("/proc/self/setgroups", "utf8") === "deny\n";
}

/** The user namespace of the commands is the last one: in a further one they would have capabilities again. */
function forbidUserNamespaces(proc: Mount): void {
	const limit = proc.open("sys/user/max_user_namespaces", { flags: ["wronly"] });
	limit.write("1");
	limit.close();
}

/** Returns the path below a folder. */
function below(folder: string, path: string): string {
	return path.slice(folder === "/" ? 1 : folder.length + 1);
}
