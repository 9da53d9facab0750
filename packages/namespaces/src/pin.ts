import { FileDescriptor, Location, type LocationLike, SyscallError, statx } from "@nearfar/core";
import {
	adoptDescriptor,
	atFlags,
	options as checkOptions,
	currentTask,
	explained,
	integer,
	moveMountFlags,
	namespaceId,
	native,
	numberOf,
	openOwnProc,
	openTreeFlags,
	readAll,
	withFile,
} from "@nearfar/core/internal";
import { isSameInode, readInode } from "./namespace-ids.ts";
import { openCurrent } from "./namespace-of.ts";
import { isLeftover, openPlace, type PinPlace, placeError } from "./pin-place.ts";
import { refuseBatch } from "./refuse-batch.ts";
import { askKind } from "./remembered-kind.ts";

/** Options of `Namespace.pin`. */
export interface PinOptions {
	/** Permission bits of a file that is made, 0 to 0o7777, less the umask. Default: 0o444. */
	mode?: number;
}

/** Mounts a namespace on a file. `Namespace.pin` documents the function. */
export function pinNamespace(namespace: FileDescriptor, at: LocationLike, options?: PinOptions): void {
	const { mode } = checkOptions(options, ["mode"]);
	const bits = mode === undefined ? 0o444 : integer(mode, "options.mode", 0, 0o7777);
	numberOf(namespace);
	refuseBatch("pin a namespace");
	using place = openPlace(at);
	if (!place) {
		// A Location without a path stands for its open file.
		const file = at instanceof Location ? at.directory : at;
		attachTo(file as FileDescriptor, namespace, "the file");
		return;
	}
	withFile(place.text, () => {
		const { file, made } = createOrUse(place, bits);
		using _file = file;
		try {
			attachTo(file, namespace, place.text);
		} catch (error) {
			if (made) removeAfter(error, place, file);
			throw error;
		}
	});
}

/** Makes the file, or opens one that a pin has left over. */
function createOrUse(place: PinPlace, mode: number): { file: FileDescriptor; made: boolean } {
	try {
		return { file: place.create(mode), made: true };
	} catch (error) {
		const { code } = error as NodeJS.ErrnoException;
		// EISDIR: the path ends with a slash.
		if (!(error instanceof SyscallError) || (code !== "EEXIST" && code !== "EISDIR")) throw error;
	}
	const file = place.look();
	try {
		if (isLeftover(file)) return { file, made: false };
		throw exists(place.text);
	} catch (error) {
		file.close();
		throw error;
	}
}

/** Clones the mount of a namespace, and attaches the clone to an open file on which nothing is mounted. */
function attachTo(file: FileDescriptor, namespace: FileDescriptor, path: string): void {
	if (statx(file, { mask: ["type"] }).attributes.mountRoot) throw exists(path);
	const flags = openTreeFlags.clone | openTreeFlags.cloexec | atFlags.emptyPath;
	using tree = adoptDescriptor(native().openTree(numberOf(namespace), "", flags));
	const both = moveMountFlags.fEmptyPath | moveMountFlags.tEmptyPath;
	explained(
		() => native().moveMount(numberOf(tree), "", numberOf(file), "", both),
		(refusal) => hintForMount(refusal, namespace),
	);
	try {
		if (isStacked(tree, file)) throw exists(path);
	} catch (error) {
		native().unmount(numberOf(tree), currentTask().isNear);
		throw error;
	}
}

/**
 * Returns whether a mount lies on another mount than that of the file. move_mount(2) attaches to the topmost mount, which another
 * process may have put on the file meanwhile. Without a procfs on `/proc` nothing tells.
 */
function isStacked(tree: FileDescriptor, file: FileDescriptor): boolean {
	const [own, below] = [tree, file].map((fd) => statx(fd, { mask: ["mntId"] }).mountId);
	const [, parent] = new RegExp(`^${own} (\\d+) `, "m").exec(readMounts()) ?? [];
	return parent !== undefined && Number(parent) !== below;
}

function readMounts(): string {
	let file: FileDescriptor;
	try {
		file = openOwnProc("thread-self/mountinfo");
	} catch (error) {
		if (error instanceof SyscallError && error.code === "ENOENT") return "";
		throw error;
	}
	using _file = file;
	return readAll(file).toString("latin1");
}

/** Removes a file that was made, after a step has failed. The error of the step stays, and has that of the removal as its cause. */
function removeAfter(error: unknown, place: PinPlace, file: FileDescriptor): void {
	try {
		place.removeIfSame(file);
	} catch (cause) {
		Object.assign(error as Error, { cause });
	}
}

function exists(path: string): SyscallError {
	const hint =
		"something is at that place already: unpin takes a pin away, and a pin goes only on a new file, or on an empty one that is no mount point";
	return placeError("EEXIST", "move_mount", path, hint);
}

/** Returns why move_mount(2) has refused a mount namespace. */
function hintForMount({ code }: SyscallError, namespace: FileDescriptor): string | undefined {
	if (code === "ELOOP") return loopHint(namespace);
	return code === "EINVAL" ? sharedHint(namespace) : undefined;
}

function loopHint(namespace: FileDescriptor): string {
	using own = openCurrent("mnt", FileDescriptor);
	const [pinnedId, ownId] = [idOf(namespace), idOf(own)];
	const shown = (id: bigint | undefined) => (id === undefined ? "" : ` (id ${id})`);
	if (isSameInode(readInode(namespace), readInode(own))) {
		return `a mount namespace${shown(ownId)} cannot be pinned in itself: pin it from an older one`;
	}
	const ages = `the pinned mount namespace${shown(pinnedId)} has to be younger than that of the caller${shown(ownId)}`;
	if (pinnedId === undefined) return `${ages}: pin it from an older mount namespace`;
	return `${ages}, and the kernel goes by the ids, which depend on the CPU that made them on Linux 6.18: make the namespace again after schedSetaffinity to another CPU, or pin it from an older mount namespace`;
}

function sharedHint(namespace: FileDescriptor): string | undefined {
	if (askKind(namespace) !== "mnt") return undefined;
	return 'the place may lie in a shared mount that the pinned mount namespace has too: make that mount private in there first, with mount(null, "/", null, { flags: ["rec", "private"] })';
}

/** Returns the id of a mount namespace. `undefined`: the namespace is of another kind, or the kernel is older than Linux 6.11. */
function idOf(namespace: FileDescriptor): bigint | undefined {
	try {
		return namespaceId(numberOf(namespace), "mountId");
	} catch (error) {
		if (error instanceof SyscallError) return undefined;
		throw error;
	}
}
