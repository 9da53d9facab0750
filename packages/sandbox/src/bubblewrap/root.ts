import {
	chdir,
	chmod,
	type FileDescriptor,
	Location,
	mkdir,
	mknod,
	type OpenHow,
	openat2,
	symlink,
	umask,
} from "@nearfar/core";
import { native, numberOf } from "@nearfar/core/internal";
import {
	bind,
	devpts,
	enterRoot,
	type Mount,
	type MountAttribute,
	mount,
	mountSetattr,
	moveMount,
	mqueue,
	openTree,
	overlay,
	proc,
	tmpfs,
} from "@nearfar/mount";
import { loopbackUp, sethostname } from "@nearfar/namespaces";
import { setNoNewPrivs } from "@nearfar/process";
import { usualDevices } from "../devices.ts";
import type { Reasons } from "./failure.ts";
import type { Operation } from "./operations.ts";
import type { Prepared, Source } from "./sources.ts";

/** What is made of a root, beside the operations. */
export interface RootOptions {
	readonly prepared: readonly Prepared[];
	/** Whether the pid namespace is another one than that of this process. */
	readonly newPids: boolean;
	/** Whether the network namespace is new. */
	readonly newNet: boolean;
	/** The entries of a procfs that are made read-only. */
	readonly covered: readonly string[];
	/** The terminal that `/dev/console` is to be. */
	readonly console: string | undefined;
	/** Whether a bind goes on where the kernel refuses its attributes. */
	readonly tolerant: boolean;
	readonly refuseLinks: boolean;
	/** Whether something may have the name of a link. */
	readonly linksMayBe: boolean;
}

const deviceLinks = {
	stdin: "/proc/self/fd/0",
	stdout: "/proc/self/fd/1",
	stderr: "/proc/self/fd/2",
	fd: "/proc/self/fd",
	core: "/proc/kcore",
	ptmx: "pts/ptmx",
};

/** Links of `/proc` lead out of the root, and are followed nowhere. */
const INSIDE = ["noMagiclinks"] as const;

/**
 * Makes the root of a sandbox by calls of a batch: first everything of the host is opened, then the old root goes, and only then a
 * destination is looked up. By then `/` is the new root, so that no path and no link leads out of it.
 */
export class BubblewrapRoot {
	readonly #options: RootOptions;
	readonly #reasons: Reasons;
	/** What is mounted by an operation, and lies nowhere yet. */
	readonly #trees = new Map<Prepared, Mount>();
	readonly #nodes = new Map<Prepared, [name: string, tree: Mount][]>();

	constructor(options: RootOptions, reasons: Reasons) {
		this.#options = options;
		this.#reasons = reasons;
	}

	/** Collects all calls. */
	collect(): void {
		const { prepared, newNet } = this.#options;
		this.#reasons.do("prctl(PR_SET_NO_NEW_PRIVS) failed", () => setNoNewPrivs());
		umask(0);
		if (newNet) this.#reasons.do("loopback: Failed to bring up lo", () => loopbackUp());
		this.#reasons.do("Failed to make / slave", () => mount(null, "/", null, { flags: ["rec", "slave"] }));
		for (const each of prepared) this.#openSource(each);
		this.#makeParts();
		// A root that is mounted first of all needs no other one below it.
		const [first] = prepared;
		const begun = first && isRoot(first.operation) ? this.#trees.get(first) : undefined;
		this.#reasons.do("pivot_root", () => {
			const root = begun ?? tmpfs(null, { mode: 0o755 });
			enter(root);
			root.close();
		});
		for (const each of begun ? prepared.slice(1) : prepared) this.#apply(each);
	}

	#openSource(each: Prepared): void {
		const { operation, source } = each;
		const { newPids, console, tolerant } = this.#options;
		if (operation.kind === "bind" && source) {
			const { readOnly, devices, dest } = operation;
			const set: MountAttribute[] = ["nosuid"];
			if (readOnly) set.push("rdonly");
			if (!devices) set.push("nodev");
			this.#reasons.do(
				`Can't bind mount ${source.path} on ${dest}`,
				() => {
					const tree = openTree(new Location(undefined, source.path, { symlinks: false }), {
						flags: ["clone", "recursive"],
					});
					mountSetattr(tree, { set, recursive: true });
					if (tolerant) native().passOver();
					expectFile(tree, source);
					this.#trees.set(each, tree);
				},
				{ ESTALE: `Can't bind mount ${source.path} on ${dest}: another file has taken its place meanwhile` },
			);
		} else if (operation.kind === "proc") {
			const what = `Can't mount proc on ${operation.dest}`;
			this.#reasons.do(what, () => this.#trees.set(each, newPids ? proc(null) : bind("/proc", null)));
		} else if (operation.kind === "dev") {
			const sources = usualDevices.map((name) => [name, `/dev/${name}`]);
			if (console !== undefined) sources.push(["console", console]);
			for (const [name = "", path = ""] of sources) {
				this.#reasons.do(`Can't bind mount ${path} on ${operation.dest}/${name}`, () => {
					const tree = bind(path, null, { set: ["nosuid"] });
					this.#nodes.set(each, [...(this.#nodes.get(each) ?? []), [name, tree]]);
				});
			}
		}
	}

	/** Makes files and overlays while the paths of the host are there. Their memory covers `/`, and goes with the old root. */
	#makeParts(): void {
		const made = this.#options.prepared.filter(({ operation: { kind } }) => kind === "data" || kind === "overlay");
		if (made.length === 0) return;
		const parts = this.#reasons.do("Failed to mount tmpfs", () => {
			const parts = tmpfs(null, { mode: 0o755 });
			moveMount(parts, "/");
			return parts;
		});
		for (const [index, each] of made.entries()) {
			const { operation } = each;
			if (operation.kind === "data") this.#makeFile(parts, `${index}`, each, operation);
			else if (operation.kind === "overlay") this.#makeOverlay(parts, index, each, operation);
		}
	}

	#makeFile(parts: Mount, name: string, each: Prepared, operation: Operation & { kind: "data" }): void {
		const { mode, readOnly, dest } = operation;
		this.#reasons.do(`Can't write data to file ${dest}`, () => {
			writeNew(new Location(parts, name), mode, each.content);
			const tree = openTree(new Location(parts, name), { flags: ["clone"] });
			mountSetattr(tree, { set: readOnly ? ["nosuid", "nodev", "rdonly"] : ["nosuid", "nodev"] });
			this.#trees.set(each, tree);
		});
	}

	#makeOverlay(parts: Mount, index: number, each: Prepared, { dest, upper }: Operation & { kind: "overlay" }): void {
		const { layers } = each;
		if (!layers) return;
		const overlapping = `Can't make overlay mount on ${dest}: Overlay directories may not overlap`;
		this.#reasons.do(
			`Can't make overlay mount on ${dest}`,
			() => {
				const [up, work] = [new Location(parts, `upper${index}`), new Location(parts, `work${index}`)];
				if (upper === "memory") for (const folder of [up, work]) mkdir(folder, { mode: 0o755 });
				const writable =
					upper === "memory"
						? { upper: up, work }
						: layers.upper !== undefined && layers.work !== undefined && { upper: layers.upper, work: layers.work };
				const set = ["nosuid", "nodev"] as const;
				this.#trees.set(each, overlay(null, { lower: layers.lower, ...writable, userxattr: true, set }));
			},
			{ ELOOP: overlapping },
		);
	}

	#apply(each: Prepared): void {
		const { operation } = each;
		switch (operation.kind) {
			case "bind":
				this.#mountTree(each, operation.dest, each.source?.type === "directory" ? "dir" : "file");
				break;
			case "overlay":
				this.#mountTree(each, operation.dest, "dir");
				break;
			case "data":
				this.#mountTree(each, operation.dest, "file", parentMode(operation.mode));
				break;
			case "tmpfs":
				this.#mountTmpfs(operation);
				break;
			case "mqueue": {
				const tree = this.#reasons.do(`Can't mount mqueue on ${operation.dest}`, () => mqueue(null));
				this.#mount(operation.dest, tree, "dir");
				tree.close();
				break;
			}
			case "proc":
				this.#mountProc(operation.dest, this.#tree(each));
				break;
			case "dev":
				this.#mountDev(operation.dest, this.#nodes.get(each) ?? []);
				break;
			case "dir":
				this.#open(operation.dest, "dir", parentMode(operation.mode), operation.mode).close();
				break;
			case "file":
				this.#writeFile(each, operation);
				break;
			case "symlink":
				this.#link(operation);
				break;
			case "chmod":
				this.#chmod(operation);
				break;
			case "remount-ro":
				this.#remount(operation.dest);
				break;
			case "hostname":
				this.#reasons.do(`Can't set hostname to ${operation.name}`, () => sethostname(operation.name));
		}
	}

	#mountTree(each: Prepared, dest: string, type: "dir" | "file", above = 0o755): void {
		const tree = this.#tree(each);
		this.#mount(dest, tree, type, above);
		tree.close();
	}

	#mountTmpfs({ dest, mode, size }: Operation & { kind: "tmpfs" }): void {
		const tree = this.#reasons.do(`Can't mount tmpfs on ${dest}`, () =>
			tmpfs(null, { mode, ...(size !== undefined && { size: `${size}` }) }),
		);
		this.#mount(dest, tree, "dir", parentMode(mode));
		tree.close();
	}

	#remount(dest: string): void {
		this.#reasons.do(`Can't remount readonly on ${dest}`, () => {
			const at = openat2(absolute(dest), { flags: ["path"], resolve: INSIDE });
			mountSetattr(at, { set: ["rdonly"] });
			at.close();
		});
	}

	#tree(each: Prepared): Mount {
		return this.#trees.get(each) as Mount;
	}

	/** Mounts a tree on a destination, which is made where nothing is. A mount on `/` becomes the root. */
	#mount(dest: string, tree: Mount, type: "dir" | "file", above = 0o755): void {
		const what = `Can't mount on ${dest}`;
		if (isRoot({ dest })) {
			this.#reasons.do(what, () => enter(tree), { ENOTDIR: `Destination is not a file ${dest}` });
			return;
		}
		const at = this.#open(dest, type, above);
		const texts = type === "file" ? { EINVAL: `Destination is not a file ${dest}` } : {};
		this.#reasons.do(what, () => moveMount(tree, at), texts);
		at.close();
	}

	#mountProc(dest: string, tree: Mount): void {
		this.#mount(dest, tree, "dir");
		for (const name of this.#options.covered) {
			this.#reasons.do(`Can't cover ${dest}/${name}`, () => {
				const at = tree.open(name, { flags: ["path"] });
				const cover = bind(at, null, { set: ["rdonly", "nosuid", "nodev"] });
				moveMount(cover, at);
				cover.close();
				at.close();
			});
		}
		tree.close();
	}

	#mountDev(dest: string, nodes: readonly [name: string, tree: Mount][]): void {
		const tree = this.#reasons.do(`Can't mount tmpfs on ${dest}`, () => tmpfs(null, { mode: 0o755 }));
		this.#mount(dest, tree, "dir");
		for (const [name, node] of nodes) {
			this.#reasons.do(`Can't create file ${dest}/${name}`, () => {
				mknod(new Location(tree, name), "file", { mode: 0o444 });
				attach(node, tree, name);
			});
		}
		for (const [name, target] of Object.entries(deviceLinks)) {
			this.#reasons.do(`Can't create symlink ${dest}/${name}`, () => symlink(target, new Location(tree, name)));
		}
		this.#reasons.do(`Can't mount devpts on ${dest}/pts`, () => {
			for (const name of ["shm", "pts"]) mkdir(new Location(tree, name), { mode: 0o755 });
			attach(devpts(null), tree, "pts");
		});
		tree.close();
	}

	#writeFile({ content }: Prepared, { dest, mode }: Operation & { kind: "file" }): void {
		const place = this.#place(dest, parentMode(mode));
		this.#reasons.do(`Can't create file ${dest}`, () => {
			const file = openat2(place.location, { flags: ["creat", "trunc", "wronly", "nofollow", "noctty"], mode });
			if (content && content.length > 0) file.write(content);
			file.close();
		});
		place.close();
	}

	#link({ target, dest }: Operation & { kind: "symlink" }): void {
		const place = this.#place(dest);
		this.#reasons.do(linkReason(dest), () => {
			symlink(target, place.location);
			if (this.#options.linksMayBe) native().passOver();
		});
		place.close();
	}

	#chmod({ dest, mode }: Operation & { kind: "chmod" }): void {
		this.#reasons.do(`Can't chmod 0${mode.toString(8)} ${dest}`, () => {
			// A descriptor of the kind `path` takes no mode before Linux 6.6.
			const file = openat2(absolute(dest), { flags: ["rdonly", "nonblock", "noctty"], resolve: INSIDE });
			chmod(file, mode);
			file.close();
		});
	}

	/** Opens a destination, which is made where nothing is. A link there leads inside, unless links are refused. */
	#open(dest: string, type: "dir" | "file", above: number, mode = type === "dir" ? 0o755 : 0o444): FileDescriptor {
		const place = this.#place(dest, above);
		const { location } = place;
		const linked = `Can't mount on symlink destination ${dest}`;
		const at = this.#reasons.do(
			`Can't create file ${dest}`,
			() => {
				if (type === "dir") mkdir(location, { mode });
				else mknod(location, "file", { mode });
				native().passOver();
				const flags: OpenHow["flags"] = type === "dir" ? ["path", "directory"] : ["path"];
				if (this.#options.refuseLinks) return openat2(location, { flags, resolve: ["noSymlinks"] });
				return openat2(absolute(dest), { flags, resolve: INSIDE });
			},
			{
				ENOTDIR: `Destination is not a directory ${dest}`,
				ELOOP: linked,
				ENOENT: `Can't create file ${dest}: a symbolic link is there that leads nowhere inside`,
			},
		);
		place.close();
		return at;
	}

	/** Makes the directories above a destination. */
	#place(dest: string, mode = 0o755): { location: Location; close(): void } {
		const names = dest.split("/").filter((name) => name !== "");
		const last = names.pop() ?? ".";
		let parent: FileDescriptor | undefined; // none: `/`, the working directory
		this.#reasons.do(`Can't mkdir parents for ${dest}`, () => {
			for (const [index, name] of names.entries()) {
				mkdir(new Location(parent, name), { mode });
				native().passOver();
				const path = `/${names.slice(0, index + 1).join("/")}`;
				const folder = openat2(path, { flags: ["path", "directory"], resolve: INSIDE });
				parent?.close();
				parent = folder;
			}
		});
		return { location: new Location(parent, last), close: () => parent?.close() };
	}
}

/** Returns what is said of a link that cannot be made. */
export function linkReason(dest: string): string {
	return `Can't make symlink at ${dest}`;
}

/** Returns the path from the new root. */
export function absolute(dest: string): string {
	return `/${dest}`.replace(/^\/+/, "/");
}

function isRoot(operation: Operation | { readonly dest: string }): boolean {
	return "dest" in operation && /^\/+$/.test(operation.dest);
}

/** Makes a mount the root, and the working directory. */
function enter(tree: Mount): void {
	enterRoot(tree);
	chdir("/");
}

/** Mounts a tree in the root of another mount. */
function attach(tree: Mount, to: Mount, name: string): void {
	const at = to.open(name, { flags: ["path"] });
	moveMount(tree, at);
	at.close();
	tree.close();
}

function writeNew(at: Location, mode: number, content: Buffer | undefined): void {
	const file = openat2(at, { flags: ["creat", "excl", "wronly"], mode });
	if (content && content.length > 0) file.write(content);
	file.close();
}

/** Ends the batch there unless a tree is of the file that was looked at. */
function expectFile(tree: Mount, { device, inode, path }: Source): void {
	native().expectFile(numberOf(tree), device.major, device.minor, inode, path);
}

/** Returns the mode of directories above something: who may not use that by its mode may not pass them either. */
function parentMode(mode: number): number {
	const group = (mode & 0o070) === 0 ? 0o050 : 0;
	const others = (mode & 0o007) === 0 ? 0o005 : 0;
	return 0o755 & ~group & ~others;
}
