import {
	BatchError,
	chmod,
	type FileDescriptor,
	Location,
	type LocationLike,
	mkdir,
	type NamespaceKind,
	openat2,
	SyscallError,
} from "@nearfar/core";
import { array, currentBatch, namespaceFlags, ownNamespaces, toBits, withFile } from "@nearfar/core/internal";
import { type BindOptions, bind } from "./bind.ts";
import { closedUnless, type Mount } from "./mounted.ts";
import { moveMount } from "./move.ts";
import { tmpfs } from "./tmpfs.ts";

/** A directory whose files are copied into a tree. No link below the directory is followed. */
export class SourceFolder implements Disposable {
	readonly #folder: FileDescriptor;
	/** The path for errors. `undefined` for an open directory. */
	readonly #path: string | undefined;

	constructor(at: LocationLike) {
		this.#path = typeof at === "string" ? at : undefined;
		this.#folder = openat2(at, { flags: ["path", "directory"] });
	}

	/**
	 * Copies a file or a directory, with everything that is mounted below. The copy receives mount events of the source, but sends
	 * none: a later mount on the copy never appears on the source.
	 *
	 * @param path - The path below the directory. A link is `ELOOP`, also on the way.
	 * @param set - Attributes that the whole copy gets.
	 * @returns The detached copy.
	 */
	copy(path: string, set: BindOptions["set"] = []): Mount {
		const open = () =>
			openat2(new Location(this.#folder, path), { flags: ["path"], resolve: ["beneath", "noSymlinks"] });
		using file = this.#path === undefined ? open() : withFile(`${this.#path.replace(/\/+$/, "")}/${path}`, open);
		return bind(file, null, { set, propagation: "slave" });
	}

	[Symbol.dispose](): void {
		this.#folder.close();
	}
}

/** Detached mounts that are going to be put into a tree. Closes all of them at the end: a mount that is in no tree dissolves. */
export class Parts implements Disposable {
	readonly #parts: { path: string; mount: Mount }[] = [];

	/** Takes a mount over. */
	add(path: string, mount: Mount): void {
		this.#parts.push({ path, mount });
	}

	/** Puts each mount on its place below the root of a tree. */
	putInto(tree: Mount): void {
		for (const { path, mount } of this.#parts) {
			using place = openPlace(tree, path);
			moveMount(mount, place);
		}
	}

	[Symbol.dispose](): void {
		for (const { mount } of this.#parts) mount.close();
	}
}

/** Opens a file or a directory of a tree to mount something on it. A link at the end is opened itself, another one is `ELOOP`. */
export function openPlace(tree: Mount, path: string): FileDescriptor {
	return tree.open(path, { flags: ["path", "nofollow"], resolve: ["noSymlinks"] });
}

/** Copies a part of a tree, with everything that is mounted below. A link is `ELOOP`. */
export function copyPart(tree: Mount, path: string, set: BindOptions["set"] = []): Mount {
	using part = tree.open(path, { flags: ["path"], resolve: ["noSymlinks"] });
	return bind(part, null, { set });
}

/** Makes directories of the mode 755, each one after the directory that it lies in. */
export function makeFolders(tree: Mount, paths: Iterable<string>): void {
	for (const path of paths) {
		mkdir(new Location(tree, path), { mode: 0o755 });
		chmod(new Location(tree, path), 0o755); // the mode of mkdir is cut down by the umask
	}
}

/** Returns the kinds of namespaces that an option names. Default: the kinds that the current task has of its own. */
export function kindsOf(namespaces: readonly NamespaceKind[] | undefined): ReadonlySet<NamespaceKind> {
	if (namespaces === undefined) return ownNamespaces();
	const names = array(namespaces, "options.namespaces");
	toBits(namespaceFlags, names, "options.namespaces");
	return new Set(names);
}

/**
 * Fills a tree and attaches it, in this order. No process sees half a tree, and a tree that is not filled dissolves. Before Linux
 * 6.15 nothing can be mounted in a detached tree: there the tree is attached first, and unmounted if it cannot be filled.
 *
 * @param tree - A detached mount, which this function takes over.
 * @param target - The place, or `null` for none.
 * @param fill - Fills the tree. `isAttached`: whether the tree is attached already.
 * @returns The tree for `null`, else nothing.
 */
export function completeTree(
	tree: Mount,
	target: LocationLike | null,
	fill: (isAttached: boolean) => void,
): Mount | undefined {
	closedUnless(tree, () => {
		if (target === null) fill(false);
		else if (canFillDetached()) {
			fill(false);
			moveMount(tree, target);
		} else {
			moveMount(tree, target);
			fillAttached(tree, fill);
		}
	});
	if (target === null) return tree;
	tree.close();
	return undefined;
}

/** Fills a tree that is attached. Unmounts the tree if that fails. */
function fillAttached(tree: Mount, fill: (isAttached: boolean) => void): void {
	let isFilled = false;
	using _unmounted = {
		[Symbol.dispose]() {
			if (!isFilled) tree.unmount();
		},
	};
	fill(true);
	isFilled = true;
}

/** Whether the kernel mounts something in a detached tree. `undefined`: the kernel was not asked yet. */
let fillsDetached: boolean | undefined;

/** Returns whether the kernel mounts something in a detached tree, which it is asked once in a process. */
function canFillDetached(): boolean {
	if (currentBatch()) {
		if (fillsDetached !== false) return true;
		throw new BatchError(
			"before Linux 6.15 nothing can be mounted in a detached tree, and a batch cannot unmount half a tree: make the call in task.run()",
		);
	}
	fillsDetached ??= fillsOne();
	return fillsDetached;
}

function fillsOne(): boolean {
	using tree = tmpfs(null);
	using part = tmpfs(null);
	try {
		moveMount(part, new Location(tree, "."));
		return true;
	} catch (error) {
		if (error instanceof SyscallError && error.code === "EINVAL") return false;
		throw error;
	}
}
