import { existsSync, readFileSync } from "node:fs";
import {
	chdir,
	chmod,
	closeRange,
	FileDescriptor,
	Location,
	mkdir,
	openat2,
	rmdir,
	symlink,
	Task,
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
	proc,
	tmpfs,
	umount,
} from "@nearfar/mount";
import { loopbackUp, sethostname } from "@nearfar/namespaces";
import { getrlimit, setNoNewPrivs } from "@nearfar/process";
import type { CheckedFile } from "../check.ts";
import { hasSource, isEmpty, type Node } from "../paths/layout.ts";
import { foldersBetween, isBelow } from "../paths/links.ts";
import type { Blueprint, Owners } from "../plan.ts";
import { copyTree } from "./copy.ts";
import { joinSessionKeyring } from "./keyring.ts";
import type { Steps } from "./steps.ts";

/** The folder of the new root in which the layers of overlays lie while it is made. */
const LAYERS = ".nearfar";
/** About three descriptors for each place may be open at the same time, and there are others. */
const DESCRIPTORS_OF_A_PLACE = 5;
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
	#parts: FileDescriptor | undefined;
	#layers: Mount | undefined;
	#memory: Mount | undefined;
	#scratches = 0;
	readonly #isLarge: boolean;

	constructor(blueprint: Blueprint, steps: Steps) {
		this.#blueprint = blueprint;
		this.#steps = steps;
		const limit = Task.near.run(() => getrlimit("nofile")).soft;
		this.#isLarge = BigInt(blueprint.nodes.length * DESCRIPTORS_OF_A_PLACE) > limit;
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
			chdir("/"); // the folder of the caller may be one that this id cannot search
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

	/**
	 * Makes what is shown at places of the sandbox: an empty folder, an empty file, and files that are made up. They lie in the place
	 * of `/proc`, where the mount covers them for good.
	 */
	#makeParts(root: Mount): void {
		const { nodes } = this.#blueprint;
		this.#steps.do("parts", () => {
			this.#makeFolder("/proc", new Location(root, "proc"));
			const parts = root.open("proc", { flags: ["path"], resolve: ["noSymlinks"] });
			this.#parts = parts;
			mkdir(new Location(parts, "folder"), { mode: 0o555 });
			createFile(new Location(parts, "file"));
			for (const [index, node] of nodes.entries()) {
				if (node.file && !this.#liesInSealed(node)) writeFile(new Location(parts, `${index}`), node.file);
			}
			this.#makeLayers(root);
		});
	}

	/** Makes the memory of all `scratch`, and places for what lies below it. A layer of an overlay has to lie somewhere. */
	#makeLayers(root: Mount): void {
		const scratches = this.#blueprint.nodes.filter(({ kind }) => kind === "scratch");
		if (scratches.length === 0) return;
		mkdir(new Location(root, LAYERS), { mode: 0o755 });
		const layers = tmpfs(null, { mode: 0o755 });
		moveMount(layers, new Location(root, LAYERS));
		this.#layers = layers;
		for (const index of scratches.keys()) {
			for (const name of ["lower", "over"]) mkdir(new Location(layers, `${name}${index}`), { mode: 0o755 });
		}
		mkdir(new Location(layers, "memory"), { mode: 0o755 });
		const { tmp } = this.#blueprint.options;
		this.#memory = tmpfs(null, { mode: 0o755, ...(tmp !== "host" && tmp.size !== undefined && { size: tmp.size }) });
		moveMount(this.#memory, new Location(layers, "memory"));
		mountSetattr(layers, { set: readOnly });
	}

	/** Puts what lies at a place there. */
	#place(node: Node, root: Mount, fresh: Mount): void {
		const cover = this.#blueprint.covers.get(node);
		const under = cover && this.#mounts.get(cover);
		if (!cover || !under) {
			this.#mounts.set(node, root);
			return;
		}
		if (node.file && isSealed(cover)) {
			this.#makeFolders(cover, under, node.path);
			writeFile(new Location(under, below(cover.path, node.path)), node.file);
			return;
		}
		const at = isEmpty(cover) ? this.#make(cover, under, node) : this.#open(cover, under, node);
		const tree = this.#tree(node, at, fresh);
		moveMount(tree, at);
		if (at instanceof FileDescriptor) this.#done(at);
		// Without a user namespace of its own the limit would be that of the host.
		if (node.kind === "proc" && this.#blueprint.owners !== "uid0") forbidUserNamespaces(tree);
		if (this.#holds(node)) this.#mounts.set(node, tree);
		else this.#done(tree);
	}

	/** Opens a place of the host, in which programs may have changed something meanwhile. */
	#open(cover: Node, under: Mount, node: Node): FileDescriptor {
		const at = under.open(below(cover.path, node.path), { flags: ["path"], resolve: ["noSymlinks"] });
		// Nobody has put another file into the place of what is to be hidden. A scratch shows its files with other numbers.
		if (node.kind === "hide" && cover.kind !== "scratch") expectFile(at, node);
		return at;
	}

	/** Returns what is to lie at a place, which lies nowhere yet. */
	#tree(node: Node, at: FileDescriptor | Location, fresh: Mount): Mount {
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
		const copy = copyTree(at, { set: attributes[kind], propagation: "private" });
		if (node.found) expectFile(copy, node);
		return copy;
	}

	#part(name: string): Mount {
		return copyTree(new Location(this.#parts, name), { set: readOnly, propagation: "private" });
	}

	/**
	 * Lays memory over a tree. The mode of the upper directory is the one that is seen. Overlayfs takes layers by descriptor since Linux
	 * 6.13 only, and here all paths are the sandbox's own.
	 */
	#scratch({ found }: Node, lower: Mount): Mount {
		const [layers, memory, index] = [this.#layers as Mount, this.#memory as Mount, this.#scratches++];
		moveMount(lower, new Location(layers, `lower${index}`));
		const [upper, work] = [`upper${index}`, `work${index}`].map((name) => new Location(memory, name));
		for (const folder of [upper, work] as Location[]) {
			mkdir(folder, { mode: 0o755 });
			chmod(folder, (found?.mode ?? 0o755) & 0o7777);
		}
		this.#done(lower);
		const path = (name: string) => `/${LAYERS}/${name}${index}`;
		const data = {
			lowerdir: path("lower"),
			upperdir: path("memory/upper"),
			workdir: path("memory/work"),
			userxattr: true,
		};
		mount("overlay", path("over"), "overlay", { flags: writable, data });
		return copyTree(new Location(layers, `over${index}`), { propagation: "private" });
	}

	/** Makes the place of a mount, and the folders on the way. No link is on the way: these calls alone have made what is there. */
	#make(cover: Node, under: Mount, { path, type }: Node): FileDescriptor | Location {
		this.#makeFolders(cover, under, path);
		const relative = below(cover.path, path);
		if (type === "file") return createFile(new Location(under, relative));
		if (!this.#folders.has(path)) mkdir(new Location(under, relative), { mode: 0o755 });
		this.#folders.add(path);
		return new Location(under, relative, { symlinks: false });
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

	/** Takes the layers out of sight, and makes the memory read-only that is not for writing. */
	#seal(root: Mount): void {
		this.#steps.do("seal", () => {
			if (this.#layers) {
				umount(`/${LAYERS}`, { flags: ["detach"] });
				rmdir(new Location(root, LAYERS));
			}
			for (const [node, mount] of this.#mounts) if (isSealed(node)) mountSetattr(mount, { set: readOnly });
			closeRange(FIRST, LAST);
		});
	}

	/** Closes a descriptor, if there are many. Otherwise one call closes all of them at the end. */
	#done(fd: FileDescriptor): void {
		if (this.#isLarge) fd.close();
	}

	/** Returns whether a place lies in memory that is read-only in the end. */
	#liesInSealed(node: Node): boolean {
		const cover = this.#blueprint.covers.get(node);
		return cover !== undefined && isSealed(cover);
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
		return this.#blueprint.nodes.findLast((node) => isBelow(path, node.path));
	}
}

/** Returns whether a place is memory that becomes read-only when everything is in its place. */
function isSealed({ kind, path }: Node): boolean {
	return kind === "hide" || path === "/dev" || path === "/";
}

/** Makes an empty file. Its descriptor does not write: that would keep the file system from becoming read-only. */
function createFile(place: Location): FileDescriptor {
	return openat2(place, { flags: ["creat", "excl"], mode: 0o444 });
}

function writeFile(place: Location, { content, mode }: CheckedFile): void {
	const file = openat2(place, { flags: ["creat", "excl", "wronly"], mode: 0o600 });
	if (content.length > 0) file.write(content);
	file.close();
	chmod(place, mode);
}

/** Ends the batch there unless a tree is of the file that was looked at. */
function expectFile(tree: FileDescriptor, { found, path }: Node): void {
	if (found) native().expectFile(numberOf(tree), found.device.major, found.device.minor, found.inode, path);
}

/** Root has opened the sources as itself, and becomes the user 0 of the sandbox. */
export function becomeRootInside(owners: Owners): void {
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
